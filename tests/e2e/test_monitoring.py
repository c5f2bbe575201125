"""Batches that are watched: what is counted, what is called changed, who is told."""

import json
import re
import shutil
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import duckdb
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from credit_spark.cli.reports import facts_of
from credit_spark.config.loading import load_contract
from credit_spark.reporting.run_report import report
from credit_spark.storage.reader import TableReader
from credit_spark.storage.runs import complete_dates
from tests.batches import AS_OF, LATER, PROJECT, arrow, run
from tests.e2e.test_bad_books import SMALL, loans
from tests.projects import without_open_accounts

FIRST, SECOND = "2026-03-02", "2026-03-03"
# Of the small lender: enough to learn from, a table for each segment and one analysis.
MORE = ("segments: [owned]", "segments: [owned]\nanalyses: {amount: {sql: amount, title: Amount}}\nperformance_months: 6")  # fmt: skip


@pytest.fixture
def after_two(second, tmp_path, monkeypatch) -> Path:
    """A warehouse of the test's own, as the second batch left it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(second.tables, tmp_path / "two/lending_club")
    return tmp_path / "two"


def test_a_distribution_is_what_the_tables_hold(done) -> None:
    with duckdb.connect() as tables:
        for name in ("loans", "scores", "feature_distribution"):
            tables.register(name, arrow(done / name))
        # A grade of which the model has seen no loan is another one.
        known = "(select label from feature_distribution where subject = 'grade' and label <> '(other)')"
        counted = tables.execute("""
            select label, good + bad + open, pd_sum from feature_distribution
            where role = 'segment' and subject = 'grade' and good + bad + open > 0 order by 1
        """).fetchall()
        expected = tables.execute(f"""
            select case when grade in {known} then grade else '(other)' end, count(*), sum(pd)
            from scores group by 1 order by 1
        """).fetchall()
        per_subject = tables.execute("""
            select role, subject, sum(good + bad + open) from feature_distribution group by 1, 2
        """).fetchall()
        ((loans_,),) = tables.execute("select count(*) from loans").fetchall()

    assert counted == [(grade, count, pytest.approx(pds)) for grade, count, pds in expected]
    assert {count for *_, count in per_subject} == {loans_}
    assert len(per_subject) > 20


def test_the_baseline_is_the_training_loans(done) -> None:
    rows = [
        row for row in arrow(done / "feature_distribution").to_pylist() if row["role"] != "pair"
    ]
    (model,) = arrow(done / "models").to_pylist()
    learnt = json.loads(model["document"])["facts"]["rows"]
    sums: dict[tuple, int] = {}
    for row in rows:
        key = (row["role"], row["subject"])
        sums[key] = sums.get(key, 0) + row["baseline"]

    assert set(sums.values()) == {learnt}


def test_the_batch_that_a_model_learnt_from_is_stable(done) -> None:
    drift = arrow(done / "drift").to_pylist()

    assert len(drift) > 40
    assert {row["status"] for row in drift} == {"stable"}
    assert {row["measure"] for row in drift} == {"psi", "missing_share", "unseen_share", "approval_rate", "auc", "calibration"}  # fmt: skip


def test_a_second_batch_says_what_moved_the_points(second) -> None:
    moved, tables = second.summary["monitor"]["moved"], second.tables
    with duckdb.connect() as connection:
        connection.register("scores", arrow(tables / "scores"))
        (both,) = connection.execute(f"""
            select count(*), avg(b.points - a.points) from scores a join scores b using (loan_id)
            where a.as_of = date '{AS_OF}' and b.as_of = date '{LATER}'
        """).fetchall()

    assert (moved["previous_as_of"], moved["loans"], moved["by_model"]) == (AS_OF, both[0], 0.0)
    # Points are rounded to whole ones, a half at most each batch.
    assert moved["by_inputs"] == pytest.approx(both[1], abs=1)
    rows = {row["part"]: row for row in arrow(tables / "score_changes").to_pylist()}
    for prefix, weights in (("feature=", False), ("grade=", True)):
        own = [row for part, row in rows.items() if part.startswith(prefix)]
        shares = [row["by_inputs"] * (row["loans"] / both[0] if weights else 1) for row in own]
        assert sum(shares) == pytest.approx(moved["by_inputs"], abs=1e-9)
    assert (tables / f"reports/{LATER}.html").is_file()


def test_measured_and_monitored_again_it_is_the_same(run_command, second, after_two) -> None:
    told = [run_command(step, after_two, "--json", as_of=LATER) for step in ("measure", "monitor")]

    assert [each.code for each in told] == [0, 0], told[0].err
    for name in ("feature_distribution", "drift", "score_distribution", "score_changes"):
        before, after = (
            sorted(str({**row, "run_id": None}) for row in arrow(folder / name).to_pylist())
            for folder in (second.tables, after_two / "lending_club")
        )
        assert before == after, name


def test_where_the_contract_lost_a_column_no_change_of_scores_is_computed(
    run_command, after_two, tmp_path
) -> None:
    """The earlier model cannot score the date: that is no reason to fail."""
    project = without_open_accounts(tmp_path)

    told = run_command("monitor", after_two, "--project", project, as_of=LATER)

    assert told.code == 0, told.err
    assert arrow(after_two / "lending_club/score_changes").to_pylist() == []
    for command in ("measure", "score"):
        told = run_command(command, after_two, "--project", project, as_of=LATER)
        assert (told.code, "open_accounts" in told.sentence) == (2, True), command


def test_dates_are_deleted_as_the_manual_says(spark, run_command, after_two) -> None:
    tables = after_two / "lending_club"
    manual = (PROJECT / "docs/how-to-operate.md").read_text(encoding="utf-8")
    (statements,) = re.findall(r"```sql\n(.*?)```", manual, flags=re.DOTALL)
    ours = statements.replace("/warehouse/lending_club", str(tables)).replace("2012-01-31", LATER)

    for statement in ours.split(";\n")[:-1]:
        spark.sql(statement)

    for name in ("loans", "scores", "quarantine"):
        assert {str(row["as_of"]) for row in arrow(tables / name).to_pylist()} == {LATER}, name
    assert str(TableReader(str(tables)).latest()) == LATER
    assert run_command("monitor", after_two, as_of=LATER).code == 0
    assert arrow(tables / "score_changes").to_pylist() == []


def test_a_batch_whose_steps_were_taken_one_by_one_is_an_earlier_one() -> None:
    told = [
        {"as_of": 1, "command": "clean", "status": "complete", "rows": 5, "model": None},
        {"as_of": 1, "command": "train", "status": "complete", "rows": None, "model": "never"},
        {"as_of": 1, "command": "score", "status": "complete", "rows": None, "model": "a"},
        {"as_of": 2, "command": "clean", "status": "complete", "rows": 6, "model": None},
        {"as_of": 2, "command": "score", "status": "failed", "rows": None, "model": "b"},
        {"as_of": 1, "command": "clean", "status": "complete", "rows": 7, "model": None},
    ]

    found = complete_dates(told)

    assert [(each["as_of"], each["rows"], each["model"]) for each in found.values()] == [
        (1, 7, "a"),
        (2, 6, None),
    ]


def test_the_last_batches_and_their_drift_are_listed(capfd, second) -> None:
    flags = ("--portfolio", "lending_club", "--warehouse", second.warehouse, "--json")

    dates = run(capfd, "status", *flags).summary
    drift = run(capfd, "show", "drift", *flags).summary

    assert [each["as_of"] for each in dates] == [AS_OF, LATER]
    assert all(each["drift"] in ("stable", "watch", "act") for each in dates)
    assert [*drift[0]] == [
        "status",
        "subject",
        "measure",
        "value",
        "baseline",
        "critical_value",
        "rows",
    ]


@pytest.fixture
def small(spark, capfd, tmp_path, monkeypatch):
    """Batches of a small lender with no suites, each from the text of its file."""
    monkeypatch.chdir(tmp_path)
    contract = SMALL.read_text(encoding="utf-8")
    assert MORE[0] in contract
    (tmp_path / "small_lender.yml").write_text(contract.replace(*MORE), encoding="utf-8")

    def command(as_of: str, text: str, *more: object):
        (tmp_path / f"{as_of}.csv").write_text(text, encoding="utf-8")
        return run(
            capfd, "nightly", "--portfolio", tmp_path / "small_lender.yml", "--as-of", as_of,
            "--landing", tmp_path / f"{as_of}.csv", "--warehouse", tmp_path / "w", "--json", *more,
        )  # fmt: skip

    return command


def charts_of(tmp_path: Path, as_of: str) -> dict:
    contract = load_contract(tmp_path / "small_lender.yml")
    lake = TableReader(str(tmp_path / "w/small_lender"))
    found = report(facts_of(contract, lake, date.fromisoformat(as_of)))
    return {each.name: each for section in found.sections for each in section.charts}


@pytest.mark.release
def test_a_change_is_told_and_ends_the_command_where_it_is_asked_to(small, tmp_path) -> None:
    assert small(FIRST, loans()).code == 0
    poorer = loans(seed=6, income=lambda draw, bad: f"{draw.uniform(2_000, 9_000):.0f}")

    told = small(SECOND, poorer, "--fail-on", "act", "--metrics-file", tmp_path / "m.txt")

    assert told.code == 12
    monitored = told.summary["monitor"]
    assert monitored["status"] == "act"
    assert any("psi of amount_to_income" in each for each in monitored["changed"])
    assert monitored["retrain"] is True
    assert "psi of amount_to_income" in told.err
    (run_row,) = [row for row in arrow(tmp_path / "w/small_lender/runs").to_pylist() if str(row["as_of"]) == SECOND]  # fmt: skip
    assert run_row["status"] == "complete"
    assert arrow(tmp_path / "w/small_lender/scores").num_rows == 1200
    assert small(SECOND, poorer).code == 0
    text = (tmp_path / "m.txt").read_text(encoding="utf-8")
    values = {(each.name, *sorted(each.labels.values())): each.value for family in text_string_to_metric_families(text) for each in family.samples}  # fmt: skip
    assert values["credit_spark_run_complete", "small_lender"] == 1
    assert values["credit_spark_changes", "act", "small_lender"] == monitored["act"]
    assert values["credit_spark_records", "accepted", "small_lender"] == 600


OPEN = {"status": lambda draw, bad: "running"}
YOUNG = {"opened": lambda draw, bad: "2026-02-01"}


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        (loans(seed=7, **OPEN), {"ks", "roc", "gains", "calibration"}),
        (loans(1, seed=7), {"ks", "roc", "gains"}),
        (loans(seed=7, status=lambda draw, bad: "lost"), {"ks", "roc", "gains"}),
        (loans(seed=7, home=lambda draw, bad: ""), set()),
        (loans(seed=7, **YOUNG), set()),
    ],
    ids=["no outcomes", "one loan", "one class", "a segment never seen", "all too young"],
)
@pytest.mark.release
def test_where_there_is_too_little_it_is_said_and_all_else_stands(
    small, tmp_path, text, blank
) -> None:
    assert small(FIRST, loans()).code == 0

    told = small(SECOND, text)

    assert told.code == 0, told.err
    assert told.summary["report of measure"]["file"]
    charts = charts_of(tmp_path, SECOND)
    said = {name for name, each in charts.items() if each.data is None}
    assert blank <= said
    assert all(charts[name].says.startswith("Not enough data") for name in blank)
    assert {"bands", "segment-owned", "analysis-amount", "balance"}.isdisjoint(said)
    html = (tmp_path / f"w/small_lender/reports/{SECOND}.html").read_text(encoding="utf-8")
    assert "<h2>The run</h2>" in html
    if text == loans(seed=7, **YOUNG):
        assert "no mature loan has a known outcome" in html
        drift = [row for row in arrow(tmp_path / "w/small_lender/drift").to_pylist() if str(row["as_of"]) == SECOND]  # fmt: skip
        assert not {"auc", "calibration"} & {row["measure"] for row in drift}


@pytest.mark.release
def test_what_a_changed_contract_asks_for_is_shown_after_a_training(small, tmp_path) -> None:
    assert small(FIRST, loans()).code == 0
    path = tmp_path / "small_lender.yml"
    text = path.read_text(encoding="utf-8").replace("title: Amount}", "title: Amount}, rate_asked: {sql: rate, title: Rate}")  # fmt: skip
    path.write_text(text, encoding="utf-8")

    assert small(SECOND, loans(seed=8)).code == 0

    charts = charts_of(tmp_path, SECOND)
    assert charts["analysis-amount"].data
    assert "after a training" in charts["analysis-rate_asked"].says
    assert small("2026-03-04", loans(seed=9), "--retrain").code == 0


class Listener(BaseHTTPRequestHandler):
    """Keeps what it is sent, with its server."""

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.server.told.append(json.loads(self.rfile.read(size)))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.release
def test_lineage_is_told_to_a_server_and_to_a_file(small, tmp_path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Listener)
    server.told = []
    threading.Thread(target=server.serve_forever, daemon=True).start()

    told = small(FIRST, loans(), "--lineage", f"http://127.0.0.1:{server.server_port}")
    kept = small(SECOND, "id,amount,rate\n", "--lineage", tmp_path / "events.jsonl")
    server.shutdown()

    assert (told.code, kept.code) == (0, 10), told.err
    start, end = server.told
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert [each["name"] for each in end["inputs"]] == [f"{FIRST}.csv"]
    outputs = {each["name"].split("/")[-1]: each for each in end["outputs"]}
    assert {
        "loans",
        "quarantine",
        "scores",
        "metrics",
        "feature_distribution",
        "drift",
        "models",
    } <= outputs.keys()
    rows = outputs["loans"]["outputFacets"]["outputStatistics"]["rowCount"]
    assert rows == arrow(tmp_path / "w/small_lender/loans").num_rows
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [each["eventType"] for each in events] == ["START", "FAIL"]
    assert "no loan was accepted" in events[1]["run"]["facets"]["errorMessage"]["message"]


@pytest.mark.release
def test_where_nobody_listens_the_batch_goes_on(small, tmp_path) -> None:
    told = small(
        FIRST, loans(), "--lineage", "http://127.0.0.1:9", "--metrics-file", tmp_path / "m.txt"
    )

    assert told.code == 0
    assert told.summary["reporting"] == {"failed": "ConnectionError"}
    assert "credit_spark_run_complete" in (tmp_path / "m.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["ftp://lineage.example/events", ".", "http://", "http://["])
def test_a_listener_that_cannot_be_one_is_refused(small, tmp_path, target) -> None:
    told = small(FIRST, loans(), "--lineage", target)

    assert told.code == 2
    assert (
        f"--lineage is a file, or a server's URL that begins with http:// or https://, and not {target}"
        in told.err
    )
    assert not (tmp_path / "w/small_lender/runs").exists()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("psi: 0.1", "monitor.psi: two numbers, the bounds of 'watch' and 'act'"),
        ("psi: [0.1, 0.2, 0.3]", "monitor.psi: two numbers"),
        ("psi: [0.3, 0.1]", "monitor.psi: the bound of 'watch' comes first"),
        ("calibration: [0.5, 1.3]", "monitor.calibration: a ratio, either way, is 1 or more"),
        ("psy: [0.1, 0.2]", "monitor.psy: unknown key 'psy'; did you mean 'psi'?"),
        ("false_alarms: 0", "monitor.false_alarms"),
    ],
)  # fmt: skip
def test_a_bound_that_cannot_be_is_refused(small, tmp_path, section, said) -> None:
    (tmp_path / "s.yml").write_text(f"monitor: {{{section}}}\n", encoding="utf-8")

    told = small(FIRST, loans(), "--settings", tmp_path / "s.yml")

    assert told.code == 2
    assert said in told.err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{sql: amount, title", "{sql: amont, title", "analyses.amount.sql: there is no column 'amont'"),
        ("title: Amount}", "title: Amount, against: rat}", "analyses.amount.against: there is no analysis 'rat'"),
        ("observed_on: opened_on\n", "", "performance_months: a loan's age needs observed_on"),
    ],
)  # fmt: skip
def test_what_cannot_be_watched_is_refused(small, tmp_path, old, new, said) -> None:
    path = tmp_path / "small_lender.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    told = small(FIRST, loans())

    assert told.code == 2
    assert said in told.err
