"""Loans by the month of their date, and how old they are: what a model may be judged by.

A young loan tells little: of those of one month, the bad ones are known before the good.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from credit_spark.evaluation.cells import Cell, by_risk, tallied
from credit_spark.evaluation.figures import ALL, Figure
from credit_spark.evaluation.metrics import METRICS

# A column of tallies; the blank keeps it apart from any column of a contract.
VINTAGE = "the vintage"
OF_A_VINTAGE = "vintage="
# Cells of vintages are twentieths of log-odds: AUC is within a few thousandths all the same.
STEPS = 20
SHOWN = ("ks", "auc", "gini", "mean_pd", "observed_rate")
Vintages = Mapping[int | None, Sequence[Cell]]


def judged(loans: pl.DataFrame, observed_on: str | None, as_of: date, months: int) -> pl.DataFrame:
    """Loans with their vintage (months since year 0, null where unknown), and their `outcome`.

    It is open where the loan is younger than `months` at the night, or its date is not known.
    """
    if observed_on is None:
        return loans.with_columns(pl.lit(None, pl.Int32).alias(VINTAGE))
    observed = pl.col(observed_on)
    vintage = (observed.dt.year() * 12 + observed.dt.month() - 1).cast(pl.Int32)
    month_is_not_full = (observed.dt.day() > as_of.day).cast(pl.Int32)
    age = number_of(as_of) - vintage - month_is_not_full
    is_old_enough = (age >= months).fill_null(value=False) if months else pl.lit(value=True)
    outcome = pl.when(is_old_enough).then(pl.col("outcome")).otherwise(pl.lit("open"))
    return loans.with_columns(vintage.alias(VINTAGE), outcome.alias("outcome"))


def number_of(month: date) -> int:
    """A month as a number."""
    return month.year * 12 + month.month - 1


def month_of(vintage: int) -> str:
    """The month that a number stands for.

    >>> month_of(number_of(date(2011, 12, 31)))
    '2011-12'
    """
    return f"{vintage // 12:04d}-{vintage % 12 + 1:02d}"


def tallied_vintages(scored: pl.DataFrame) -> pl.DataFrame:
    """Loans counted by `vintage` and coarse cells: `cell`, `points` (0), `good`, `bad`, `open`."""
    coarse = (pl.col("log_odds") * STEPS).round() / STEPS
    return tallied(scored.with_columns(coarse.alias("log_odds"), points=pl.lit(0)), [VINTAGE])


def vintages(tally: pl.DataFrame) -> Vintages:
    """The cells of each vintage, in order; those of loans with no date last."""
    found: dict[int | None, list[Cell]] = defaultdict(list)
    for vintage, *cell in tally.rows():
        found[vintage].append(Cell(*cell))
    ordered = sorted(found, key=lambda each: (each is None, each or 0))
    return {each: by_risk(found[each]) for each in ordered}


def vintage_figures(by_month: Vintages) -> list[Figure]:
    """Of each vintage: `loans`, and how well they were ranked and calibrated."""
    return [
        figure
        for each, cells in by_month.items()
        if each is not None
        for figure in _figures(f"{OF_A_VINTAGE}{month_of(each)}", cells)
    ]


def _figures(segment: str, cells: Sequence[Cell]) -> list[Figure]:
    known = sum(each.known for each in cells)
    loans = known + sum(each.open for each in cells)
    values = {"loans": float(loans)} | {name: METRICS[name](cells) for name in SHOWN}
    return [Figure(None, ALL, None, name, value, known, segment) for name, value in values.items()]
