"""Commands that only read: what they print is what the tables say, and they start no Java."""

import csv
import io
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import deltalake
import duckdb
import pytest
from delta.tables import DeltaTable

from credit_spark.evaluation.curves import curve, cutoff
from credit_spark.evaluation.score_bins import ScoreBin
from tests.batches import arrow, run
from tests.projects import changed_project, without_open_accounts


@pytest.fixture
def look(capfd, done, tmp_path, monkeypatch):
    """Runs a command on the first batch's tables."""
    monkeypatch.chdir(tmp_path)

    def command(*words: object):
        return run(capfd, *words, "--portfolio", "lending_club", "--warehouse", done.parent)

    return command


@pytest.fixture(scope="module")
def scores(done) -> list[dict]:
    return arrow(done / "scores").to_pylist()


@pytest.fixture(scope="module")
def known(done, scores) -> dict[str, str]:
    """The outcomes that count, by loan: of those that are a year old, as the contract has it."""
    issued_on = {row["loan_id"]: row["issued_on"] for row in arrow(done / "loans").to_pylist()}
    found = {
        row["loan_id"]: row["outcome"]
        for row in scores
        if row["outcome"] in ("good", "bad")
        and (issued_on[row["loan_id"]] or date.max) <= date(2011, 1, 31)
    }
    assert 0 < len(found) < sum(row["outcome"] in ("good", "bad") for row in scores)
    return found


def test_an_explanation_adds_up_to_the_points(look, scores) -> None:
    row = next(row for row in scores if row["decision"] == "decline")

    told = look("explain", row["loan_id"])
    parts = look("explain", row["loan_id"], "--as-of", "2012-01-31", "--json").summary["parts"]

    assert told.code == 0, told.err
    assert f"{row['points']} points, band {row['band']}" in told.out
    assert row["reason_1"] in told.out
    assert round(sum(part["points"] for part in parts), 6) == row["points"]
    shown = [float(each) for each in re.findall(r"│ +([+-]?\d+\.\d) +│[ #|]*│", told.out)]
    assert shown == [part["points"] for part in parts]
    costs = sorted(part["points"] for part in parts[1:])
    assert costs[0] < 0


def test_the_scorecard_gives_a_loan_its_points(look, done, scores) -> None:
    """By hand: the base, and a level's or a number's points each, as anyone would add them."""
    told = look("scorecard", "--csv")
    rows = list(csv.DictReader(io.StringIO(told.out)))
    base = float(rows[0]["points"])
    levels = {(row["feature"], row["level"]): float(row["points"]) for row in rows}
    loans = {row["loan_id"]: row for row in arrow(done / "loans").to_pylist()}

    for score in scores[:15]:
        answer = look("explain", score["loan_id"], "--json").summary
        by_feature = {part["feature"]: part for part in answer["parts"]}
        assert by_feature["base"]["points"] == pytest.approx(base, abs=0.1)
        home = loans[score["loan_id"]]["home_ownership"]
        assert by_feature["home_ownership"]["points"] == pytest.approx(
            levels["home_ownership", home], abs=0.1
        )


def test_one_of_the_ways_to_print_is_asked_for(look) -> None:
    told = look("scorecard", "--csv", "--json")

    assert (told.code, told.out) == (2, "")
    assert "--csv and --json: ask for one of them" in told.err


def test_what_if_counts_as_the_scores_do(look, scores, known) -> None:
    told = look("what-if", "--approve-below", "0.08", "--json").summary

    own, asked = told["cutoffs"]
    assert own["approved"] == sum(row["decision"] == "approve" for row in scores)
    # A score bin is a thousandth of log-odds wide.
    exact = sum(row["pd"] < 0.08 for row in scores)
    assert asked["approved"] == pytest.approx(exact, abs=3)
    approved = [row for row in scores if row["pd"] < 0.08]
    assert asked["expected_rate"] == pytest.approx(
        sum(row["pd"] for row in approved) / len(approved), rel=0.01
    )
    outcomes = [known[row["loan_id"]] for row in approved if row["loan_id"] in known]
    bad_rate = outcomes.count("bad") / len(outcomes)
    assert asked["observed_rate"] == pytest.approx(bad_rate, rel=0.01)
    shares = [each["share"] for each in told["curve"]]
    assert shares == sorted(shares)
    assert len(shares) == 19
    assert f"{own['approved']:,}" in look("what-if").out


def test_what_if_adds_up_the_expected_loss(look, done, scores) -> None:
    own, asked = look("what-if", "--approve-below", "0.08", "--json").summary["cutoffs"]
    lent = {row["loan_id"]: row["loan_amount"] for row in arrow(done / "loans").to_pylist()}

    def loss(bound: float) -> float:
        return sum(0.61 * row["pd"] * lent[row["loan_id"]] for row in scores if row["pd"] < bound)

    # Its own cut-off parts no score bin; another may part one.
    assert own["expected_loss"] == pytest.approx(loss(0.12), rel=1e-9)
    assert asked["expected_loss"] == pytest.approx(loss(0.08), rel=0.002)
    assert f"{own['expected_loss']:,.0f}" in look("what-if").out
    assert all(
        row["expected_loss"] == pytest.approx(0.61 * row["pd"] * lent[row["loan_id"]])
        for row in scores
    )


def test_the_loss_of_another_exposure_is_unknown_until_a_run(look, tmp_path) -> None:
    project = changed_project(tmp_path, "exposure: loan_amount", "exposure: instalment")

    last, next_ = look("what-if", "--json", "--project", project).summary["cutoffs"]

    assert (last["label"], next_["label"]) == ("last", "next")
    assert last["expected_loss"] > 0
    assert next_["expected_loss"] is None
    assert next_["approved"] == last["approved"]
    assert "unknown" in look("what-if", "--project", project).out


def test_no_cutoff_approves_every_loan(look) -> None:
    """Whatever its PD, one that a hard rule declines is not approved."""
    told = look("what-if", "--approve-below", "1")

    assert (told.code, told.out) == (2, "")


def test_a_cutoff_of_no_loan_is_undefined_and_a_curve_has_every_loan_once() -> None:
    score_bins = [ScoreBin(nth * 10 - 3000, 600, 3, 1, 1) for nth in range(400)]

    assert cutoff(score_bins, 1e-9)[1:] == (0, 0.0, None, None, None)
    assert cutoff(score_bins, 1e-9, {-3000: 5.0}).expected_loss == 0
    assert cutoff(score_bins, 1.0, {-3000: 5.0, -2990: 0.5}).expected_loss == 5.5
    assert cutoff(score_bins, 1.0).approved == 2000
    assert cutoff(score_bins, 1.0).observed_rate == 0.25
    assert [round(each.share, 2) for each in curve(score_bins)] == [
        nth / 20 for nth in range(1, 20)
    ]
    assert curve([]) == []


def test_an_export_is_run_as_it_is_printed(look, done, scores) -> None:
    told = look("export", "--dialect", "duckdb")

    with duckdb.connect() as connection:
        connection.register("loans", arrow(done / "loans"))
        rows = connection.sql(told.out).fetch_arrow_table().to_pylist()

    assert {row["loan_id"]: row["points"] for row in rows} == {
        row["loan_id"]: row["points"] for row in scores
    }
    assert look("export", "--dialect", "postgres").out.count("DOUBLE PRECISION") > 10


def test_a_model_as_pmml_gives_the_batches_scores(look, done, scores, evaluated) -> None:
    told, loans = look("export", "--dialect", "pmml"), arrow(done / "loans")

    found = dict(zip(loans["loan_id"].to_pylist(), evaluated(told.out, loans), strict=True))

    for row in scores:
        score = found[row["loan_id"]]
        assert score["pd"] == pytest.approx(row["pd"], abs=1e-12)
        assert [score[name] for name in ("points", "band", "decision")] == [
            row[name] for name in ("points", "band", "decision")
        ]


def test_the_last_batches_are_told_a_line_each(look, done) -> None:
    (row,) = arrow(done / "runs").to_pylist()
    figures = {
        each["metric"]: each["value"]
        for each in arrow(done / "metrics").to_pylist()
        if each["dataset"] == "batch" and each["label"] == each["segment"] == "all"
    }

    (told,) = look("status", "--json").summary

    assert told["as_of"] == "2012-01-31"
    assert (told["status"], told["read"]) == ("complete", row["rows_read"])
    assert (told["accepted"], told["quarantined"]) == (
        row["rows_accepted"],
        row["rows_quarantined"],
    )
    assert (told["ks"], told["auc"]) == (figures["ks"], figures["auc"])
    assert told["seconds"] > 1
    assert told["newest_run"] == "complete"
    assert "complete" in look("status").out


def test_a_batches_bands_and_metrics_are_shown(look, scores, known, done) -> None:
    bands = look("show", "bands", "--json").summary

    assert [each["band"] for each in bands] == ["A", "B", "C", "D", "E"]
    for each in bands:
        own = [row for row in scores if row["band"] == each["band"]]
        assert each["loans"] == len(own)
        assert each["bad"] == sum(known.get(row["loan_id"]) == "bad" for row in own)
        assert each["open"] == sum(row["loan_id"] not in known for row in own)
        assert each["mean_pd"] == pytest.approx(sum(row["pd"] for row in own) / len(own))
    lines = list(csv.DictReader(io.StringIO(look("show", "metrics", "--csv").out)))
    unfolded = [row for row in arrow(done / "metrics").to_pylist() if row["fold"] is None]
    assert len(lines) == len(unfolded)
    assert "pd_tenth=10" in {line["segment"] for line in lines}
    assert look("show", "metrics").out.count("\n") > len(lines)


def test_the_evidence_of_the_dates_model_is_shown(look, done) -> None:
    rows = look("show", "evidence", "--json").summary
    distributions = [
        row for row in arrow(done / "feature_distribution").to_pylist() if row["role"] == "feature"
    ]

    assert {(row["feature"], row["bin"]): (row["loans"], row["bad"]) for row in rows} == {
        (row["subject"], row["label"]): (row["baseline"], row["baseline_bad"])
        for row in distributions
    }
    values = {}
    for row in rows:
        values[row["feature"]] = values.get(row["feature"], 0.0) + row["iv"]
        if row["loans"]:
            assert row["bad_rate"] == row["bad"] / row["loans"]
        else:
            assert (row["bad_rate"], row["woe"], row["iv"]) == (None, None, 0)
    assert [*values.values()] == sorted(values.values(), reverse=True)
    lines = list(csv.DictReader(io.StringIO(look("show", "evidence", "--csv").out)))
    assert [*lines[0]] == ["feature", "bin", "loans", "bad", "bad_rate", "woe", "iv"]
    assert len(lines) == len(rows)
    assert look("show", "evidence").out.count("\n") > len(rows)


def test_fits_are_listed_with_their_status(look, done) -> None:
    rows = look("models", "--json").summary

    kept = sorted(arrow(done / "models").to_pylist(), key=lambda row: row["model_version"])
    assert [(row["model"], row["status"], row["imbalance"]) for row in rows] == [
        (row["model_version"], row["status"], row["imbalance"]) for row in kept
    ]
    champion = next(row for row in rows if row["status"] == "champion")
    assert champion["champion_from"] == champion["fitted_as_of"] == "2012-01-31"
    assert (champion["by"], champion["failed_gates"]) == ("credit-spark nightly", "")
    assert champion["model"] in look("models").out


def test_a_loan_in_quarantine_is_told_with_its_rules_and_no_value(look, done) -> None:
    scored = {row["loan_id"] for row in arrow(done / "scores").to_pylist()}
    kept = [row for row in arrow(done / "quarantine").to_pylist() if row["loan_id"] not in scored]
    broken = next(
        row for row in kept if row["loan_id"] and any(":" in each for each in row["reasons"])
    )
    rule, _, value = next(each for each in broken["reasons"] if ":" in each).partition(": ")

    told = look("explain", broken["loan_id"])

    assert told.code == 2
    assert "it is in quarantine, by " in told.sentence
    assert rule in told.sentence
    assert value not in told.sentence.replace(broken["loan_id"], "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "nobody"), "there is no loan 'nobody' among the scores of 2012-01-31"),
        (("explain", "1", "--as-of", "2011-01-31"), "the batch of 2011-01-31 is not complete"),
        (("scorecard", "--model", "abc"), "there is no model 'abc'"),
        (("scorecard", "--as-of", "2011-01-31"), "there are no scores of 2011-01-31"),
        (("what-if", "--as-of", "2011-01-31"), "there are no scores of 2011-01-31"),
        (("show", "metrics", "--as-of", "2011-01-31"), "the batch of 2011-01-31 has no metrics"),
        (("show", "evidence", "--as-of", "2011-01-31"), "there are no scores of 2011-01-31"),
        (("show", "bands", "--as-of", "2011-01-31"), "the batch of 2011-01-31 has no bands"),
        (("serve", "--host", "nowhere.invalid", "--token", "x"), "nowhere.invalid:8000 cannot be served on"),
        (("serve", "--host", "0.0.0.0"), "0.0.0.0 can be reached by others: give a --token"),
        (("serve", "--host", "192.0.2.1", "--token", "x"), "192.0.2.1:8000 cannot be served on"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(look, words, said) -> None:
    told = look(*words)

    assert told.code == 2
    assert said in told.sentence


@pytest.mark.parametrize(
    ("words", "table"),
    [
        (("show", "bands"), "scores"),
        (("what-if",), "scores"),
        (("explain", "{loan}"), "loans"),
        (("show", "metrics"), "metrics"),
        (("report",), "quarantine"),
    ],
)
def test_a_table_whose_file_is_gone_is_told(capfd, again, scores, words, table) -> None:
    for file in (again / "lending_club" / table).rglob("*.parquet"):
        file.unlink()

    words = [each.format(loan=scores[0]["loan_id"]) for each in words]
    told = run(capfd, *words, "--portfolio", "lending_club", "--warehouse", again)

    assert told.code == 2
    assert f"'{table}'" in told.sentence
    assert "cannot be read" in told.sentence
    assert "Traceback" not in told.err


def test_a_table_that_another_program_has_rewritten_is_told(capfd, again, scores) -> None:
    """Of delta-rs, whose texts pyarrow cannot filter."""
    rewritten = deltalake.DeltaTable(again / "lending_club/loans")
    rewritten.delete(f"loan_id = '{scores[0]['loan_id']}'")

    words = ("explain", scores[1]["loan_id"], "--portfolio", "lending_club", "--warehouse", again)
    told = run(capfd, *words)

    assert told.code == 2
    assert "was rewritten without Spark; run 'credit-spark nightly' again" in told.sentence


def test_a_loan_whose_data_was_deleted_is_told(spark, capfd, again, scores) -> None:
    loan = scores[0]["loan_id"]
    DeltaTable.forPath(spark, str(again / "lending_club/loans")).delete(f"loan_id = '{loan}'")

    told = run(capfd, "explain", loan, "--portfolio", "lending_club", "--warehouse", again)

    assert told.code == 2
    assert "the loan has a score of 2012-01-31, and no row in 'loans' any more" in told.sentence


@pytest.mark.parametrize("dialect", ["pmml", "spark"])
def test_a_model_that_reads_what_the_contract_lacks_is_told(look, tmp_path, dialect) -> None:
    project = without_open_accounts(tmp_path)

    told = look("export", "--dialect", dialect, "--project", project)

    assert (told.code, told.out) == (2, "")
    assert "the contract lacks columns that the model" in told.sentence
    assert "open_accounts" in told.sentence


def test_a_loan_is_explained_as_it_was_scored(look, scores, tmp_path) -> None:
    """Also where the contract has lost a column that the model reads."""
    words = ("explain", scores[0]["loan_id"], "--json")

    told = look(*words, "--project", without_open_accounts(tmp_path))

    assert told.code == 0, told.err
    assert told.summary == look(*words).summary
    assert "open_accounts" in {each["feature"] for each in told.summary["parts"]}


def test_an_export_says_what_the_contract_has_otherwise(look, tmp_path) -> None:
    project = changed_project(tmp_path, '"least(public_records, 3)"', '"least(public_records, 2)"')

    told = look("export", "--dialect", "duckdb", "--project", project)

    assert told.code == 0
    assert "features.public_records: it was" in told.err
    assert told.out.startswith("-- lending_club: model ")


def test_a_warehouse_that_is_empty_is_told(capfd, tmp_path) -> None:
    told = run(capfd, "explain", "1", "--portfolio", "lending_club", "--warehouse", tmp_path)

    assert told.code == 2
    assert "run 'credit-spark nightly' first, or name the right --warehouse" in told.sentence
    told = run(capfd, "models", "--portfolio", "lending_club", "--warehouse", tmp_path)
    assert (told.code, told.out) == (2, "")
    assert "there is no model at " in told.sentence


def test_no_java_is_started(done) -> None:
    code = (
        "import sys, pyspark; from credit_spark.cli.commands import main; code = main(sys.argv[1:]); "
        "from pyspark import SparkContext; sys.exit(code or SparkContext._gateway is not None)"
    )
    words = ["scorecard", "--portfolio", "lending_club", "--warehouse", str(done.parent), "--json"]

    told = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)[0]["feature"] == "base"
    assert Path(done).is_dir()
