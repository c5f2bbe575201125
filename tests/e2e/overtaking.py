"""A run of a batch date that writes once other runs have claimed the date, too.

`python tests/e2e/overtaking.py FOLDER RUN_ID RUNS`: exit code 0 or 20, as the commands have it.
"""

import sys
from datetime import date
from pathlib import Path
from time import monotonic, sleep

from credit_spark.config.errors import TryAgainError
from credit_spark.config.tables import ColumnSpec, Table
from credit_spark.storage.runs import claim, finish
from credit_spark.storage.session import spark_session
from credit_spark.storage.tables import Tables

OPTIONS = {"spark.master": "local[1]", "spark.ui.enabled": "false", "spark.driver.memory": "1g"}
MAX_WAIT = 120  # seconds
TABLES = [
    Table(name, "a loan", {"loan_id": ColumnSpec("string", "id")}, ("loan_id",))
    for name in ("first", "second", "third")
]


def run(folder: Path, run_id: str, runs: int) -> None:
    with spark_session(OPTIONS, folder / f"{run_id}.log") as spark:
        tables = Tables(spark, str(folder), date(2026, 3, 2), run_id)
        claim(tables, "nightly", {})
        (folder / f"{run_id}.claimed").touch()
        latest = monotonic() + MAX_WAIT
        while len(list(folder.glob("*.claimed"))) < runs and monotonic() < latest:
            sleep(0.05)
        for table in TABLES:
            # No look at the claim, as by `publish`: the fence alone decides.
            tables.replace(table, tables.frame(table, [{"loan_id": run_id}]))
        finish(tables, "complete", {})


if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except TryAgainError as error:
        print(error)
        sys.exit(error.exit_code)
