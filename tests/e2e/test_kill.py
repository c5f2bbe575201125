"""A batch that is killed within or between its steps, and run again, ends in the same tables."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from credit_spark.cli.sample import write_sample
from tests.batches import arrow, contents

pytestmark = pytest.mark.release

PROJECT = Path(__file__).parents[2]
AS_OF = "2012-01-31"
# Between steps, within a training, after the claim; then within the publish: after the fits, between
# two tables, and between the last table and the promotion.
POINTS = ("clean", "validate+6", "commit=1", "commit=2", "commit=6", "commit=10")


def flags_of(landing: Path, warehouse: Path, as_of: str = AS_OF) -> list[str]:
    flags = ["--portfolio", "lending_club", "--as-of", as_of, "--landing", str(landing)]
    return ["nightly", *flags, "--warehouse", str(warehouse)]


def run(command: list[str], folder: Path) -> None:
    program = Path(sys.executable).parent / "credit-spark"
    subprocess.run([program, *command], cwd=folder, check=True, capture_output=True)


def killed_at(point: str, command: list[str], folder: Path) -> int:
    """Run a command that dies at a point of dying.py, and give its exit code."""
    dying = [sys.executable, str(PROJECT / "tests/e2e/dying.py"), point, *command]
    ended = subprocess.run(
        dying, cwd=folder, check=False, capture_output=True, start_new_session=True
    )
    return ended.returncode


@pytest.fixture(scope="module")
def landing(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_sample(folder, date(2012, 1, 31), 3000, seed=3)
    return folder


def test_a_batch_killed_at_each_point_converges(landing, tmp_path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    run(flags_of(landing, undisturbed), tmp_path)

    codes = [killed_at(point, flags_of(landing, killed), tmp_path) for point in POINTS]
    assert codes == [-signal.SIGKILL] * len(POINTS)
    run(flags_of(landing, killed), tmp_path)

    assert contents(killed / "lending_club") == contents(undisturbed / "lending_club")
    runs = arrow(killed / "lending_club/runs").to_pylist()
    *before, last = [row["status"] for row in sorted(runs, key=lambda row: row["started_at"])]
    assert (before, last) == (["abandoned"] * len(POINTS), "complete")


def test_an_interrupted_batch_ends_with_130_and_no_trace(landing, tmp_path) -> None:
    """As Ctrl-C does, the signal reaches the whole group, while Spark works at a step."""
    program = Path(sys.executable).parent / "credit-spark"
    command = [str(program), *flags_of(landing, tmp_path / "warehouse")]
    kept = {"cwd": tmp_path, "text": True, "start_new_session": True}
    with subprocess.Popen(
        command, **kept, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as ran:
        seen = next(line for line in ran.stderr if '"step": "validate"' in line)
        os.killpg(ran.pid, signal.SIGINT)
        rest = ran.stderr.read()

    assert ran.returncode == 130, seen
    assert "Traceback" not in rest
    (row,) = arrow(tmp_path / "warehouse/lending_club/runs").to_pylist()
    assert row["status"] == "started"
    assert not (tmp_path / "warehouse/lending_club/scores").exists()


def test_a_kill_in_the_middle_of_a_step_leaves_the_earlier_batch(landing, tmp_path) -> None:
    """The second batch dies while it trains anew; the first is as it was."""
    write_sample(landing, date(2012, 2, 29), 3000, seed=4)
    warehouse = tmp_path / "warehouse"
    run(flags_of(landing, warehouse), tmp_path)
    before = contents(warehouse / "lending_club")
    later = [*flags_of(landing, warehouse, "2012-02-29"), "--retrain"]

    assert killed_at("validate+6", later, tmp_path) == -signal.SIGKILL

    after = contents(warehouse / "lending_club")
    assert all(set(rows) <= set(after[name]) for name, rows in before.items())
    assert after["scores"] == before["scores"]
    shutil.rmtree(warehouse)
