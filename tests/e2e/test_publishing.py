"""What readers find after a run that ended early: the date as the last complete run left it."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.batches import AS_OF, arrow, contents, run
from tests.projects import changed_project

pytestmark = pytest.mark.usefixtures("spark", "elsewhere")

# Tables that a stopped run may write: they say why it stopped.
OF_EVERY_RUN = {"runs", "quarantine", "validations"}


def published(warehouse: Path) -> dict[str, list[str]]:
    tables = contents(warehouse / "lending_club")
    return {name: rows for name, rows in tables.items() if name not in OF_EVERY_RUN}


def every_version(warehouse: Path) -> dict[str, int]:
    return {
        path.name: DeltaTable(path).version()
        for path in (warehouse / "lending_club").iterdir()
        if (path / "_delta_log").is_dir()
    }


def versions(warehouse: Path) -> dict[str, int]:
    found = every_version(warehouse)
    return {name: version for name, version in found.items() if name not in OF_EVERY_RUN}


def statuses(warehouse: Path) -> list[str]:
    rows = arrow(warehouse / "lending_club/runs").to_pylist()
    return [row["status"] for row in sorted(rows, key=lambda row: row["started_at"])]


@pytest.mark.parametrize(
    ("suite", "old", "new"),
    [
        ("loans", '"min_value": 0.02, "max_value": 0.4', '"min_value": 0.5, "max_value": 0.6'),
        ("scores", '"max_value": 0.4}', '"max_value": 0.04}'),
    ],
)
def test_a_rerun_that_a_gate_stops_changes_no_published_table(
    run_command, again, landing, tmp_path, suite, old, new
) -> None:
    project = changed_project(tmp_path)
    path = project / f"expectations/lending_club/{suite}.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    before, at = published(again), versions(again)

    ended = run_command("nightly", again, "--project", project, "--retrain")

    assert ended.code == 11
    assert versions(again) == at
    assert published(again) == before
    assert statuses(again) == ["complete", "stopped"]
    failed = [
        row["expectation"]
        for row in arrow(again / "lending_club/validations").to_pylist()
        if not row["success"]
    ]
    assert failed == ["expect_column_mean_to_be_between"]


@pytest.mark.parametrize("command", ["nightly", "clean", "validate", "score"])
def test_a_suite_with_faults_touches_no_table(run_command, again, tmp_path, command) -> None:
    project = changed_project(tmp_path)
    path = project / "expectations/lending_club/scores.json"
    text = path.read_text(encoding="utf-8")
    assert '"column": "pd"' in text
    path.write_text(text.replace('"column": "pd"', '"column": "pds"', 1), encoding="utf-8")
    at = every_version(again)
    assert "runs" in at

    ended = run_command(command, again, "--project", project)

    assert ended.code == 2
    assert "did you mean 'pd'" in ended.sentence
    assert every_version(again) == at


def test_a_refused_rerun_does_not_hide_the_complete_run(
    capfd, run_command, again, tmp_path
) -> None:
    (tmp_path / "empty").mkdir()
    flags = ("--portfolio", "lending_club", "--warehouse", again)

    refused = run(capfd, "nightly", *flags, "--as-of", AS_OF, "--landing", tmp_path / "empty")

    assert refused.code == 10
    assert statuses(again) == ["complete", "refused"]
    loan_id = arrow(again / "lending_club/scores")["loan_id"][0].as_py()
    assert "complete" in run(capfd, "status", *flags).out
    assert run(capfd, "explain", loan_id, *flags).code == 0
