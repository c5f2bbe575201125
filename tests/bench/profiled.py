"""Where a night's time goes: `make bench-profile ROWS=5000000`.

A night that only scores is run with Spark's event log, and every query of half a second or more is
a line of the section `profile` of docs/benchmark.md. Lines add up to the whole process.
"""

import ast
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compare import TRAINED_ON
from nightly import night, sample
from processes import Run, run
from reports import machine, write_section

SHORTEST = 0.5
# What Spark calls the sums of its tasks' times, in the event log; with the unit's seconds.
TIMES = {
    "tasks": ("internal.metrics.executorRunTime", 1e-3),
    "collecting garbage": ("internal.metrics.jvmGCTime", 1e-3),
    "Python": ("time to run Python workers", 1e-3),
}


@dataclass
class Query:
    """A query of Spark, with all that it has asked for itself: seconds, and its tasks' times."""

    about: str
    begun: float
    ended: float = 0.0
    times: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.begun


def main(rows: int) -> None:
    """Profile a night of so many rows, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        done, queries = profiled(rows, Path(name))
    write_section("profile", section(rows, done, queries))


def profiled(rows: int, folder: Path) -> tuple[Run, list[Query]]:
    """A night's process, and its queries in their order."""
    for part, size in (("small", TRAINED_ON), ("large", rows)):
        run(sample(size, folder / part))
    run(night(folder / "small", folder / "warehouse"))
    events = folder / "events"
    events.mkdir()
    conf = {"spark.eventLog.enabled": True, "spark.eventLog.compress": False,
            "spark.eventLog.dir": f"file:{events}"}  # fmt: skip
    (folder / "settings.yml").write_text(json.dumps({"spark": {"conf": conf}}))
    words = [
        *night(folder / "large", folder / "warehouse"),
        "--settings",
        str(folder / "settings.yml"),
    ]
    done = run(words)
    lines = (line for file in sorted(events.rglob("events_*")) for line in file.open())
    return done, queries_of(map(json.loads, lines))


def queries_of(events: Iterable[dict[str, Any]]) -> list[Query]:
    """The queries that nothing but the night has asked for, from Spark's event log."""
    queries: dict[int, Query] = {}
    asked_by: dict[int, int] = {}
    stages: dict[int, int] = {}
    for event in events:
        kind = event["Event"].rsplit(".")[-1]
        if kind == "SparkListenerSQLExecutionStart":
            number, root = event["executionId"], event["rootExecutionId"]
            asked_by[number] = root
            if number == root:
                queries[number] = Query(event["description"], event["time"] / 1e3)
        elif kind == "SparkListenerSQLExecutionEnd" and event["executionId"] in queries:
            queries[event["executionId"]].ended = event["time"] / 1e3
        elif kind == "SparkListenerJobStart":
            number = event["Properties"].get("spark.sql.execution.id")
            stages |= dict.fromkeys(event["Stage IDs"], int(number) if number else -1)
        elif kind == "SparkListenerStageCompleted":
            query = queries.get(asked_by.get(stages[event["Stage Info"]["Stage ID"]], -1))
            _add(query, event["Stage Info"]["Accumulables"])
    return sorted(queries.values(), key=lambda each: each.begun)


def _add(query: Query | None, accumulated: Iterable[dict[str, Any]]) -> None:
    if query is None:
        return
    sums = {each["Name"]: each["Value"] for each in accumulated if "Name" in each}
    for name, (metric, unit) in TIMES.items():
        query.times[name] += float(sums.get(metric, 0)) * unit


def section(rows: int, done: Run, queries: list[Query]) -> str:
    """A line a query."""
    return "\n".join([
        f"Written by `make bench-profile ROWS={rows}`: one night of {rows:,} loans that only scores.",
        "",
        f"| what | seconds | {' | '.join(f'{name}, all cores' for name in TIMES)} |",
        f"|---|---{'|---' * len(TIMES)}|",
        *lines_of(done, queries),
        "",
        machine(),
    ])  # fmt: skip


def lines_of(done: Run, queries: list[Query]) -> Iterator[str]:
    """The lines of the table: they add up to the last one."""
    short = "shorter queries"
    seconds: dict[str, float] = defaultdict(float)
    times: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in [*queries, Query(short, 0, 0)]:
        what = place(each.about) if each.seconds >= SHORTEST else short
        seconds[what] += each.seconds
        for name, value in each.times.items():
            times[what][name] += value
    for what in [*(each for each in seconds if each != short), short]:
        yield line(what, seconds[what], times[what])
    outside = done.seconds - sum(seconds.values())
    yield line("outside of queries: start, planning, Python, end", outside, {})
    yield line("the whole process", done.seconds, {})


def line(what: str, seconds: float, times: dict[str, float]) -> str:
    """A line of the table."""
    cells = [f"{times[name]:.1f}" if name in times else "" for name in TIMES]
    return f"| {what} | {seconds:.1f} | {' | '.join(cells)} |"


def place(about: str) -> str:
    """What a query was for, or else the function of ours that has asked for it."""
    _, _, where = about.partition(" at ")
    path, _, number = where.rpartition(":")
    if not path or not Path(path).is_file():
        return about
    functions = [
        each
        for each in ast.walk(ast.parse(Path(path).read_text()))
        if isinstance(each, ast.FunctionDef) and each.lineno <= int(number)
    ]
    name = max(functions, key=lambda each: each.lineno).name
    return f"{name} ({path.rpartition('credit_spark/')[2]})"


if __name__ == "__main__":
    main(int(sys.argv[1]))
