"""Loans by the month of their date, and whether they are old enough for their outcome to count.

A young loan tells little: of those of one month, the bad ones are known before the good.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.evaluation.cells import Cell, by_risk, counted
from credit_spark.evaluation.figures import Figure, segment_figures

# The underscore keeps it apart from any column of a contract.
VINTAGE = "_vintage"
OF_A_VINTAGE = "vintage="
# Cells of vintages are twentieths of log-odds: AUC is within a few thousandths all the same.
STEPS = 20
SHOWN = ("ks", "auc", "gini", "mean_pd", "observed_rate")
Vintages = Mapping[int | None, Sequence[Cell]]


def with_vintage(loans: DataFrame, observed_on: str | None, as_of: date, months: int) -> DataFrame:
    """Loans with their vintage, and with the `outcome` of those that are too young set to open.

    Too young is a loan with no date, or of fewer full `months` at the batch date; with 0 months, or
    no column `observed_on` that dates a loan, every outcome counts. VINTAGE is months since year 0,
    null where the date is.
    """
    if observed_on is None:
        return loans.withColumn(VINTAGE, F.lit(None).cast("int"))
    observed = F.col(observed_on)
    vintage = F.year(observed) * 12 + F.month(observed) - 1
    month_is_not_full = (F.day(observed) > as_of.day).cast("int")
    age = number_of(as_of) - vintage - month_is_not_full
    is_old_enough = F.coalesce(age >= months, F.lit(False)) if months else F.lit(True)
    outcome = F.when(is_old_enough, F.col("outcome")).otherwise("open")
    return loans.withColumns({VINTAGE: vintage, "outcome": outcome})


def number_of(month: date) -> int:
    """A month as a number."""
    return month.year * 12 + month.month - 1


def month_of(vintage: int) -> str:
    """The month that a number stands for.

    >>> month_of(number_of(date(2011, 12, 31)))
    '2011-12'
    """
    return f"{vintage // 12:04d}-{vintage % 12 + 1:02d}"


def collected_vintages(scored: DataFrame) -> Vintages:
    """The coarse cells of each VINTAGE, in order; those of loans with no date last."""
    # Half to even, where cells of thousandths are rounded half away from zero.
    coarse = F.rint(F.col("log_odds") * STEPS) / STEPS
    counts = counted(scored.withColumns({"log_odds": coarse, "points": F.lit(0)}), [VINTAGE])
    found: dict[int | None, list[Cell]] = defaultdict(list)
    for vintage, *cell in counts.collect():
        found[vintage].append(Cell(*cell))
    ordered = sorted(found, key=lambda each: (each is None, each or 0))
    return {each: by_risk(found[each]) for each in ordered}


def vintage_figures(by_month: Vintages) -> list[Figure]:
    """Of each vintage: `loans`, and how well they were ranked and calibrated."""
    return [
        figure
        for each, cells in by_month.items()
        if each is not None
        for figure in segment_figures(f"{OF_A_VINTAGE}{month_of(each)}", cells, SHOWN)
    ]
