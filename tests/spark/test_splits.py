from datetime import date, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from pyspark.sql import functions as F

from credit_spark.config.models import Contract
from credit_spark.features.columns import ABSENT, Definition
from credit_spark.training.diagnostics import counted_bins, single_auc
from credit_spark.training.splits import TrainingRows, fold, out_of_time_from
from tests.frames import rows

DDL = "number string, amount double, rate double, income double, owned string, opened_on date"


def test_equal_loans_stand_in_one_fold_whatever_their_key(spark, contract) -> None:
    loans = [(f"n{i}", float(i % 40), 0.1, None, "OWN", date(2025, 1, 1)) for i in range(400)]

    folds = rows(spark.createDataFrame(loans, DDL).select("amount", fold(contract)))

    assert len(set(folds)) == 40
    assert {each[1] for each in folds} == {0, 1, 2}


def test_folds_are_of_like_size(spark, contract) -> None:
    loans = [(f"n{i}", float(i), 0.1, None, "OWN", None) for i in range(3000)]

    sizes = dict(spark.createDataFrame(loans, DDL).groupBy(fold(contract)).count().collect())

    assert all(900 < size < 1100 for size in sizes.values())


def test_a_borrower_stands_in_one_fold(spark, contract: Contract) -> None:
    by_owner = contract.model_copy(
        update={"model": contract.model.model_copy(update={"borrower": "owned"})}
    )
    loans = [(f"n{i}", float(i), 0.1, None, f"owner {i % 30}", None) for i in range(300)]

    folds = rows(spark.createDataFrame(loans, DDL).select("owned", fold(by_owner)).distinct())

    assert len(folds) == 30


def test_the_outcome_moves_no_loan_to_another_fold(spark, contract) -> None:
    """Not even where a contract takes it for known at application: the frame does not have it."""
    early = contract.columns["status"].model_copy(update={"known": "application"})
    changed = contract.model_copy(update={"columns": {**contract.columns, "status": early}})
    loans = spark.createDataFrame(
        [(f"n{i}", float(i), 0.1, None, "OWN", None) for i in range(50)], DDL
    )

    assert rows(loans.select(fold(changed))) == rows(loans.select(fold(contract)))


def test_loans_whose_borrower_is_not_known_are_shared_out_by_content(spark, contract) -> None:
    by_owner = contract.model_copy(
        update={"model": contract.model.model_copy(update={"borrower": "owned"})}
    )
    loans = [(f"n{i}", float(i % 40), 0.1, None, None, None) for i in range(400)]

    folds = rows(spark.createDataFrame(loans, DDL).select("amount", fold(by_owner)))

    assert len(set(folds)) == 40
    assert {each[1] for each in folds} == {0, 1, 2}


@pytest.mark.parametrize(
    ("given", "months", "as_of", "first"),
    [
        ("12 months", 12, date(2012, 12, 31), date(2011, 1, 1)),
        ("12 months", 12, date(2012, 12, 30), date(2010, 12, 1)),
        ("12 months", 12, date(2013, 1, 31), date(2011, 2, 1)),
        ("12 months", 12, date(2013, 1, 30), date(2011, 1, 1)),
        ("12 months", 12, date(2013, 1, 1), date(2011, 1, 1)),
        # Of February, all loans are a month old by its own last day's number, or by a month's end.
        ("1 months", 1, date(2012, 3, 28), date(2012, 1, 1)),
        ("1 months", 1, date(2012, 3, 29), date(2012, 2, 1)),
        ("1 months", 1, date(2012, 2, 29), date(2012, 1, 1)),
        ("12 months", 0, date(2012, 1, 31), date(2011, 2, 1)),
        ("12 months", 0, date(2012, 1, 30), date(2011, 1, 1)),
        ("1 months", 0, date(2012, 1, 1), date(2011, 12, 1)),
        (date(2011, 1, 1), 12, date(2026, 3, 2), date(2011, 1, 1)),
        (None, 12, date(2026, 3, 2), None),
    ],
)
def test_the_out_of_time_test_begins_on_a_day(
    contract: Contract, given, months, as_of, first
) -> None:
    plan = contract.model.model_copy(update={"out_of_time_from": given})
    asked = contract.model_copy(update={"model": plan, "performance_months": months})

    assert out_of_time_from(asked, as_of) == first


def test_a_span_has_as_many_full_months_of_mature_loans(contract: Contract) -> None:
    """And the month after them is not one: some of its loans are too young."""
    plan = contract.model.model_copy(update={"out_of_time_from": "6 months"})
    for nth in range(2 * 366):
        as_of = date(2011, 7, 1) + timedelta(days=nth)
        for months in (0, 1, 11, 12):
            asked = contract.model_copy(update={"model": plan, "performance_months": months})

            first = out_of_time_from(asked, as_of)

            next_month = first + relativedelta(months=6)
            last, age = next_month - timedelta(days=1), relativedelta(months=months)
            assert first.day == 1
            assert last + age <= as_of < next_month + relativedelta(day=31) + age


def test_a_feature_that_is_the_answer_is_seen(spark) -> None:
    rows_ = [(float(i % 2), float(i % 2) * 5, float(i), None if i % 2 else "x") for i in range(400)]
    frame = spark.createDataFrame(
        rows_, "label double, feature_leak double, feature_noise double, feature_gap string"
    )
    frame = frame.withColumn("feature_gap", F.coalesce("feature_gap", F.lit(ABSENT)))
    features = [Definition("leak", "", is_text=False), Definition("noise", "", is_text=False), Definition("gap", "", is_text=True)]  # fmt: skip

    frame = frame.selectExpr("*", "0 as fold", "0 as quarter")

    bins = counted_bins(TrainingRows.of(frame, features), features)
    aucs = {name: single_auc(own) for name, own in bins.items()}

    assert aucs["leak"] == 1
    assert aucs["gap"] == 1
    assert aucs["noise"] < 0.52
