"""Every portfolio's own files, read by its contract and judged to the last line, with no Spark."""

from collections import Counter
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from credit_spark.adapters.delimited import blocks, stream_of
from credit_spark.cleaning.lines import lines_of, without_head
from credit_spark.cleaning.verdicts import Judge, Judged
from credit_spark.contract import guards
from credit_spark.contract.loading import load_contract
from credit_spark.contract.models import Layout
from credit_spark.ingest.layouts import LayoutError, shape_of

PROJECT = Path(__file__).parents[2]
BOOTCAMP = "bootcamp_lending/lending_data.csv"
TAIWAN = "taiwan_credit_card/UCI_Credit_Card.csv"
STATLOG, KAGGLE = "german_credit/german.data", "german_credit/german_credit_data.csv"
SHARED = ("checking_account", "savings", "housing", "job", "duration_months", "age", "risk")


def judged(path: Path, portfolio: str) -> list[Judged]:
    contract = load_contract(PROJECT / f"conf/portfolios/{portfolio}.yml")
    shape = shape_of(path.read_text().splitlines()[:20], contract)
    judge, found = Judge(contract, date(2026, 1, 1), shape), []
    read = blocks(partial(stream_of, str(path)), len(shape.header), shape.delimiter, "utf-8")
    for nth, fields in enumerate(read):
        lines = fields if nth else without_head(*fields, shape, shape.delimiter)
        found.append(judge.judge(lines_of(*lines, shape.delimiter)))
    return found


def loans(path: Path, portfolio: str) -> pl.DataFrame:
    return pl.concat([block.accepted for block in judged(path, portfolio)])


@pytest.mark.parametrize(
    ("portfolio", "name", "good", "bad"),
    [
        ("bootcamp", BOOTCAMP, 75_036, 2_500),
        ("taiwan_credit_card", TAIWAN, 23_364, 6_636),
        ("german_credit", STATLOG, 700, 300),
        ("german_credit", KAGGLE, 700, 300),
    ],
)
def test_every_line_is_a_loan_with_its_outcome(real_data, portfolio, name, good, bad) -> None:
    found = judged(real_data / name, portfolio)

    outcomes = Counter(each for block in found for each in block.accepted["outcome"])
    assert outcomes == {"good": good, "bad": bad}
    assert sum(block.quarantined.height for block in found) == 0


SUMS = {
    "bootcamp": (BOOTCAMP, {
        "loan_size": "loan_size", "interest_rate": "interest_rate / 100", "accounts": "num_of_accounts",
        "borrower_income": "borrower_income", "debt_to_income": "debt_to_income",
    }),
    "taiwan_credit_card": (TAIWAN, {
        "credit_limit": "LIMIT_BAL", "bill_september": "BILL_AMT1", "bill_april": "BILL_AMT6",
        "paid_april": "PAY_AMT6",
    }),
}  # fmt: skip


@pytest.mark.parametrize("portfolio", SUMS)
def test_sums_and_extremes_are_those_that_duckdb_reads(real_data, duck, portfolio) -> None:
    name, columns = SUMS[portfolio]
    asked = ", ".join(f"sum({sql}), min({sql}), max({sql})" for sql in columns.values())

    found = loans(real_data / name, portfolio)
    ours = [
        figure
        for each in columns
        for figure in (found[each].sum(), found[each].min(), found[each].max())
    ]

    theirs = duck.execute(f"select {asked} from '{real_data / name}'").fetchone()
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_undocumented_codes_stay_categories_of_their_own(real_data) -> None:
    clients = loans(real_data / TAIWAN, "taiwan_credit_card")

    education = Counter(clients["education"])
    assert {code: education[f"code {code}"] for code in (0, 5, 6)} == {0: 14, 5: 280, 6: 51}
    assert education["university"] == 14_030
    assert Counter(clients["marriage"])["code 0"] == 54
    repaid = Counter(clients["repaid_september"])
    assert repaid == {
        "no use": 2759, "paid duly": 5686, "revolving": 14_737, "1 month behind": 3688,
        "2 months behind": 2667, "3 months behind": 322, "4 months or more behind": 141,
    }  # fmt: skip


def test_both_forms_of_the_german_file_say_the_same_of_each_loan(real_data) -> None:
    """They have one order. One line of the first ends in a blank, and stands last in ours."""
    first, second = (loans(real_data / name, "german_credit") for name in (STATLOG, KAGGLE))
    last = 266
    order = [*range(last), *range(last + 1, 1000), last]

    assert first.select(SHARED).equals(second[order].select(SHARED))
    assert first["credit_amount"].equals(second[order]["credit_amount"])
    assert set(first["purpose"]) - set(second["purpose"]) == {"new car", "used car", "retraining"}
    assert second["employed_since"].null_count() == 1000


def test_a_file_with_no_header_is_told_by_its_fields() -> None:
    german = load_contract(PROJECT / "conf/portfolios/german_credit.yml")
    line = " ".join(["A11"] * 21)

    assert shape_of([line], german).layout == "statlog"
    assert shape_of([line], german).delimiter == " "


def test_a_file_with_no_header_and_other_fields_fits_no_layout() -> None:
    german = load_contract(PROJECT / "conf/portfolios/german_credit.yml")
    statlog = {"statlog": german.source.layouts["statlog"]}
    headless = german.model_copy(
        update={"source": german.source.model_copy(update={"layouts": statlog})}
    )

    with pytest.raises(LayoutError, match="first line has 2 fields, not 21 between ' '"):
        shape_of(["A11 6"], headless)
    with pytest.raises(LayoutError, match="first line has 1 fields, not 21 between ' '"):
        shape_of([",".join(["A11"] * 21)], german)


def test_blanks_around_the_first_line_of_a_file_with_no_header_are_no_fields() -> None:
    german = load_contract(PROJECT / "conf/portfolios/german_credit.yml")

    assert shape_of([" " + "  ".join(["A11"] * 21) + " "], german).layout == "statlog"


def test_files_with_no_outcome_yet_or_another_name_for_a_column_are_read() -> None:
    german = load_contract(PROJECT / "conf/portfolios/german_credit.yml")
    taiwan = load_contract(PROJECT / "conf/portfolios/taiwan_credit_card.yml")
    kaggle = ",Age,Sex,Job,Housing,Saving accounts,Checking account,Credit amount,Duration,Purpose"

    assert shape_of([kaggle], german).layout == "kaggle"
    above = ",X1,X2,X3,X4,X5"
    header = "ID,LIMIT_BAL,PAY_1,PAY_2,BILL_AMT1,PAY_AMT1"
    assert shape_of([above, header], taiwan).preamble == (("", "X1", "X2", "X3", "X4", "X5"),)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["id", "amount", "amount"], "no_header: 'amount' stands there more than once"),
        (["id", "rate"], "no_header: it lacks the required 'amount', named amount"),
    ],
)
def test_columns_of_a_file_with_no_header_are_checked_in_the_contract(
    contract, names, said
) -> None:
    layout = Layout(no_header=tuple(names))
    source = contract.source.model_copy(update={"layouts": {"one": layout, "two": layout}})

    found = [*guards.headless(contract.model_copy(update={"source": source}))]

    assert any(said in fault for fault in found), found
    assert any("as many fields as those of 'one'" in fault for fault in found)
