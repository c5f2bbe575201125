"""Which months a model is judged by."""

from datetime import date
from types import SimpleNamespace

import pytest

from credit_spark.monitoring.vintages import month_of, number_of
from credit_spark.pipeline.monitor import fresh


@pytest.mark.parametrize(("kept", "months_now"), [(12, 18), (12, 6), (None, 12)])
@pytest.mark.parametrize(
    ("out_of_time_from", "first"),
    [(None, "2012-01"), (date(2011, 1, 1), "2011-01"), (date(2011, 1, 15), "2011-02")],
)
def test_months_are_judged_that_the_model_has_not_learnt_from(
    out_of_time_from, first, kept, months_now
) -> None:
    """Fitted at the end of 2012 on loans a year old; what it was tested on, it has not learnt.

    Whatever the contract says since.
    """
    start = number_of(date(2010, 6, 1))
    months = [month_of(start + nth) for nth in range(24)]
    figures = {
        (f"vintage={month}", metric): {"value": value, "rows": 100}
        for month in months
        for metric, value in (("mean_pd", 0.1), ("observed_rate", 0.3))
    }
    facts = SimpleNamespace(
        as_of=date(2012, 12, 31), out_of_time_from=out_of_time_from, performance_months=kept
    )

    validated = [*fresh(figures, SimpleNamespace(facts=facts), months_now)]
    assert [each.of for each in validated] == [
        f"vintage={each}" for each in months if each >= first
    ]
    assert {(each.known, each.bad, each.pds) for each in validated} == {(100, 30, 10.0)}
