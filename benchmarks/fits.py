"""A fit beside scikit-learn's: `make bench-fit ROWS=2000000`, of 40 features.

Both read the same Parquet files as whole processes in turn, and must come to the same coefficients.
Our fits of rows that are kept are told beside Spark ML's own regression alone, on vectors that are
scaled and cached, with the same memory: median of runs in turn.
The section `fit` of docs/benchmark.md is written.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from compare import OURS, PROGRAMS_FOLDER, RUNS, tables, timed
from judgement import Goal
from processes import run
from reports import write_section

sys.path.append(str(PROGRAMS_FOLDER))
from fit_book import FEATURES, write_book
from spark_session import OPTIONS

THEIRS = "scikit-learn, newton-cholesky"
SCRIPTS = {OURS: "credit_spark_fit.py", THEIRS: "scikit_learn_fit.py"}
GOAL = Goal(THEIRS, "seconds", 1)
MEMORY, DRIVER_MEMORY = "CREDIT_SPARK__SPARK__DRIVER_MEMORY", "spark.driver.memory"
ALONE, ALONE_GOAL = "spark_ml_fit.py", 1.5
# Of coefficients of features with mean 0 and deviation 1.
CLOSE = 1e-5


class Beside(NamedTuple):
    """Seconds of our fit and of theirs."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs


def main(rows: int) -> None:
    """Time both fits of so many rows, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_book(folder / "book", rows)
        commands = {program: command(script, folder) for program, script in SCRIPTS.items()}
        for words in commands.values():
            run(words)
        apart = difference(*[written(each, folder)["coefficients"] for each in SCRIPTS.values()])
        assert apart < CLOSE, f"the coefficients are {apart} apart"
        runs = timed(commands)
        first, another = fits_in_turn([SCRIPTS[OURS], ALONE], folder)
    write_section("fit", "\n".join([section(rows, runs, apart), "", beside(first, another)]))


def beside(first: Beside, another: Beside) -> str:
    """How our fits compare to Spark ML's."""
    return (
        "Spark ML's own regression alone, on vectors that are scaled and cached, took "
        f"{first.theirs:.1f} seconds, and {another.theirs:.1f} when it was fitted again. With the "
        f"same memory ({OPTIONS[DRIVER_MEMORY]}), our first fit of rows that are kept, medians and "
        f"assembling included, took {first.ours:.1f}: {first.ratio:.2f} times that (goal "
        f"{ALONE_GOAL:g}). Another fit of the same rows, as that of another strategy or penalty "
        f"is, took {another.ours:.1f}: {another.ratio:.2f} times."
    )


def fits_in_turn(scripts: Sequence[str], folder: Path) -> list[Beside]:
    """Of a process's fits, the first and another, the median times by themselves."""
    found: dict[str, list[list[float]]] = {script: [] for script in scripts}
    for _ in range(RUNS):
        for script in scripts:
            run([*command(script, folder), "2"], {**os.environ, MEMORY: OPTIONS[DRIVER_MEMORY]})
            found[script].append(written(script, folder)["seconds"])
    medians = [[median(own) for own in zip(*runs, strict=True)] for runs in found.values()]
    return [Beside(*each) for each in zip(*medians, strict=True)]


def command(script: str, folder: Path) -> list[str]:
    """A program's command; what it finds goes into a file of its own."""
    out = folder / f"{script}.json"
    return [sys.executable, str(PROGRAMS_FOLDER / script), str(folder / "book"), str(out)]


def written(script: str, folder: Path) -> dict:
    """What a program has written: `coefficients`, the intercept last; maybe its `seconds`."""
    return dict(json.loads((folder / f"{script}.json").read_text()))


def difference(ours: list[float], theirs: list[float]) -> float:
    """The greatest difference of two coefficients."""
    return max(abs(mine - other) for mine, other in zip(ours, theirs, strict=True))


def section(rows: int, runs: dict, apart: float) -> str:
    """The table, the goal, and what they were measured on."""
    about = [
        f"Written by `make bench-fit ROWS={rows}`: {rows:,} rows of {len(FEATURES)} features,",
        f"{RUNS} run{'s' * (RUNS > 1)} of each; the coefficients are at most {apart:.0e} apart.",
    ]
    return "\n".join([*about, *tables(runs, [GOAL])])


if __name__ == "__main__":
    main(int(sys.argv[1]))
