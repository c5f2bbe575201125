"""What Spark has worked at in a batch, from its event log: how long, and what its tasks took."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What Spark calls the sums of its tasks' times, in the event log, in milliseconds.
TIMES = {
    "tasks": "internal.metrics.executorRunTime",
    "collecting garbage": "internal.metrics.jvmGCTime",
}
DESCRIPTION = "spark.job.description"
Span = tuple[float, float]


@dataclass
class Work:
    """Jobs that were described alike: when each began and ended, and their tasks' seconds."""

    about: str
    spans: list[Span] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def seconds(self) -> float:
        """How long any of them was at work."""
        return covered(self.spans)


def event_log_options(folder: Path) -> dict[str, str]:
    """Options with which Spark keeps its event log below a folder, which they make ready."""
    events = folder / "events"
    events.mkdir(parents=True)
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": f"file:{events}",
    }


def event_log_settings(folder: Path) -> str:
    """A settings file with `event_log_options`."""
    settings = folder / "settings.yml"
    settings.write_text(json.dumps({"spark": {"conf": event_log_options(folder)}}))
    return str(settings)


def events_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The events of the one run that had the event log's options of this folder."""
    for file in sorted((folder / "events").rglob("events_*")):
        yield from map(json.loads, file.open())


def jobs_of(folder: Path) -> int:
    """How many jobs Spark started in that run."""
    return sum(each["Event"] == "SparkListenerJobStart" for each in events_of(folder))


def _named(description: str | None) -> str:
    """What a job is for: a step that describes its jobs, Delta's log, or any other work on rows."""
    # Without a description of its own, a job has that of the line that has begun it.
    if description is None or " at " in description:
        return "reading, parsing, scoring, counting, writing"
    return "Delta's log" if description.startswith("Delta:") else description


def works_of(events: Iterable[dict[str, Any]]) -> list[Work]:
    """The works of a batch, in the order in which they began."""
    works: dict[str, Work] = {}
    jobs: dict[int, tuple[Work, float]] = {}
    stages: dict[int, Work] = {}
    for event in events:
        kind = event["Event"]
        if kind == "SparkListenerJobStart":
            about = _named(event["Properties"].get(DESCRIPTION))
            work = works.setdefault(about, Work(about))
            jobs[event["Job ID"]] = work, event["Submission Time"] / 1e3
            stages |= dict.fromkeys(event["Stage IDs"], work)
        elif kind == "SparkListenerJobEnd":
            work, began = jobs[event["Job ID"]]
            work.spans.append((began, event["Completion Time"] / 1e3))
        elif kind == "SparkListenerStageCompleted":
            info = event["Stage Info"]
            _add(stages[info["Stage ID"]], info["Accumulables"])
    return list(works.values())


def covered(spans: Iterable[Span]) -> float:
    """The seconds that lie in any of some spans.

    >>> covered([(0, 2), (1, 3), (5, 6)])
    4.0
    """
    seconds, reached = 0.0, float("-inf")
    for began, ended in sorted(spans):
        seconds += max(0, ended - max(began, reached))
        reached = max(reached, ended)
    return seconds


def _add(work: Work, accumulated: Iterable[dict[str, Any]]) -> None:
    sums = {each["Name"]: each["Value"] for each in accumulated if "Name" in each}
    for name, metric in TIMES.items():
        work.times[name] += float(sums.get(metric, 0)) / 1e3
