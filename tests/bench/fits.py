"""A fit beside scikit-learn's: `make bench-fit ROWS=2000000`, of 40 features.

Both read the same Parquet files as whole processes in turn, and must come to the same coefficients.
Our fit of rows that are kept is told beside Spark ML's own regression alone, on vectors that are
scaled and cached: median of runs in turn.
The section `fit` of docs/benchmark.md is written.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from compare import OURS, PROGRAMS_FOLDER, RUNS, tables, timed
from judgement import Goal
from processes import run
from reports import write_section

sys.path.append(str(PROGRAMS_FOLDER))
from fit_book import FEATURES, write_book

THEIRS = "scikit-learn, newton-cholesky"
SCRIPTS = {OURS: "credit_spark_fit.py", THEIRS: "scikit_learn_fit.py"}
GOAL = Goal(THEIRS, "seconds", 1)
ALONE, ALONE_GOAL = "spark_ml_fit.py", 1.5
# Of coefficients of features with mean 0 and deviation 1.
CLOSE = 1e-5


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
        ours, alone = seconds_in_turn([SCRIPTS[OURS], ALONE], folder)
    beside = (
        f"Spark ML's own regression alone, on vectors that are scaled and cached, took {alone:.1f} "
        f"seconds; our fit of rows that are kept, medians and assembling included, {ours:.1f}: "
        f"{ours / alone:.2f} times that (goal {ALONE_GOAL:g})."
    )
    write_section("fit", "\n".join([section(rows, runs, apart), "", beside]))


def seconds_in_turn(scripts: Sequence[str], folder: Path) -> list[float]:
    """Of each program the median time of its fit by itself, without what stands before it."""
    found: list[list[float]] = []
    for _ in range(RUNS):
        for script in scripts:
            run(command(script, folder))
        found.append([written(script, folder)["seconds"] for script in scripts])
    return [median(own) for own in zip(*found, strict=True)]


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
        f"{RUNS} runs of each; the coefficients are at most {apart:.0e} apart.",
    ]
    return "\n".join([*about, *tables(runs, [GOAL])])


if __name__ == "__main__":
    main(int(sys.argv[1]))
