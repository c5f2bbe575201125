"""The page in a real browser, at a phone's size, by keyboard alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests.batches import arrow
from tests.projects import PROJECT
from tests.spark.test_app import GOOD

PHONE = (390, 844)
PICTURE = (820, 900)


@pytest.fixture(scope="module")
def address(done, tmp_path_factory) -> Iterator[str]:
    """The server, started by its command."""
    command = [
        str(Path(sys.executable).parent / "credit-spark"), "serve", "--portfolio", "lending_club",
        "--warehouse", str(done.parent), "--port", "0",
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("server")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def at_a_phones_size(browser) -> None:
    browser.set_window_size(*PHONE)


def fill(browser: webdriver.Chrome, values: dict[str, str]) -> None:
    for name, value in values.items():
        element = browser.find_element(By.ID, name)
        if element.tag_name == "select":
            Select(element).select_by_visible_text(value)
        else:
            element.clear()
            element.send_keys(value)


def submit(browser: webdriver.Chrome, field: str) -> None:
    """Press Enter in a field, and wait for the whole of the next page."""
    browser.execute_script("window.isTheOldPage = true")
    browser.find_element(By.ID, field).send_keys(Keys.ENTER)
    # Between two pages there is none that could be asked: the driver then has no answer.
    wait = WebDriverWait(browser, 30, ignored_exceptions=[WebDriverException])
    arrived = "return !window.isTheOldPage && document.readyState === 'complete'"
    wait.until(lambda _: browser.execute_script(arrived))


def decision_shown(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "decision").text


def pictured(browser: webdriver.Chrome, name: str) -> None:
    """For the documents, where `make pictures` asks for it."""
    if os.environ.get("WRITE_PICTURES"):
        browser.set_window_size(*PICTURE)
        browser.save_screenshot(str(PROJECT / f"docs/{name}.png"))
        browser.set_window_size(*PHONE)


def test_a_good_and_a_bad_loan_are_looked_up(browser, address, done) -> None:
    scores = arrow(done / "scores").to_pylist()
    for decision, word in (("approve", "Good"), ("decline", "Bad")):
        row = next(row for row in scores if row["decision"] == decision)
        browser.get(address)
        fill(browser, {"loan_id": row["loan_id"]})
        submit(browser, "loan_id")

        assert decision_shown(browser).startswith(word)
        assert f"{row['points']} points" in decision_shown(browser)
        reasons = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "#reasons li")]
        assert reasons == [row[f"reason_{nth}"] for nth in range(1, 5) if row[f"reason_{nth}"]]
        box = browser.find_element(By.ID, "decision").value_of_css_property("border-top-style")
        assert box == "solid"
        pictured(browser, word.lower())


def test_an_applicant_is_good_and_another_is_bad(browser, address) -> None:
    browser.get(f"{address}applicant")
    fill(browser, GOOD)
    submit(browser, "loan_amount")
    assert decision_shown(browser).startswith("Good")
    assert browser.find_element(By.ID, "annual_income").get_attribute("value") == "120000"

    fill(
        browser,
        {
            "loan_amount": "35000",
            "annual_income": "30000",
            "interest_rate": "24",
            "fico": "660",
            "debt_to_income": "35",
            "term_months": "60",
        },
    )
    submit(browser, "loan_amount")

    assert decision_shown(browser).startswith("Bad")
    assert browser.find_elements(By.CSS_SELECTOR, "#reasons li")


def test_wrong_input_stays_in_the_form_with_a_message_at_its_field(browser, address) -> None:
    browser.get(f"{address}applicant")
    fill(browser, GOOD | {"annual_income": "plenty"})
    submit(browser, "loan_amount")

    field = browser.find_element(By.ID, "annual_income")
    assert field.get_attribute("value") == "plenty"
    assert field.get_attribute("aria-invalid") == "true"
    message = browser.find_element(By.ID, field.get_attribute("aria-describedby"))
    assert "write a number" in message.text
    assert browser.find_element(By.ID, "fico").get_attribute("value") == "800"
    assert not browser.find_elements(By.ID, "decision")


def test_on_a_phone_nothing_is_wider_than_the_screen_and_every_field_has_its_label(
    browser, address
) -> None:
    for path in ("", "applicant", "loan"):
        browser.get(f"{address}{path}")
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= browser.execute_script("return window.innerWidth")
        for element in browser.find_elements(By.CSS_SELECTOR, "input, select"):
            name = element.get_attribute("id")
            assert browser.find_elements(By.CSS_SELECTOR, f'label[for="{name}"]')
