"""Loans by month, and which are old enough to judge by."""

from datetime import date

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from credit_spark.evaluation.cells import Cell, cells_of_tallies, tallied
from credit_spark.evaluation.curves import bad_among, interval, passed
from credit_spark.evaluation.metrics import auc, ks
from credit_spark.evaluation.vintages import (
    VINTAGE,
    judged,
    month_of,
    number_of,
    tallied_vintages,
    vintage_figures,
    vintages,
)

AS_OF = date(2012, 1, 31)


def test_a_loan_is_judged_by_from_its_month_of_age_on() -> None:
    opened = [date(2011, 1, 31), date(2011, 2, 1), date(2012, 1, 1), None]
    loans = pl.DataFrame({"opened": opened, "outcome": ["bad", "bad", "good", "good"]})

    found = judged(loans, "opened", AS_OF, 12)
    a_day_before = judged(loans, "opened", date(2012, 1, 30), 12)

    assert found["outcome"].to_list() == ["bad", "open", "open", "open"]
    assert a_day_before["outcome"].to_list() == ["open"] * 4
    assert [each and month_of(each) for each in found[VINTAGE]] == [
        "2011-01",
        "2011-02",
        "2012-01",
        None,
    ]


def test_where_nothing_is_asked_every_outcome_counts() -> None:
    opened = [date(2012, 1, 1), None, date(2012, 3, 1)]
    loans = pl.DataFrame({"opened": opened, "outcome": ["bad", "good", "good"]})

    assert judged(loans, "opened", AS_OF, 0)["outcome"].to_list() == ["bad", "good", "good"]
    assert judged(loans, None, AS_OF, 12)["outcome"].to_list() == ["bad", "good", "good"]


def test_each_vintage_is_measured_by_itself_and_all_together() -> None:
    loans = pl.DataFrame({
        VINTAGE: [number_of(date(2011, 3, 1))] * 4 + [number_of(date(2010, 12, 1))] * 3,
        "log_odds": [-3.0, -2.0, -1.0, 0.5, -2.0, -1.0, 0.0],
        "points": [1, 2, 3, 4, 5, 6, 7],
        "outcome": ["good", "bad", "good", "bad", "good", "open", "bad"],
    })  # fmt: skip

    found = {
        (each.segment, each.metric): each
        for each in vintage_figures(vintages(tallied_vintages(loans)))
    }

    assert found["vintage=2011-03", "auc"].value == 0.75
    assert (found["vintage=2010-12", "loans"].value, found["vintage=2010-12", "loans"].rows) == (
        3.0,
        2,
    )
    own = loans.filter(pl.col(VINTAGE) == number_of(date(2011, 3, 1)))
    assert found["vintage=2011-03", "auc"].value == roc_auc_score(
        own["outcome"] == "bad", own["log_odds"]
    )
    assert [segment for segment, metric in found if metric == "auc"] == [
        "vintage=2010-12",
        "vintage=2011-03",
    ]


def test_coarse_cells_are_twentieths_of_log_odds() -> None:
    loans = pl.DataFrame(
        {
            VINTAGE: [5, 5],
            "log_odds": [-1.024, -0.976],
            "points": [1, 2],
            "outcome": ["good", "bad"],
        }
    )

    ((cell,),) = vintages(tallied_vintages(loans)).values()

    assert (cell.cell, cell.good, cell.bad) == (-1000, 1, 1)


def test_curves_begin_at_none_and_end_at_all() -> None:
    loans = pl.DataFrame(
        {
            "log_odds": [nth / 500 for nth in range(1000)],
            "points": [0] * 1000,
            "outcome": ["good", "bad", "good", "good"] * 250,
        }
    )
    cells = cells_of_tallies([tallied(loans)])

    found = passed(cells)

    assert len(found) <= 201
    assert (found[0].loans, found[-1].loans, found[-1].good, found[-1].bad) == (0.0, 1.0, 1.0, 1.0)
    assert max(abs(each.bad - each.good) for each in found) <= ks(cells) + 1e-12
    assert auc(cells) == pytest.approx(0.5, abs=0.01)
    assert passed([each for each in cells if not each.bad]) == []


def test_an_interval_holds_its_rate() -> None:
    for known in range(1, 300):
        for bad in {0, known // 3, known}:
            low, high = interval(bad, known)
            assert 0 <= low <= bad / known <= high <= 1


def test_of_tied_loans_the_riskiest_fifth_is_an_even_part() -> None:
    tied = passed([Cell(-2000, 0, 60, 10, 0), Cell(-1000, 0, 20, 10, 0)])

    # The riskier cell is 30 of 100 loans, with half of the bad ones.
    assert bad_among(tied, 0.2) == pytest.approx(0.5 * 0.2 / 0.3)
    assert bad_among(tied, 0.3) == pytest.approx(0.5)
    assert bad_among(passed([Cell(0, 0, 50, 50, 0)]), 0.2) == pytest.approx(0.2)


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
