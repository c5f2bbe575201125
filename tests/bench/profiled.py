"""Where a night's time goes: `make bench-profile ROWS=5000000`.

A night that only scores is run with Spark's event log, and every query of half a second or more is
a line of the section `profile` of docs/benchmark.md. Lines add up to the whole process.
"""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from compare import TRAINED_ON
from nightly import night, sample
from processes import Run, run
from queries import TIMES, Query, place, queries_of
from reports import machine, write_section

SHORTEST = 0.5


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


if __name__ == "__main__":
    main(int(sys.argv[1]))
