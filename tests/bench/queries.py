"""A night's queries, from Spark's event log: what each was for, and what its tasks took."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
