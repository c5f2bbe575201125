"""A fit beside scikit-learn's: `make bench-fit ROWS=2000000`, of 40 features.

Both read the same Parquet files as whole processes in turn, and must come to the same coefficients.
Spark ML's own regression is told beside them, by itself, on vectors that are scaled and cached.
The section `fit` of docs/benchmark.md is written.
"""

import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from compare import OURS, PROGRAMS_FOLDER, RUNS, measured, tables, timed
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
        commands = {program: command(program, folder) for program in SCRIPTS}
        for words in commands.values():
            run(words)
        apart = difference(*[coefficients(folder, program) for program in SCRIPTS])
        assert apart < CLOSE, f"the coefficients are {apart} apart"
        runs = timed(commands)
        alone = seconds_alone(folder)
    ratio = measured("seconds", runs[OURS]) / alone
    beside = (
        f"Spark ML's own regression alone, on cached vectors, took {alone:.1f} seconds; our whole "
        f"process, start, reading and scaling included, {ratio:.2f} times that (goal "
        f"{ALONE_GOAL:g})."
    )
    write_section("fit", "\n".join([section(rows, runs, apart), "", beside]))


def seconds_alone(folder: Path) -> float:
    """The median time of Spark ML's regression, without what stands before it."""
    found = []
    for _ in range(RUNS):
        out = folder / "alone.json"
        run([sys.executable, str(PROGRAMS_FOLDER / ALONE), str(folder / "book"), str(out)])
        found.append(json.loads(out.read_text())["seconds"])
    return median(found)


def command(program: str, folder: Path) -> list[str]:
    """A program's command; its coefficients go into a file of its own."""
    script, out = PROGRAMS_FOLDER / SCRIPTS[program], folder / f"{SCRIPTS[program]}.json"
    return [sys.executable, str(script), str(folder / "book"), str(out)]


def coefficients(folder: Path, program: str) -> list[float]:
    """What a program has written: the coefficients, then the intercept."""
    return list(json.loads((folder / f"{SCRIPTS[program]}.json").read_text()))


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
