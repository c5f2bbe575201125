"""Loans by the month of their date, and whether they are mature: old enough to count.

Outcomes of immature loans mislead: of one month's loans, the bad ones are known before the good.
`is_mature` alone decides, for training, its tests, measures and monitoring.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.evaluation.figures import Figure, segment_figures
from credit_spark.evaluation.score_bins import ScoreBin, by_risk, counted

# The underscore keeps it apart from any column of a contract.
VINTAGE = "_vintage"
OF_A_VINTAGE = "vintage="
# Score bins of vintages are hundredths of log-odds: a mean PD is within half a hundredth of itself.
STEPS = 100
SHOWN = ("ks", "auc", "gini", "mean_pd", "observed_rate")
Vintages = Mapping[int | None, Sequence[ScoreBin]]


def with_vintage(loans: DataFrame, observed_on: str | None, as_of: date, months: int) -> DataFrame:
    """Loans with their vintage, and with the `outcome` of those that are not mature set to open.

    VINTAGE is months since year 0, null where the date is, or where no column dates a loan.
    """
    vintage = F.lit(None).cast("int")
    if observed_on is not None:
        vintage = F.year(observed_on) * 12 + F.month(observed_on) - 1
    outcome = F.when(is_mature(observed_on, as_of, months), F.col("outcome")).otherwise("open")
    return loans.withColumns({VINTAGE: vintage, "outcome": outcome})


def is_mature(observed_on: str | None, as_of: date, months: int) -> Column:
    """Whether a loan is `months` old at a batch date: old enough for its outcome to count.

    A loan with no date is not; with 0 months, or no column that dates a loan, every loan is.
    """
    if observed_on is None or not months:
        return F.lit(True)
    return F.coalesce(F.col(observed_on) <= F.lit(newest_mature(as_of, months)), F.lit(False))


def newest_mature(as_of: date, months: int) -> date:
    """The newest day whose loans are `months` old at a batch date.

    A month is over on the day of the month that a loan is of or, where a month has no such day, on
    its last: so the last day of a month completes the month of every loan.

    >>> str(newest_mature(date(2012, 2, 28), 1)), str(newest_mature(date(2012, 2, 29), 1))
    ('2012-01-28', '2012-01-31')
    """
    year, month = divmod(number_of(as_of) - months, 12)
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, last if is_month_end(as_of) else min(as_of.day, last))


def is_month_end(day: date) -> bool:
    """Whether a day is the last of its month."""
    return day.day == monthrange(day.year, day.month)[1]


def number_of(month: date) -> int:
    """A month as a number."""
    return month.year * 12 + month.month - 1


def month_of(vintage: int) -> str:
    """The month of a number.

    >>> month_of(number_of(date(2011, 12, 31)))
    '2011-12'
    """
    return f"{vintage // 12:04d}-{vintage % 12 + 1:02d}"


def collected_vintages(scored: DataFrame) -> Vintages:
    """The coarse score bins of each VINTAGE, in order; those of loans with no date last."""
    # Half to even, where score bins of thousandths are rounded half away from zero.
    coarse = F.rint(F.col("log_odds") * STEPS) / STEPS
    counts = counted(scored.withColumns({"log_odds": coarse, "points": F.lit(0)}), [VINTAGE])
    found: dict[int | None, list[ScoreBin]] = defaultdict(list)
    for vintage, *score_bin in counts.collect():
        found[vintage].append(ScoreBin(*score_bin))
    ordered = sorted(found, key=lambda each: (each is None, each or 0))
    return {each: by_risk(found[each]) for each in ordered}


def vintage_figures(by_month: Vintages) -> list[Figure]:
    """Of each vintage: `loans`, and how well they were ranked and calibrated."""
    return [
        figure
        for each, score_bins in by_month.items()
        if each is not None
        for figure in segment_figures(f"{OF_A_VINTAGE}{month_of(each)}", score_bins, SHOWN)
    ]
