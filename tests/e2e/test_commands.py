"""A batch of sample loans, by the commands that an operator gives."""

import gzip
import re
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from credit_spark.cli.sample import write_sample
from credit_spark.config.tables import tables
from tests.batches import AS_OF, ROWS, arrow, contents, rows_of, run
from tests.projects import changed_project

# Jobs of Spark in a run that only scores: a bound that a new scan in a loop breaks.
MAX_JOBS = 200

pytestmark = pytest.mark.usefixtures("spark", "elsewhere")

WHO = ("--by", "A. Head", "--reason", "a try")


def test_every_line_of_the_sample_is_accounted_for(done) -> None:
    (row,) = arrow(done / "runs").to_pylist()
    kept = {name: arrow(done / name).num_rows for name in ("loans", "quarantine", "scores")}

    assert row["status"] == "complete"
    assert row["rows_accepted"] == kept["loans"] == kept["scores"]
    assert row["rows_quarantined"] == kept["quarantine"]
    assert row["rows_superseded"] > 0
    assert row["rows_read"] == sum(
        row[f"rows_{each}"] for each in ("accepted", "quarantined", "superseded")
    )
    assert row["rows_read"] > ROWS


def test_every_kind_of_dirt_is_found(done) -> None:
    broken = {
        reason.split(":")[0]
        for row in arrow(done / "quarantine").to_pylist()
        for reason in row["reasons"]
    }

    assert {
        "line_has_the_fields_of_its_header",
        "key_is_present",
        "loan_amount_is_readable",
        "loan_amount_is_within_range",
        "interest_rate_is_readable",
        "annual_income_is_present",
        "term_months_is_one_of_its_set",
        "outcome_is_known",
    } <= broken


def test_the_scores_are_near_the_true_probabilities(done, landing) -> None:
    """Not nearer: the truth has noise that no feature shows, and a fit of 2,000 loans its own."""
    truth = pq.read_table(landing / "_truth" / f"{AS_OF}.parquet").to_pydict()
    true_pd = dict(zip(truth["id"], truth["true_pd"], strict=True))
    scores = arrow(done / "scores").to_pydict()
    pairs = [(true_pd[each], pd) for each, pd in zip(scores["loan_id"], scores["pd"], strict=True)]
    true, ours = np.array(pairs).T

    assert ours.mean() == pytest.approx(true.mean(), rel=0.1)
    assert np.corrcoef(true, ours)[0, 1] > 0.75


def test_every_table_has_the_declared_columns(done, lending_club) -> None:
    for table in tables(lending_club):
        stamps = {"run_id", "as_of"} if table.is_partitioned else {"run_id"}
        assert set(arrow(done / table.name).column_names) == set(table.columns) | stamps


def test_the_same_batch_twice_is_the_same_tables(run_command, done, tmp_path) -> None:
    warehouse = tmp_path / "again"
    shutil.copytree(done, warehouse / "lending_club")

    assert run_command("nightly", warehouse).code == 0

    assert contents(warehouse / "lending_club") == contents(done)
    assert len(rows_of(warehouse / "lending_club/runs")) == 2


@pytest.mark.release
def test_steps_taken_alone_make_the_same_batch(run_command, done, tmp_path) -> None:
    codes = [
        run_command(step, tmp_path / "steps", *(WHO if step == "promote" else ())).code
        for step in ("clean", "validate", "train", "promote", "score", "measure", "monitor")
    ]

    assert codes == [0] * 7
    assert contents(tmp_path / "steps/lending_club") == contents(done)


def test_a_later_batch_only_scores_and_leaves_the_first_as_it_was(done, second) -> None:
    assert "train" not in second.summary
    assert second.jobs <= MAX_JOBS
    commits = {name: commits_of(second.tables / name) for name in contents(done)}
    more = {name for name in commits if commits[name] > commits_of(done / name)}
    assert more == commits.keys() - {"models"}
    after = contents(second.tables)
    for name, before in contents(done).items():
        assert set(before) <= set(after[name])
    dates = {row["as_of"] for row in arrow(second.tables / "scores").to_pylist()}
    assert dates == {date(2012, 1, 31), date(2012, 2, 29)}
    assert arrow(second.tables / "models").num_rows == 1


def commits_of(table: Path) -> int:
    return len(list((table / "_delta_log").glob("*.json")))


@pytest.mark.release
def test_the_summary_is_for_a_person(run_command, done, tmp_path) -> None:
    warehouse = tmp_path / "metrics_file"
    shutil.copytree(done, warehouse / "lending_club")

    told = run_command("nightly", warehouse, "--retrain")

    for words in ("records read", "accepted", "quarantined", "loan_amount_is_readable", "cross-validation",
                  "KS", "AUC", "approve", "review", "decline", str(warehouse / "lending_club")):  # fmt: skip
        assert words in told.out


def test_metrics_have_folds_mean_spread_out_of_time_and_this_batch(done) -> None:
    rows = arrow(done / "metrics").to_pylist()
    seen = {(row["dataset"], row["fold"], row["metric"]) for row in rows}

    assert {("cv", fold, "ks") for fold in range(5)} <= seen
    assert {("cv", None, "ks_mean"), ("cv", None, "ks_sd"), ("cv", None, "ks")} <= seen
    for dataset in ("train", "out_of_time", "batch"):
        for metric in (
            "ks",
            "auc",
            "gini",
            "brier",
            "log_loss",
            "calibration_slope",
            "iba",
            "support",
        ):
            assert (dataset, None, metric) in seen


def test_a_model_that_fails_its_gates_is_not_promoted(run_command, done, tmp_path) -> None:
    two_folds = ("folds: 5", "folds: 2")
    project = changed_project(tmp_path, "auc: [0.6, 0.95]", "auc: [0.9, 0.95]", two_folds)

    told = run_command("nightly", tmp_path / "gated", "--project", project)

    assert told.code == 11
    assert "may not go live" in told.sentence
    assert "out_of_time.auc" in told.sentence
    warehouse = tmp_path / "gated/lending_club"
    assert not (warehouse / "scores").exists()
    assert [row["status"] for row in arrow(warehouse / "models").to_pylist()] == ["challenger"]
    assert arrow(warehouse / "runs").to_pylist()[0]["status"] == "stopped"


@pytest.mark.release
def test_where_there_is_a_champion_a_failed_fit_leaves_it(run_command, done, tmp_path) -> None:
    project = changed_project(tmp_path, "auc: [0.6, 0.95]", "auc: [0.9, 0.95]")
    shutil.copytree(done, tmp_path / "kept/lending_club")

    told = run_command("nightly", tmp_path / "kept", "--project", project, "--retrain", "--json")

    assert told.code == 0
    assert told.summary["kept"]["model_version"] == told.summary["score"]["model_version"]


def test_a_failed_suite_stops_the_batch_and_scores_nothing(run_command, done, tmp_path) -> None:
    project = changed_project(tmp_path)
    suite = project / "expectations/lending_club/loans.json"
    text = suite.read_text(encoding="utf-8")
    suite.write_text(
        text.replace('"min_value": 0.02, "max_value": 0.4', '"min_value": 0.5, "max_value": 0.6'),
        encoding="utf-8",
    )

    told = run_command("nightly", tmp_path / "stopped", "--project", project)

    assert told.code == 11
    assert (
        "expect_column_mean_to_be_between (column is_bad, min_value 0.5, max_value 0.6)"
        in told.sentence
    )
    assert "observed value 0.1" in told.sentence
    assert not (tmp_path / "stopped/lending_club/scores").exists()


def test_scores_that_fail_their_suite_are_not_written(run_command, done, tmp_path) -> None:
    project = changed_project(tmp_path)
    suite = project / "expectations/lending_club/scores.json"
    suite.write_text(
        suite.read_text(encoding="utf-8").replace('"max_value": 0.4}', '"max_value": 0.04}'),
        encoding="utf-8",
    )
    shutil.copytree(done, tmp_path / "unwritten/lending_club")
    before = rows_of(done / "scores")

    told = run_command("score", tmp_path / "unwritten", "--project", project)

    assert told.code == 11
    assert "expect_column_mean_to_be_between (column pd" in told.sentence
    assert rows_of(tmp_path / "unwritten/lending_club/scores") == before


@pytest.mark.release
def test_where_loans_fail_their_suite_no_score_is_written(run_command, done, tmp_path) -> None:
    """Both suites fail: the one of loans is reported."""
    project = changed_project(tmp_path)
    for name, old, new in (
        ("loans", '"min_value": 0.02, "max_value": 0.4', '"min_value": 0.5, "max_value": 0.6'),
        ("scores", '"max_value": 0.4}', '"max_value": 0.04}'),
    ):
        suite = project / f"expectations/lending_club/{name}.json"
        suite.write_text(suite.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    scores = tmp_path / "w/lending_club/scores"
    shutil.copytree(done, scores.parent)

    told = run_command("nightly", tmp_path / "w", "--project", project)

    assert told.code == 11
    assert "the loans of 2012-01-31 fail 1 expectation(s)" in told.sentence
    assert rows_of(scores) == rows_of(done / "scores")
    names = [
        sorted(each.name for each in at.rglob("*.parquet")) for at in (scores, done / "scores")
    ]
    assert names[0] == names[1]


@pytest.fixture
def answer(tmp_path, done):
    """A lender that calls the status known at application, and makes a feature of it."""

    def project(accepted: str) -> Path:
        folder = changed_project(
            tmp_path, "[loan_status], kind: category, known: outcome",
            "[loan_status], kind: category, known: application",
        )  # fmt: skip
        path = folder / "conf/portfolios/lending_club.yml"
        text, fico = path.read_text(encoding="utf-8"), 'fico:                  {sql: "fico"'
        assert fico in text
        sql = "case when loan_status = 'Fully Paid' then 1 else 0 end"
        path.write_text(text.replace(fico, f'fico: {{{accepted}sql: "{sql}"'), encoding="utf-8")
        shutil.copytree(done, tmp_path / "w/lending_club")
        return folder

    return project


@pytest.mark.release
def test_a_feature_that_is_the_answer_is_refused(run_command, answer, tmp_path) -> None:
    told = run_command("train", tmp_path / "w", "--project", answer(""))

    assert told.code == 2
    assert "features.fico: it separates good from bad almost alone (AUC 0.9" in told.sentence
    assert arrow(tmp_path / "w/lending_club/models").num_rows == 1


@pytest.mark.release
def test_a_leak_that_the_contract_accepts_is_left_to_the_gates(
    run_command, answer, tmp_path
) -> None:
    project = answer("accepted_leak: for this test, ")

    told = run_command("train", tmp_path / "w", "--project", project, "--json")

    assert told.code == 0
    assert "out_of_time.auc" in told.summary["train"]["failed_gates"][0]


@pytest.mark.release
def test_a_refusal_after_something_was_written_is_in_runs(run_command, answer, tmp_path) -> None:
    told = run_command("nightly", tmp_path / "w", "--project", answer(""), "--retrain")

    assert told.code == 2
    ends = [row["status"] for row in arrow(tmp_path / "w/lending_club/runs").to_pylist()]
    assert sorted(ends) == ["complete", "stopped"]


@pytest.mark.release
def test_a_backfill_in_a_loop_and_again_gives_the_same_tables(run_command, tmp_path) -> None:
    warehouse = tmp_path / "filled"

    def filled() -> dict[str, list[str]]:
        for day in ("2012-01-31", "2012-02-29"):
            assert run_command("nightly", warehouse, as_of=day).code == 0
        return contents(warehouse / "lending_club")

    assert filled() == filled()


@pytest.mark.release
def test_a_fit_is_the_same_in_another_warehouse(run_command, done, tmp_path) -> None:
    told = run_command("nightly", tmp_path / "other", "--json")

    assert told.code == 0
    assert contents(tmp_path / "other/lending_club") == contents(done)


@pytest.mark.parametrize("step", ["validate", "train", "score", "measure"])
def test_a_batch_that_was_not_cleaned_is_told(run_command, done, tmp_path, step) -> None:
    shutil.copytree(done, tmp_path / "w/lending_club")

    told = run_command(step, tmp_path / "w", as_of="2012-02-29")

    assert told.code == 2
    assert "run '" in told.sentence
    assert "of 2012-02-29 in" in told.sentence


@pytest.mark.release
def test_too_few_outcomes_leave_the_champion_there_is(run_command, capfd, done, tmp_path) -> None:
    shutil.copytree(done, tmp_path / "w/lending_club")
    young = tmp_path / "young/2012-03-31"
    young.mkdir(parents=True)
    header, *lines = SOUND_CSV.splitlines()
    many = [line.replace("900", str(1000 + n), 1) for n in range(150) for line in lines]
    (young / "a.csv").write_text("\n".join([header, *many]) + "\n", encoding="utf-8")
    flags = (
        "--portfolio",
        "lending_club",
        "--as-of",
        "2012-03-31",
        "--landing",
        tmp_path / "young",
    )

    told = run(capfd, "nightly", *flags, "--warehouse", tmp_path / "w", "--retrain", "--json")

    assert told.code == 0, told.err
    assert told.summary["kept"]["model_version"] == told.summary["score"]["model_version"]
    assert told.summary["validate loans"] == {"failed": []}
    assert told.summary["measure"]["known_outcomes"] == 0


def test_a_batch_with_no_suite_says_so(run_command, done, tmp_path) -> None:
    project = changed_project(tmp_path)
    shutil.rmtree(project / "expectations")
    shutil.copytree(done, tmp_path / "w/lending_club")

    told = run_command("validate", tmp_path / "w", "--project", project)

    assert told.code == 0
    assert "none: there is no suite at" in told.out


def test_a_suite_that_cannot_be_run_stops_before_anything_is_cleaned(run_command, tmp_path) -> None:
    project = changed_project(tmp_path)
    suite = project / "expectations/lending_club/scores.json"
    text = suite.read_text(encoding="utf-8")
    suite.write_text(text.replace('"column": "pd"', '"column": "pds"', 1), encoding="utf-8")

    told = run_command("nightly", tmp_path / "w", "--project", project)

    assert told.code == 2
    assert "there is no column 'pds'; did you mean 'pd'?" in told.sentence
    assert not (tmp_path / "w/lending_club/loans").exists()


@pytest.mark.release
def test_every_strategy_is_trained_and_tested_on_the_same_folds(
    run_command, done, tmp_path
) -> None:
    shutil.copytree(done, tmp_path / "all/lending_club")

    told = run_command("train", tmp_path / "all", "--imbalance", "all", "--json")

    assert told.code == 0, told.err
    fits = {fit["imbalance"]: fit for fit in told.summary["train"]["strategies"]}
    assert set(fits) == {"none", "class_weight", "oversample", "smote"}
    figures = [
        row
        for row in arrow(tmp_path / "all/lending_club/metrics").to_pylist()
        if row["fold"] is None and row["label"] == row["segment"] == "all"
    ]
    for imbalance, fit in fits.items():
        own = {
            (row["dataset"], row["metric"]): row["value"]
            for row in figures
            if row["imbalance"] == imbalance and row["model_version"] == fit["model_version"]
            if row["threshold"] == (0.5 if row["metric"] == "accuracy" else None)
        }
        for dataset in ("cv", "out_of_time"):
            for metric, value in fit[dataset].items():
                assert own[dataset, metric] == value
        # 2,000 loans: the ratio's own error is some 5 in 100.
        assert 0.8 < fit["out_of_time"]["mean_pd_over_observed"] < 1.25
    tested = {
        (row["dataset"], row["imbalance"]): row["rows"] for row in figures if row["metric"] == "auc"
    }
    assert len({tested["cv", imbalance] for imbalance in fits}) == 1


@pytest.mark.release
def test_strategies_stand_beside_each_other_for_a_person(run_command, done, tmp_path) -> None:
    shutil.copytree(done, tmp_path / "two/lending_club")

    told = run_command("train", tmp_path / "two", "--imbalance", "none, class_weight")

    assert told.code == 0, told.err
    assert re.search(
        r"none +0\.\d{3} ± 0\.\d{3} +0\.\d{3} ± 0\.\d{3}( +0\.\d{3}){2} +\d\.\d{3}"
        r"( +0\.\d{3} > 0\.\d{3}){2}  ",
        told.out,
    )
    assert "class_weight" in told.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("none,smoke", "there is no imbalance strategy 'smoke'; did you mean 'smote'?"),
        ("", "there is no imbalance strategy ''; "),
    ],
)
def test_an_unknown_strategy_names_the_closest(run_command, tmp_path, given, said) -> None:
    told = run_command("train", tmp_path / "w", "--imbalance", given)

    assert told.code == 2
    assert said in told.sentence
    assert not (tmp_path / "w").exists()


# A loan of an applicant, whose outcome nobody knows yet.
SOUND_CSV = (
    "id,loan_amnt,term,int_rate,annual_inc,issue_d,loan_status,grade,home_ownership,dti,revol_util\n"
    "900,5000, 36 months,10.65,24000,Mar-2012,Current,B,RENT,10,50\n"
)
GOOD = "id,loan_amnt,term,int_rate,annual_inc,issue_d,loan_status\n1,5000, 36 months,10.65,24000,Dec-2011,Fully Paid\n"
FOREIGN = "colour,size\nred,5\n"


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        (None, 10, "there are no files of 2012-01-31"),
        ({}, 10, "there are no files of 2012-01-31"),
        ({"a.csv": ""}, 10, "a.csv: the file is empty"),
        ({"a.csv": GOOD.splitlines()[0] + "\n"}, 10, "the files have no lines"),
        ({"a.csv": FOREIGN}, 10, "a.csv: no layout of the contract fits"),
        ({"a.csv": GOOD, "b.csv": FOREIGN}, 10, "b.csv: no layout of the contract fits"),
        ({"a.csv": GOOD + '2,5000," 36 mon'}, 10, "ends in the middle of a quoted field"),
        ({"a.csv": GOOD + GOOD.splitlines()[1] + '\n3,5000, 36 months,10.65,24000,Dec-2011,"Fully Pa'}, 10, "ends in the middle of a quoted field"),
        ({"a.csv": GOOD.replace("5000", "lots")}, 10, "every line broke a rule"),
        ({"a.csv": GOOD, "b.pdf": "x"}, 10, "b.pdf: this kind of file is not read"),
        ({"a.csv.gz": b"this is no gzip"}, 10, "a.csv.gz: it cannot be read"),
        ({"a.csv.gz": gzip.compress((GOOD * 1 + GOOD.splitlines()[1] * 50_000).encode())[:800]}, 10, "cannot be read"),
    ],
    ids=["no folder", "no file", "empty", "header only", "foreign", "good and foreign", "cut off", "cut off in the last field", "all broken", "pdf", "no gzip", "half a gzip"],
)  # fmt: skip
def test_files_that_break_the_contract_are_refused(
    capfd, done, tmp_path, files, code, said
) -> None:
    landing, warehouse = tmp_path / "landing", tmp_path / "warehouse"
    shutil.copytree(done, warehouse / "lending_club")
    before = contents(warehouse / "lending_club")
    if files is not None:
        (landing / AS_OF).mkdir(parents=True)
    for name, text in (files or {}).items():
        (landing / AS_OF / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    told = run(
        capfd,
        "nightly",
        "--portfolio",
        "lending_club",
        "--as-of",
        AS_OF,
        "--landing",
        landing,
        "--warehouse",
        warehouse,
    )

    assert told.code == code, told.err
    assert said in told.sentence
    assert "Traceback" not in told.err
    assert "\tat " not in told.err
    assert contents(warehouse / "lending_club") == before


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"--portfolio": "lending_clubb"}, "did you mean 'lending_club'?"),
        ({"--as-of": "31.1.2012"}, "'31.1.2012' is not a date; write it as 2012-01-31"),
        ({"--warehouse": "/proc/nowhere"}, "cannot be written"),
        ({"--warehouse": "a%20b"}, "take '%20' for another letter"),
        ({"--warehouse": "a\\b"}, "for another letter"),
        ({"--settings": "no-such-file.yml"}, "no-such-file.yml"),
        ({"--as-of": "0001-01-01"}, "lies before 1900"),
        ({"--warehouse": ""}, "storage.warehouse"),
        ({"--landing": "nowhere://x/y"}, "this Spark knows no such storage"),
    ],
)
def test_a_wrong_command_touches_nothing(capfd, landing, tmp_path, flags, said) -> None:
    sound = {
        "--portfolio": "lending_club",
        "--as-of": AS_OF,
        "--landing": landing,
        "--warehouse": tmp_path / "w",
    }

    told = run(capfd, "nightly", *[word for pair in (sound | flags).items() for word in pair])

    assert told.code == 2
    assert said in told.sentence
    assert "Traceback" not in told.err
    # The row that says that the run was stopped.
    written = {path.parent.name for path in (tmp_path / "w").rglob("*.parquet")}
    assert written <= {"runs"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("folds: 5", "fold: 5", "model.fold: unknown key 'fold'; did you mean 'folds'?"),
        ('sql: "fico"', 'sql: "recoveries"', "'recoveries' is known only at the outcome stage"),
    ],
)
def test_a_wrong_contract_touches_nothing(capfd, landing, tmp_path, old, new, said) -> None:
    project = changed_project(tmp_path, old, new)
    flags = (
        "--as-of",
        AS_OF,
        "--landing",
        landing,
        "--warehouse",
        tmp_path / "w",
        "--project",
        project,
    )

    told = run(capfd, "nightly", "--portfolio", "lending_club", *flags)
    checked = run(capfd, "check", "lending_club", "--project", project)

    assert (told.code, checked.code) == (2, 2)
    assert said in told.sentence
    assert said in checked.sentence
    assert not (tmp_path / "w").exists()


def test_a_settings_file_with_a_misspelt_key_is_refused(run_command, tmp_path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("spark: {shufle_partitions: 3}\n", encoding="utf-8")

    told = run_command("clean", tmp_path / "w", "--settings", path)

    assert told.code == 2
    assert (
        "spark.shufle_partitions: unknown key 'shufle_partitions'; did you mean 'shuffle_partitions'?"
        in told.sentence
    )


def test_another_run_of_the_batch_is_waited_for(run_command, tmp_path) -> None:
    from credit_spark.storage.paths import batch_date_lock

    folder = tmp_path / "w/lending_club"
    folder.mkdir(parents=True)
    with batch_date_lock(str(folder), AS_OF):
        told = run_command("clean", tmp_path / "w")

    assert told.code == 20
    assert "another run of 2012-01-31 is under way" in told.sentence


def test_a_broken_constraint_leaves_its_name_in_the_log_and_no_value(
    spark, run_command, done, tmp_path
) -> None:
    """One that others have added to a table is kept, and new rows break it."""
    shutil.copytree(done, tmp_path / "w/lending_club")
    path = tmp_path / "w/lending_club/scores"
    (run_id,) = set(arrow(path)["run_id"].to_pylist())
    spark.sql(f"alter table delta.`{path}` add constraint made_up check (run_id = '{run_id}')")
    before = rows_of(path)

    told = run_command("score", tmp_path / "w")

    assert told.code == 1
    text = (tmp_path / "logs/credit-spark.jsonl").read_text(encoding="utf-8")
    assert "constraint made_up" in text
    known = [row["loan_id"] for row in arrow(done / "loans").to_pylist()]
    assert not any(loan_id in told.sentence + text for loan_id in known)
    assert rows_of(path) == before


def test_the_sample_is_the_same_for_the_same_seed(tmp_path) -> None:
    first, again, other = (
        write_sample(tmp_path / name, date(2012, 1, 31), 500, seed)
        for name, seed in (("first", 5), ("again", 5), ("other", 6))
    )

    texts = [
        [path.read_bytes() for path in sorted(each.folder.glob("*.csv"))]
        for each in (first, again, other)
    ]
    assert texts[0] == texts[1] != texts[2]
    lines = sum(text.count(b"\n") for text in texts[0])
    assert lines > first.lines


def test_a_sample_takes_nothing_away_that_is_not_its_own(capfd, tmp_path) -> None:
    theirs = tmp_path / "2012-01-31/loans-001.csv"
    theirs.parent.mkdir()
    theirs.write_text("id\n", encoding="utf-8")

    told = run(capfd, "sample", "--as-of", AS_OF, "--rows", 10, "--out", tmp_path)

    assert told.code == 2
    assert "holds loans-001.csv, which no sample has made" in told.sentence
    assert theirs.read_text(encoding="utf-8") == "id\n"
    assert run(capfd, "sample", "--as-of", "2012-02-29", "--rows", 10, "--out", tmp_path).code == 0
    assert run(capfd, "sample", "--as-of", "2012-02-29", "--rows", 10, "--out", tmp_path).code == 0
    assert run(capfd, "sample", "--as-of", AS_OF, "--out", "/proc/nowhere").code == 2


def test_check_and_doctor_find_no_fault(capfd, tmp_path) -> None:
    assert run(capfd, "check", "lending_club").code == 0
    told = run(capfd, "doctor", "--warehouse", tmp_path / "w")
    assert (told.code, told.out.startswith("OK: ")) == (0, True)
