"""The report of a batch and of a training: what stands in it is what the tables say."""

import json
import os
import re
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as oracle_curve

from credit_spark.cli.reports import facts_of, training_facts
from credit_spark.reporting.charts import Chart
from credit_spark.reporting.run_report import report
from credit_spark.reporting.training import training_report
from credit_spark.storage.reader import TableReader
from tests.batches import AS_OF, arrow, run
from tests.projects import PROJECT

BATCH = date.fromisoformat(AS_OF)
OUTSIDE = re.compile(r"""\b(src|href)=["'](?!#|data:)|url\(\s*["']?(?!#)|@import|<script""")
PAPER = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}


@pytest.fixture(scope="module")
def facts(done, lending_club):
    return facts_of(lending_club, TableReader(str(done)), BATCH)


@pytest.fixture(scope="module")
def charts(facts) -> dict[str, Chart]:
    return {each.name: each for section in report(facts).sections for each in section.charts}


@pytest.fixture(scope="module")
def tables(done):
    with duckdb.connect() as connection:
        for name in ("loans", "scores", "quarantine", "metrics", "feature_distribution", "drift"):
            connection.register(name, arrow(done / name))
        yield connection


def test_the_batch_has_written_its_report(done) -> None:
    text = (done / f"reports/{AS_OF}.html").read_text(encoding="utf-8")

    for title in ("This batch", "How good the model is", "Who is declined, and why", "The portfolio",
                  "By vintage", "Changes", "Data quality", "The model", "The run"):  # fmt: skip
        assert f"<h2>{title}</h2>" in text
    assert not OUTSIDE.search(text)
    assert text.count("<svg") == text.count('role="img"') > 15


def test_a_report_is_the_same_whenever_it_is_made(capfd, done, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ("report", "--portfolio", "lending_club", "--warehouse", done.parent, "--as-of", AS_OF)

    told = [run(capfd, *flags, "--out", tmp_path / name) for name in ("a.html", "b.html")]

    assert [each.code for each in told] == [0, 0]
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (done / f"reports/{AS_OF}.html").read_bytes()


def test_every_chart_says_a_sentence_and_is_plain_data(charts) -> None:
    for chart in charts.values():
        assert re.fullmatch(r"[A-Z\d_a-z].*\.", chart.says), chart
        assert json.loads(json.dumps(chart._asdict()))["data"] == chart.data
    assert sum(chart.data is not None for chart in charts.values()) > 15


def test_loans_and_bad_rates_by_grade_are_the_tables(charts, tables) -> None:
    rows = tables.execute("""
        select case when grade in (select label from feature_distribution where subject = 'grade') then grade else '(other)' end, count(*), count(*) filter (old and outcome = 'bad') / nullif(count(*) filter (old and outcome in ('good', 'bad')), 0)
        from (select *, datesub('month', issued_on, as_of) >= 12 as old from loans) group by 1 order by 1
    """).fetchall()  # fmt: skip

    data = charts["segment-grade"].data
    found = sorted(zip(data["labels"], data["loans"], data["rate"], strict=True))
    assert found == [(grade, loans, rate and pytest.approx(rate)) for grade, loans, rate in rows]
    assert all(
        low <= rate <= high
        for low, rate, high in zip(data["low"], data["rate"], data["high"], strict=True)
        if rate is not None
    )


def test_curves_are_scikit_learns(charts, tables) -> None:
    scores = tables.execute(
        "select pd, s.outcome = 'bad' as bad from scores s join loans using (loan_id) where s.outcome in ('good', 'bad') and datesub('month', issued_on, s.as_of) >= 12"
    ).df()
    good, bad, _ = oracle_curve(scores["bad"], scores["pd"])

    data = charts["roc"].data
    for x, y in zip(data["x"], data["series"]["model"], strict=True):
        nearest = abs(good - x).argmin()
        assert y == pytest.approx(
            bad[abs(good - x) <= abs(good[nearest] - x) + 0.002].max(), abs=0.01
        ) or bad[nearest] == pytest.approx(y, abs=0.02)
    assert f"{roc_auc_score(scores['bad'], scores['pd']):.3f}" in charts["roc"].says


def test_reasons_of_declined_loans_are_the_tables(charts, tables) -> None:
    rows = tables.execute("""
        select coalesce(reason_1, 'no reason'), count(*) from scores where decision = 'decline'
        group by 1 order by 2 desc, 1 limit 12
    """).fetchall()  # fmt: skip

    data = charts["reasons"].data
    assert [*zip(data["labels"], data["values"], strict=True)] == [
        (name, float(count)) for name, count in rows
    ]


def test_rules_that_lines_break_are_the_tables(charts, tables) -> None:
    rows = tables.execute("""
        select split_part(reason, ':', 1) as rule, count(*) from (select unnest(reasons) as reason from quarantine)
        group by 1 order by 2 desc, 1
    """).fetchall()  # fmt: skip

    data = charts["quarantine"].data
    assert [*zip(data["labels"], data["values"], strict=True)] == rows
    assert (
        f"{rows[0][0]} fails most often, for {rows[0][1]:,} lines; a line can fail several rules."
        == charts["quarantine"].says
    )


def test_the_balance_is_that_before_and_after_the_strategy(charts, facts) -> None:
    learnt = facts.document.facts

    assert charts["balance"].data["values"] == [learnt.bad / learnt.rows, 0.5]
    assert "class_weight" in charts["balance"].says


def test_the_burden_stands_against_the_amount(charts, tables) -> None:
    data = charts["payment_burden-by-loan_amount"].data
    counts = dict(
        tables.execute(
            "select label, good + bad from feature_distribution where role = 'pair'"
        ).fetchall()
    )

    for row, values in zip(data["rows"], data["values"], strict=True):
        for column, value in zip(data["columns"], values, strict=True):
            assert (value is None) == (counts[f"{row} | {column}"] < 20)


def test_vintages_are_those_old_enough(charts, tables) -> None:
    (months,) = tables.execute("""
        select list_sort(list(distinct strftime(issued_on, '%Y-%m'))) from loans
        where outcome in ('good', 'bad') and datesub('month', issued_on, as_of) >= 12
    """).fetchone()  # fmt: skip

    assert charts["vintages"].data["labels"] == months


def test_charts_are_written_as_pictures_and_data(
    capfd, done, tmp_path, monkeypatch, charts
) -> None:
    monkeypatch.chdir(tmp_path)

    told = run(
        capfd,
        "report",
        "--portfolio",
        "lending_club",
        "--warehouse",
        done.parent,
        "--out",
        "r.html",
        "--charts",
        "charts",
    )

    drawn = {name for name, chart in charts.items() if chart.data}
    assert told.code == 0, told.err
    assert f"{len(drawn)} charts in charts" in told.out
    for kind in ("svg", "png", "json"):
        assert {path.stem for path in Path("charts").glob(f"*.{kind}")} == drawn
    assert json.loads(Path("charts/ks.json").read_text())["data"] == charts["ks"].data
    assert Path("charts/ks.png").read_bytes().startswith(b"\x89PNG")


def test_in_a_browser_every_chart_is_seen_at_any_width(browser, done) -> None:
    for width in (390, 1200):
        browser.set_window_size(width, 900)
        browser.get((done / f"reports/{AS_OF}.html").as_uri())

        sizes = browser.execute_script(
            "return [...document.querySelectorAll('figure svg')].map(e => [e.clientWidth, e.clientHeight])"
        )
        assert len(sizes) > 15
        assert all(0 < wide <= width and high > 50 for wide, high in sizes)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))
    if os.environ.get("WRITE_PICTURES"):
        browser.set_window_size(1100, 1250)
        browser.save_screenshot(str(PROJECT / "docs/report.png"))


def test_on_paper_it_has_some_pages(browser, done) -> None:
    import base64

    browser.get((done / f"reports/{AS_OF}.html").as_uri())
    paper = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", PAPER)["data"])

    assert paper.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) <= 25


def test_a_training_has_its_own_report(capfd, done, tmp_path, monkeypatch, lending_club) -> None:
    monkeypatch.chdir(tmp_path)
    told = run(
        capfd,
        "report",
        "--training",
        "--portfolio",
        "lending_club",
        "--warehouse",
        done.parent,
        "--as-of",
        AS_OF,
        "--out",
        "t.html",
    )
    found = training_report(training_facts(lending_club, TableReader(str(done)), BATCH))
    metrics = arrow(done / "metrics").to_pylist()

    assert told.code == 0, told.err
    text = Path("t.html").read_text(encoding="utf-8")
    assert not OUTSIDE.search(text)
    parts = {section.title: section for section in found.sections}
    auc = next(
        row["value"]
        for row in metrics
        if (row["dataset"], row["metric"], row["label"]) == ("cv", "auc_mean", "all")
    )
    (row,) = parts["Imbalance strategies side by side"].tables[0].rows
    assert row[0] == "class_weight"
    assert f"{auc:.3f}" in row
    folds = {
        row["fold"]: row["value"]
        for row in metrics
        if (row["dataset"], row["metric"], row["label"]) == ("cv", "auc", "all")
        and row["fold"] is not None
    }
    assert parts["Folds"].charts[0].data["series"]["class_weight"] == [
        folds[nth] for nth in sorted(folds)
    ]
    assert parts["Gates"].says.startswith("0 of 3 gates failed")
    assert len(parts["Coefficients"].charts) == 1
    assert "<h2>Information value</h2>" in text


EVIDENCE = """
    select subject, label, baseline as loans, baseline_bad as bad,
        ln((baseline_bad + 0.5) / (baseline - baseline_bad
            + 0.5 * sum(baseline - baseline_bad) over all_bins / sum(baseline_bad) over all_bins))
        - ln(sum(baseline_bad) over all_bins
            / sum(baseline - baseline_bad) over all_bins) as woe
    from feature_distribution where role = 'feature' and baseline > 0
    window all_bins as (partition by subject)
"""


def test_information_values_are_those_of_the_loans_learnt_from(done, lending_club, tables) -> None:
    found = training_report(training_facts(lending_club, TableReader(str(done)), BATCH))
    (section,) = (each for each in found.sections if each.title == "Information value")
    values, *features = section.tables
    expected = tables.execute(f"select * from ({EVIDENCE}) order by subject, label").fetchall()

    shown = {(each.head[0], row[0]): row[1:4] for each in features for row in each.rows}
    assert shown == {
        (subject, label): (f"{loans:,}", f"{bad / loans:.1%}", f"{woe:+.3f}")
        for subject, label, loans, bad, woe in expected
    }
    numbers = [float(value) for _, value, _ in values.rows]
    assert numbers == sorted(numbers, reverse=True)
    assert [name for name, *_ in values.rows] == [each.head[0] for each in features]
    assert {word for *_, word in values.rows} <= {"useless", "weak", "medium", "strong"}
    assert {name for name, *_ in values.rows} == {*lending_club.features}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--as-of", "2001-01-01"), "the batch of 2001-01-01 is not complete"),
        (("--as-of", "2001-01-01", "--training"), "no model was fitted on 2001-01-01"),
        (("--warehouse", "nowhere"), "there is no table"),
        (("--out", "missing/folder/x.html"), None),
    ],
)  # fmt: skip
def test_what_cannot_be_reported_is_said(capfd, done, tmp_path, monkeypatch, more, said) -> None:
    monkeypatch.chdir(tmp_path)
    told = run(capfd, "report", "--portfolio", "lending_club", "--warehouse", done.parent, *more)

    if said is None:
        assert told.code == 0
        assert Path("missing/folder/x.html").is_file()
    else:
        assert told.code == 2
        assert said in told.err
        assert "Traceback" not in told.err
