"""The rows of `runs`: a run claims its batch date when it starts, and records how it ends."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import functions as F

from credit_spark.contract.tables import RUNS
from credit_spark.storage.tables import Tables, taken_over

STARTED, COMPLETE, ABANDONED = "started", "complete", "abandoned"
# Commands that write a date's rows: the others neither complete a date nor break it.
WRITING = ("nightly", "clean", "score", "measure")


def claim(tables: Tables, command: str, facts: Mapping[str, Any]) -> None:
    """Record that a run starts, and fence off the older runs of its batch date.

    The version of `runs` that has the run's row is the fence: it is unique, and grows. An older
    run of the date that is still `started` was killed or is overtaken: it becomes `abandoned`,
    and whatever it writes from now on is skipped.
    """
    row = {
        **facts,
        "as_of": tables.as_of,
        "command": command,
        "status": STARTED,
        "started_at": datetime.now(UTC),
    }
    tables.append(RUNS, [row])
    tables.fence = tables.versions.pop(RUNS.name)
    older = _started_before(tables)
    if older:
        named = ", ".join(f"'{run_id}'" for run_id in older)
        message = "it was killed, or another run of the date took over"
        changes = {"status": ABANDONED, "message": message}
        tables.update(RUNS, f"run_id in ({named}) and status = '{STARTED}'", changes)


def finish(tables: Tables, status: str, facts: Mapping[str, Any]) -> None:
    """Record how a run ended; `facts` are further columns of its row.

    Raises:
        TryAgainError: another run of the date has taken over.
    """
    changes = {**facts, "status": status, "ended_at": datetime.now(UTC)}
    own = f"run_id = '{tables.run_id}'"
    tables.update(RUNS, f"{own} and status = '{STARTED}'", changes)
    if [row["status"] for row in tables.rows(RUNS, ["status"], own)] != [status]:
        raise taken_over(tables.as_of)


def _started_before(tables: Tables) -> list[str]:
    """The runs of the date that had not ended when this one claimed it."""
    before = tables.spark.read.format("delta").option("versionAsOf", tables.fence - 1)
    rows = before.load(tables.path(RUNS)).where(F.col("as_of") == tables.as_of)
    return [row.run_id for row in rows.where(F.col("status") == STARTED).collect()]


def complete_dates(runs: Iterable[Mapping[str, Any]]) -> dict[date, Mapping[str, Any]]:
    """What the complete runs of each date yielded together, the earliest date first.

    A date's steps may have been run one by one; the last run that knows a fact counts. `runs` are
    in the order in which they ended.
    """
    found: dict[date, dict[str, Any]] = {}
    for run in runs:
        if run["status"] == COMPLETE and run["command"] in WRITING:
            known = {name: value for name, value in run.items() if value is not None}
            found.setdefault(run["as_of"], dict.fromkeys(run)).update(known)
    return {as_of: found[as_of] for as_of in sorted(found)}
