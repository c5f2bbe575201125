"""What watching a batch costs: `make bench-watched ROWS=5000000`.

After a small batch that trains, a batch of so many sample loans is run twice, on two dates: the second
holds every loan against the first's. The steps `monitor` and `report` are timed beside the whole batch.
The section `watched` of docs/benchmark.md is written.
"""

import sys
import tempfile
from pathlib import Path

from compare import TRAINED_ON
from growth import steps_of
from nightly import AS_OF, night, sample
from processes import Run, run
from reports import machine, write_section

LATER = ("2012-02-29", "2012-03-31")
WATCHING = ("monitor", "report of measure")
GOAL = 0.30


def main(rows: int) -> None:
    """Time both batches, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        small, landing, warehouse = (Path(name) / each for each in ("small", "large", "warehouse"))
        run(sample(TRAINED_ON, small))
        run(night(small, warehouse))
        run(of(LATER[0], sample(rows, landing)))
        (landing / LATER[1]).symlink_to(landing / LATER[0])
        nights = {each: run(of(each, night(landing, warehouse))) for each in LATER}
    write_section("watched", "\n".join(section(rows, nights)))


def of(as_of: str, command: list[str]) -> list[str]:
    """The same command for another batch."""
    return [as_of if each == AS_OF else each for each in command]


def section(rows: int, nights: dict[str, Run]) -> list[str]:
    """A line a batch."""
    lines = ["| batch | seconds | monitor | report | both, of the batch | goal, at most | met | peak memory, MB |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    words = ("with hardly a loan of the previous batch", "with every loan of the previous batch")
    for each, what in zip(nights.values(), words, strict=True):
        steps = steps_of(each.log)
        share = sum(steps[name] for name in WATCHING) / each.seconds
        lines.append(
            f"| {what} | {each.seconds:.1f} | {steps['monitor']:.1f} | {steps[WATCHING[1]]:.1f} | "
            f"{share:.0%} | {GOAL:.0%} | {'yes' if share <= GOAL else 'no'} | {each.peak:,.0f} |"
        )
    head = f"Written by `make bench-watched ROWS={rows}`: {rows:,} loans a batch, one run of each."
    return [head, "", *lines, "", machine()]


if __name__ == "__main__":
    main(int(sys.argv[1]))
