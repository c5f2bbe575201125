"""Where a batch's time goes: `make bench-profile ROWS=5000000`.

A batch that only scores is run with Spark's event log; what its jobs were for is a line each of the
section `profile` of docs/benchmark.md.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from compare import TRAINED_ON
from nightly import night, sample
from processes import Run, run
from reports import machine, write_section
from works import TIMES, Work, covered, event_log_settings, events_of, works_of


def main(rows: int) -> None:
    """Profile a batch of so many rows, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        done, works = profiled(rows, Path(name))
    write_section("profile", section(rows, done, works))


def profiled(rows: int, folder: Path) -> tuple[Run, list[Work]]:
    """A batch's process, and what Spark has worked at in it."""
    for part, size in (("small", TRAINED_ON), ("large", rows)):
        run(sample(size, folder / part))
    run(night(folder / "small", folder / "warehouse"))
    settings = event_log_settings(folder)
    done = run([*night(folder / "large", folder / "warehouse"), "--settings", settings])
    return done, works_of(events_of(folder))


def section(rows: int, done: Run, works: Sequence[Work]) -> str:
    """A line a work."""
    return "\n".join([
        f"Written by `make bench-profile ROWS={rows}`: one batch of {rows:,} loans that only scores.",
        "",
        f"| what | seconds | {' | '.join(f'{name}, all cores' for name in TIMES)} |",
        f"|---|---{'|---' * len(TIMES)}|",
        *lines_of(done, works),
        "",
        machine(),
    ])  # fmt: skip


def lines_of(done: Run, works: Sequence[Work]) -> Iterator[str]:
    """The lines of the table."""
    for work in works:
        yield line(work.about, work.seconds, work.times)
    outside = done.seconds - covered(span for work in works for span in work.spans)
    yield line("outside of Spark's jobs: start, planning, Python, end", outside, {})
    yield line("the whole process", done.seconds, {})


def line(what: str, seconds: float, times: dict[str, float]) -> str:
    """A line of the table."""
    cells = [f"{times[name]:.1f}" if name in times else "" for name in TIMES]
    return f"| {what} | {seconds:.1f} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main(int(sys.argv[1]))
