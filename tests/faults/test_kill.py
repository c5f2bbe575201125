"""A night that is killed between its steps, and run again, ends in the same tables."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from credit_spark.sample import write_sample
from tests.nights import arrow, contents

PROJECT = Path(__file__).parents[2]
AS_OF = "2012-01-31"
STEPS = ("clean", "train", "promote", "score", "measure", "monitor")


def night(landing: Path, warehouse: Path) -> list[str]:
    command = [str(Path(sys.executable).parent / "credit-spark"), "nightly"]
    flags = ["--portfolio", "lending_club", "--as-of", AS_OF, "--landing", str(landing)]
    return [*command, *flags, "--warehouse", str(warehouse)]


def killed_after(step: str, command: list[str], folder: Path) -> int:
    """Run a night until it says that a step is done, kill all of it, and give its exit code."""
    # Behind this process, which else may hear of the last step when the night is over.
    process = subprocess.Popen(
        ["nice", "-n", "10", *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr
    for line in process.stderr:
        if f'"step": "{step}"' in line:
            # The Java process goes with it: both are of one process group.
            os.killpg(process.pid, signal.SIGKILL)
            break
    return process.wait()


@pytest.fixture(scope="module")
def landing(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_sample(folder, date(2012, 1, 31), 3000, seed=3)
    return folder


def test_a_night_killed_after_each_step_converges(landing, tmp_path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(night(landing, undisturbed), cwd=tmp_path, check=True, capture_output=True)

    codes = [killed_after(step, night(landing, killed), tmp_path) for step in STEPS]
    assert codes == [-signal.SIGKILL] * len(STEPS)
    assert not (killed / "lending_club/runs").exists()
    subprocess.run(night(landing, killed), cwd=tmp_path, check=True, capture_output=True)

    assert contents(killed / "lending_club") == contents(undisturbed / "lending_club")
    (run,) = arrow(killed / "lending_club/runs").to_pylist()
    assert run["status"] == "complete"


def test_a_kill_in_the_middle_of_a_step_leaves_the_earlier_night(landing, tmp_path) -> None:
    """The second night dies while it trains anew; the first is as it was."""
    write_sample(landing, date(2012, 2, 29), 3000, seed=4)
    warehouse = tmp_path / "warehouse"
    subprocess.run(night(landing, warehouse), cwd=tmp_path, check=True, capture_output=True)
    before = contents(warehouse / "lending_club")
    later = [each.replace(AS_OF, "2012-02-29") for each in night(landing, warehouse)]

    assert killed_after("validate", [*later, "--retrain"], tmp_path) == -signal.SIGKILL

    after = contents(warehouse / "lending_club")
    assert all(set(rows) <= set(after[name]) for name, rows in before.items())
    assert after["scores"] == before["scores"]
    shutil.rmtree(warehouse)
