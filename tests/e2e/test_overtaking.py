"""Two runs of one batch date in two processes, with no lock: one of them ends with exit code 20."""

import os
import subprocess
import sys
from pathlib import Path

from deltalake import DeltaTable

from credit_spark.config.errors import TryAgainError
from tests.e2e import overtaking

PROGRAM = Path(__file__).parent / "overtaking.py"
TABLES = ("first", "second", "third")


def exit_code_of_a_run(folder: Path) -> int:
    """Of one in this process."""
    try:
        overtaking.run(folder, "A", 2)
    except TryAgainError as error:
        return error.exit_code
    return 0


def test_of_two_runs_of_one_date_one_ends_with_exit_code_20(spark, tmp_path) -> None:
    own = os.environ | {"PYTHONPATH": str(PROGRAM.parents[2] / "src")}
    other = subprocess.Popen([sys.executable, PROGRAM, tmp_path, "B", "2"], env=own)
    codes = {"A": exit_code_of_a_run(tmp_path), "B": other.wait(400)}

    assert sorted(codes.values()) == [0, 20]
    winner = min(codes, key=lambda name: codes[name])
    for table in TABLES:
        found = DeltaTable(tmp_path / table).to_pyarrow_table().to_pylist()
        assert [(row["loan_id"], row["run_id"]) for row in found] == [(winner, winner)]
        by_spark = spark.read.format("delta").load(str(tmp_path / table)).collect()
        assert [row.loan_id for row in by_spark] == [winner]
    runs = DeltaTable(tmp_path / "runs").to_pyarrow_table().to_pylist()
    assert {row["run_id"]: row["status"] for row in runs} == {
        winner: "complete", ({"A", "B"} - {winner}).pop(): "abandoned",
    }  # fmt: skip
