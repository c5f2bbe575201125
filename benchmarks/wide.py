"""Wide files: `make bench-wide ROWS=1000000` cleans loans of 151 columns, of which 25 are used.

The same files are read as texts by a bare Spark, and written as a Delta table by another. Whole
processes in turn; a first run of each is not counted. The section `wide` of docs/benchmark.md is
written.
"""

import sys
import tempfile
from pathlib import Path

from compare import BARE, OURS, PROGRAMS, PROGRAMS_FOLDER, RUNS, tables
from compare import timed as timed_in_turn
from judgement import Goal
from nightly import AS_OF, night, sample
from processes import run
from reports import write_section
from widening import COLUMNS, widen

READ = "Spark alone: texts read"
GOALS = (Goal(READ, "seconds", 1.5), Goal(BARE, "seconds", 1.5))


def main(rows: int) -> None:
    """Time all on so many rows, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        commands = prepared(rows, Path(name))
        for command in commands.values():
            run(command)
        runs = timed_in_turn(commands)
    write_section("wide", section(rows, runs))


def prepared(rows: int, folder: Path) -> dict[str, list[str]]:
    """The commands, on sample files made wide."""
    landing, out = folder / "landing", folder / "out"
    run(sample(rows, landing))
    for nth, file in enumerate(sorted((landing / AS_OF).glob("*.csv"))):
        widen(file, nth)
    bare = [sys.executable, str(PROGRAMS_FOLDER / PROGRAMS[BARE]), str(landing / AS_OF), "", AS_OF]
    return {
        OURS: night(landing, folder / "warehouse", "clean"),
        READ: bare,
        BARE: ["sh", "-c", f'rm -rf "{out}"; exec "$@"', "sh", *bare, str(out)],
    }


def section(rows: int, runs: dict) -> str:
    """The table, the goal, and what they were measured on."""
    about = [
        f"Written by `make bench-wide ROWS={rows}`: `credit-spark clean` on {rows:,} loans of",
        f"{COLUMNS} columns, {RUNS} runs of each.",
    ]
    return "\n".join([*about, *tables(runs, GOALS)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
