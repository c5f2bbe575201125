"""How time and memory grow: `make bench-growth SIZES="5000000 20000000"`.

For each number of rows: a small batch that trains, then one of so many rows that only scores, as a
process of its own, timed. The section `growth` of docs/benchmark.md is written.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from compare import TRAINED_ON
from nightly import night, sample
from processes import Run, run
from reports import machine, write_section


class Timed(NamedTuple):
    """A batch of so many rows."""

    rows: int
    run: Run

    @property
    def row_seconds(self) -> float:
        """Seconds a row, the start of Spark among them."""
        return self.run.seconds / self.rows


def main(sizes: list[int]) -> None:
    """Time a batch of each size, the smallest first, and write the section."""
    nights = [Timed(rows, timed(rows)) for rows in sorted(sizes)]
    write_section("growth", section(nights))


def timed(rows: int) -> Run:
    """A batch that only scores."""
    with tempfile.TemporaryDirectory() as name:
        small, landing, warehouse = (Path(name) / each for each in ("small", "large", "warehouse"))
        run(sample(TRAINED_ON, small))
        run(night(small, warehouse))
        run(sample(rows, landing))
        return run(night(landing, warehouse))


def section(nights: list[Timed]) -> str:
    """A line a size; seconds a row beside those of the smallest."""
    sizes = " ".join(str(each.rows) for each in nights)
    return "\n".join([
        f'Written by `make bench-growth SIZES="{sizes}"`: one batch of each that only scores.',
        "",
        "| rows | seconds | clean | score | microseconds a row | over the first's "
        "| peak memory, MB |",
        "|---|---|---|---|---|---|---|",
        *[line_of(each, nights[0]) for each in nights],
        "",
        machine(),
    ])  # fmt: skip


def line_of(timed: Timed, first: Timed) -> str:
    """A batch's line of the table."""
    steps = steps_of(timed.run.log)
    over = timed.row_seconds / first.row_seconds
    return (
        f"| {timed.rows:,} | {timed.run.seconds:.1f} | {steps['clean']:.1f} | "
        f"{steps['score']:.1f} | {timed.row_seconds * 1e6:.2f} | {over:.2f} | "
        f"{timed.run.peak:,.0f} |"
    )


def steps_of(log: list[str]) -> dict[str, float]:
    """The seconds of each step that a batch has logged."""
    events = [json.loads(line) for line in log if line.startswith("{")]
    return {each["step"]: each["seconds"] for each in events if each["event"] == "step"}


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [1_000_000, 5_000_000])
