"""Trainings of the real books with every imbalance strategy: `make bench-train DATA=FOLDER`.

Whole processes of `credit-spark train --imbalance all`, with the contract's folds; and SMOTE on
books of several sizes, whose memory must not grow with them. The default training of a small sample
is timed beside a plain program of Spark ML. The section `training` of docs/benchmark.md is written.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from compare import OURS, PROGRAMS_FOLDER
from nightly import AS_OF, CREDIT_SPARK, night, sample
from processes import Run, run
from reports import PROJECT, machine, write_section
from works import event_log_options, event_log_settings, jobs_of

sys.path += [str(PROGRAMS_FOLDER), str(PROJECT)]
from fit_book import FEATURES, write_book

from credit_spark.config.loading import load_contract
from credit_spark.training.splits import out_of_time_from
from tests.projects import closed_book

# The batch, the file, and how many minutes all imbalance strategies may take on two cores.
BOOKS = {
    "lending_club": ("2012-12-31", "lendingclub_2007_2011/loans.csv", 5),
    "bootcamp": ("2026-01-31", "bootcamp_lending/lending_data.csv", 4),
}
SMOTE_ROWS = (500_000, 2_000_000)
SAMPLE_ROWS = 20_000
PLAIN = "plain Spark ML"


class Training(NamedTuple):
    """A training's process, and how many jobs Spark ran in it."""

    took: Run
    jobs: int


def main(data: str) -> None:
    """Time every training, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained = {portfolio: training(portfolio, data, folder) for portfolio in BOOKS}
        smoted = {rows: smote(rows, folder) for rows in SMOTE_ROWS}
        beside = beside_plain(folder)
    write_section(
        "training", "\n".join([*section(trained, smoted), *plain_table(beside), machine()])
    )


def training(portfolio: str, data: str, folder: Path) -> Run:
    """Clean a book, and train on it with every imbalance strategy: what the training took."""
    as_of, file, _ = BOOKS[portfolio]
    flags = [
        "--portfolio", portfolio, "--as-of", as_of, "--landing", f"{data}/{file}",
        "--warehouse", str(folder / "warehouse"), "--project", str(closed_book(folder / portfolio)),
    ]  # fmt: skip
    run([CREDIT_SPARK, "clean", *flags])
    return run([CREDIT_SPARK, "train", *flags, "--imbalance", "all"])


def beside_plain(folder: Path) -> dict[str, Training]:
    """The default training of a sample, and a plain program with as many fits of the same loans."""
    landing, warehouse = folder / "landing", folder / "sample"
    run(sample(SAMPLE_ROWS, landing))
    run(night(landing, warehouse, "clean"))
    ours, plain = night(landing, warehouse, "train"), plain_program(warehouse)
    took = {OURS: run(ours), PLAIN: run([*plain, str(folder / "plain")])}
    # Once more for the count: an event log costs time.
    jobs = {
        OURS: counted(ours, folder / "our-log"),
        PLAIN: plain_counted([*plain, str(folder / "plain again")], folder / "plain-log"),
    }
    return {program: Training(took[program], jobs[program]) for program in took}


def plain_program(warehouse: Path) -> list[str]:
    """The plain program's command, all but the folder that it writes to."""
    contract = load_contract(PROJECT / "conf/portfolios/lending_club.yml")
    cutoff = out_of_time_from(contract, date.fromisoformat(AS_OF))
    script, loans = PROGRAMS_FOLDER / "spark_ml_training.py", warehouse / "lending_club/loans"
    return [sys.executable, str(script), str(loans), str(cutoff), str(contract.model.folds)]


def counted(command: list[str], log: Path) -> int:
    """How many jobs Spark starts in a command of this project; its event log goes to `log`."""
    run([*command, "--settings", event_log_settings(log)])
    return jobs_of(log)


def plain_counted(command: list[str], log: Path) -> int:
    """How many jobs Spark starts in a plain program; no blank may be in the path of `log`."""
    options = event_log_options(log).items()
    words = " ".join(f"--conf {name}={value}" for name, value in options)
    run(command, {**os.environ, "PYSPARK_SUBMIT_ARGS": f"{words} pyspark-shell"})
    return jobs_of(log)


def smote(rows: int, folder: Path) -> Run:
    """SMOTE on a book of so many rows."""
    book = folder / f"book-{rows}"
    write_book(book, rows)
    script = PROGRAMS_FOLDER / "smote_book.py"
    return run([sys.executable, str(script), str(book), str(folder / f"{rows}.json")])


def section(trained: dict[str, Run], smoted: dict[int, Run]) -> Iterator[str]:
    """Both tables, and what they were measured on."""
    yield "Written by `make bench-train`: one run of each."
    yield ""
    yield "| training, all strategies | seconds | goal, at most | met | peak memory, MB |"
    yield "|---|---|---|---|---|"
    for portfolio, took in trained.items():
        most = BOOKS[portfolio][2] * 60
        met = "yes" if took.seconds <= most else "no"
        yield f"| {portfolio} | {took.seconds:.0f} | {most} | {met} | {took.peak:,.0f} |"
    yield ""
    yield f"| SMOTE, {len(FEATURES)} features | seconds | peak memory, MB |"
    yield "|---|---|---|"
    for rows, took in smoted.items():
        yield f"| {rows:,} rows | {took.seconds:.0f} | {took.peak:,.0f} |"
    yield ""


def plain_table(beside: dict[str, Training]) -> Iterator[str]:
    """The default training and the plain program."""
    yield f"| default training, sample of {SAMPLE_ROWS:,} rows | seconds | Spark jobs |"
    yield "|---|---|---|"
    for name, (took, jobs) in beside.items():
        yield f"| {name} | {took.seconds:.0f} | {jobs} |"
    yield ""


if __name__ == "__main__":
    main(sys.argv[1])
