"""The rows of `runs`: a run claims its batch date when it starts, and records how it ends."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from credit_spark.config.tables import RUNS
from credit_spark.storage.commits import taken_over
from credit_spark.storage.tables import Tables

STARTED, COMPLETE, ABANDONED = "started", "complete", "abandoned"
# Commands that write a date's rows: the others neither complete a date nor break it.
WRITING = ("nightly", "clean", "score", "measure")
# Those of them that write `loans`.
CLEANING = ("nightly", "clean")


def claim(tables: Tables, command: str, facts: Mapping[str, Any]) -> None:
    """Record that a run starts, and fence off the older runs of its batch date, in one commit.

    The version of `runs` that has the run's row is the fence: it is unique, and grows. An older
    run of the date that is still `started` was killed or is overtaken: it becomes `abandoned`,
    and whatever it writes from now on is skipped.
    """
    began = {"status": STARTED, "started_at": datetime.now(UTC)}
    own = {**facts, "as_of": tables.as_of, "command": command, **began}
    ends = {"status": ABANDONED, "message": "it was killed, or another run of the date took over"}
    started = f"as_of = date'{tables.as_of}' and status = '{STARTED}'"
    tables.rewrite(
        RUNS, lambda older: [*({**row, **ends} for row in older), own], "run_id", started
    )
    tables.fence = tables.versions.pop(RUNS.name)


def finish(tables: Tables, status: str, facts: Mapping[str, Any]) -> None:
    """Record how a run ended; `facts` are further columns of its row.

    Raises:
        TryAgainError: another run of the date has taken over.
    """
    ended = {**facts, "status": status, "ended_at": datetime.now(UTC)}

    def finished(own: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not own:
            raise taken_over(tables.as_of)
        return [{**own[0], **ended}]

    is_own = f"run_id = '{tables.run_id}' and status = '{STARTED}'"
    tables.rewrite(RUNS, finished, "run_id", is_own)


def newest_complete(tables: Tables, columns: Iterable[str], where: str) -> Mapping[str, Any] | None:
    """Columns of the date's newest complete run for which `where` (Spark SQL) holds, if any."""
    complete = f"as_of = date'{tables.as_of}' and status = '{COMPLETE}' and {where}"
    rows = tables.rows(RUNS, (*columns, "ended_at"), complete) if tables.exists(RUNS) else []
    return max(rows, key=lambda row: row["ended_at"], default=None)


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
