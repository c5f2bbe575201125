"""Two runs of one batch date in two processes, with no lock: one of them ends with exit code 20."""

import os
import subprocess
import sys
from pathlib import Path

from deltalake import DeltaTable

PROGRAM = Path(__file__).parent / "overtaking.py"
TABLES = ("first", "second", "third")


def test_of_two_runs_of_one_date_one_ends_with_exit_code_20(spark, tmp_path) -> None:
    commands = [[sys.executable, PROGRAM, tmp_path, name, "2"] for name in ("A", "B")]
    own = os.environ | {"PYTHONPATH": str(PROGRAM.parents[2] / "src")}
    processes = [subprocess.Popen(each, stdout=subprocess.PIPE, env=own) for each in commands]
    codes = {name: each.wait(400) for name, each in zip("AB", processes, strict=True)}

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
