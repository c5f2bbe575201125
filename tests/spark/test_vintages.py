"""Loans by month, and which are mature."""

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest
from dateutil.relativedelta import relativedelta
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score

from credit_spark.evaluation.curves import bad_among, interval, passed
from credit_spark.evaluation.metrics import auc, ks
from credit_spark.evaluation.score_bins import ScoreBin
from credit_spark.monitoring.vintages import (
    VINTAGE,
    collected_vintages,
    is_mature,
    month_of,
    newest_mature,
    number_of,
    vintage_figures,
    with_vintage,
)

AS_OF = date(2012, 1, 31)


def dated(spark, *rows: tuple):
    return spark.createDataFrame(rows, "opened date, outcome string")


def outcomes(loans, observed_on: str | None, as_of: date, months: int) -> list[str]:
    return [row["outcome"] for row in with_vintage(loans, observed_on, as_of, months).collect()]


def test_an_outcome_counts_from_a_loans_month_of_age_on(spark) -> None:
    loans = dated(
        spark,
        (date(2011, 1, 31), "bad"), (date(2011, 2, 1), "bad"), (date(2012, 1, 1), "good"),
        (None, "good"), (date(2010, 1, 1), None),
    )  # fmt: skip

    found = with_vintage(loans, "opened", AS_OF, 12).collect()

    assert [each["outcome"] for each in found] == ["bad", "open", "open", "open", None]
    assert [each[VINTAGE] and month_of(each[VINTAGE]) for each in found] == [
        "2011-01",
        "2011-02",
        "2012-01",
        None,
        "2010-01",
    ]
    assert outcomes(loans, "opened", date(2012, 1, 30), 12) == ["open"] * 4 + [None]


def test_where_no_age_is_required_every_outcome_counts(spark) -> None:
    loans = dated(spark, (date(2012, 1, 1), "bad"), (None, "good"), (date(2012, 3, 1), "good"))

    assert outcomes(loans, "opened", AS_OF, 0) == ["bad", "good", "good"]
    assert outcomes(loans, None, AS_OF, 12) == ["bad", "good", "good"]


@pytest.mark.parametrize(
    ("opened", "as_of", "months", "is_old_enough"),
    [
        (date(2012, 1, 31), date(2012, 2, 28), 1, False),
        (date(2012, 1, 31), date(2012, 2, 29), 1, True),
        (date(2011, 1, 31), date(2011, 2, 28), 1, True),
        (date(2012, 3, 31), date(2012, 4, 30), 1, True),
        (date(2012, 3, 31), date(2012, 4, 29), 1, False),
        (date(2012, 2, 29), date(2013, 2, 28), 12, True),
        (date(2012, 2, 29), date(2013, 2, 27), 12, False),
        (date(2012, 1, 30), date(2012, 3, 29), 2, False),
    ],
)
def test_a_month_is_over_on_the_loans_day_or_on_the_months_last(
    spark, opened, as_of, months, is_old_enough
) -> None:
    loans = dated(spark, (opened, "bad"))

    ((found,),) = loans.select(is_mature("opened", as_of, months)).collect()

    assert found is is_old_enough


YEARS = [date(2010, 12, 31) + timedelta(days=nth) for nth in range(3 * 365 + 1)]


def test_the_newest_mature_day_is_that_of_calendar_arithmetic() -> None:
    """Of dateutil: a day is mature where the day so many months later is not after the batch."""
    for as_of in YEARS:
        for months in range(62):
            newest = newest_mature(as_of, months)
            grown = relativedelta(months=months)
            assert newest + grown <= as_of < newest + timedelta(days=1) + grown


@pytest.mark.parametrize("as_of", [date(2013, 2, 27), date(2013, 2, 28), date(2013, 4, 30)])
def test_loans_of_three_years_mature_each_on_its_day(spark, as_of) -> None:
    loans = dated(spark, *((day, "bad") for day in YEARS))
    asked = range(1, 25)

    found = loans.agg(*[F.count_if(is_mature("opened", as_of, each)) for each in asked]).first()

    expected = [sum(day + relativedelta(months=each) <= as_of for day in YEARS) for each in asked]
    assert list(found) == expected


SCORED = f"{VINTAGE} int, log_odds double, points int, outcome string"
MARCH, DECEMBER = number_of(date(2011, 3, 1)), number_of(date(2010, 12, 1))


def test_each_vintage_is_measured_by_itself(spark) -> None:
    rows = [
        (MARCH, -3.0, 1, "good"), (MARCH, -2.0, 2, "bad"), (MARCH, -1.0, 3, "good"),
        (MARCH, 0.5, 4, "bad"), (DECEMBER, -2.0, 5, "good"), (DECEMBER, -1.0, 6, "open"),
        (DECEMBER, 0.0, 7, "bad"), (None, 0.0, 7, "bad"),
    ]  # fmt: skip

    by_month = collected_vintages(spark.createDataFrame(rows, SCORED))
    found = {(each.segment, each.metric): each for each in vintage_figures(by_month)}

    assert [*by_month] == [DECEMBER, MARCH, None]
    december = found["vintage=2010-12", "loans"]
    assert (december.value, december.rows) == (3.0, 2)
    own = [row for row in rows if row[0] == MARCH]
    oracle = roc_auc_score([row[3] == "bad" for row in own], [row[1] for row in own])
    assert found["vintage=2011-03", "auc"].value == oracle == 0.75
    assert [segment for segment, metric in found if metric == "auc"] == [
        "vintage=2010-12",
        "vintage=2011-03",
    ]


def test_coarse_score_bins_are_hundredths_of_log_odds_half_to_even(spark) -> None:
    """Numpy's `rint` is the oracle: 12.5 hundredths are 12, and 37.5 are 38."""
    values = [-1.024, -0.976, 0.125, 0.375, -0.125, 24.99]
    rows = [(5, each, 1, "good") for each in values]

    ((_, score_bins),) = collected_vintages(spark.createDataFrame(rows, SCORED)).items()

    expected = Counter(int(np.rint(each * 100)) * 10 for each in values)
    assert {each.score_bin: each.good for each in score_bins} == expected
    assert {each.points for each in score_bins} == {0}


def test_curves_begin_at_none_and_end_at_all() -> None:
    score_bins = [
        ScoreBin(2 * nth, 0, int(nth % 4 != 1), int(nth % 4 == 1), 0) for nth in range(1000)
    ]

    found = passed(score_bins)

    assert len(found) <= 201
    assert (found[0].loans, found[-1].loans, found[-1].good, found[-1].bad) == (0.0, 1.0, 1.0, 1.0)
    assert max(abs(each.bad - each.good) for each in found) <= ks(score_bins) + 1e-12
    assert auc(score_bins) == pytest.approx(0.5, abs=0.01)
    assert passed([each for each in score_bins if not each.bad]) == []


def test_an_interval_holds_its_rate() -> None:
    for known in range(1, 300):
        for bad in {0, known // 3, known}:
            low, high = interval(bad, known)
            assert 0 <= low <= bad / known <= high <= 1


def test_of_tied_loans_the_riskiest_fifth_is_an_even_part() -> None:
    tied = passed([ScoreBin(-2000, 0, 60, 10, 0), ScoreBin(-1000, 0, 20, 10, 0)])

    # The riskier score bin is 30 of 100 loans, with half of the bad ones.
    assert bad_among(tied, 0.2) == pytest.approx(0.5 * 0.2 / 0.3)
    assert bad_among(tied, 0.3) == pytest.approx(0.5)
    assert bad_among(passed([ScoreBin(0, 0, 50, 50, 0)]), 0.2) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("bad", "known", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (100, 1000, 0.0829, 0.1201),
    ],
)
def test_an_interval_is_wilsons(bad: int, known: int, low: float, high: float) -> None:
    assert interval(bad, known) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
