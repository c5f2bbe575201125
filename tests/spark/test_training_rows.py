"""Medians and other quantiles of many rows, from a sample of them."""

from statistics import median

import numpy as np
import pytest

from credit_spark.features.columns import Definition, column_of
from credit_spark.training import splits
from credit_spark.training.imbalance import Classes
from credit_spark.training.regression import Columns, imputed_and_indexed
from credit_spark.training.splits import FOLD, Holdout, TrainingRows

ROWS = 20_000
FEATURES = [Definition(name, name, is_text=False) for name in ("dense", "sparse")]


@pytest.fixture
def training(spark):
    """A number that every row has, and one that but fifty have: a part could have none of it."""
    rows = [
        (float(nth * 7919 % ROWS), float(nth) if nth % 400 == 0 else None) for nth in range(ROWS)
    ]
    columns = [f"{column_of(each.name)} double" for each in FEATURES]
    frame = spark.createDataFrame(rows, ", ".join(columns)).repartition(2)
    about = {"fold": "cast(feature_dense % 4 as int)", "quarter": "cast(feature_dense < 5000 as int)",
             "label": "cast(feature_dense % 10 = 0 as double)"}  # fmt: skip
    return frame.selectExpr("*", *[f"{sql} as {name}" for name, sql in about.items()]).persist()


def quantiles(training, features, shares) -> dict[str, list[float]]:
    return TrainingRows.of(training, features).quantiles(features, shares)


def medians(training) -> dict[str, float]:
    found = {}
    rows = TrainingRows.of(training, FEATURES)
    for imputing in imputed_and_indexed(rows, Columns(FEATURES, None)):
        found |= imputing.surrogateDF.first().asDict()
    return {name: found[column_of(name)] for name in ("dense", "sparse")}


@pytest.mark.parametrize("most", [ROWS, 2000])
def test_medians_are_those_of_all_rows_or_nearly(training, monkeypatch, most) -> None:
    monkeypatch.setattr(splits, "ENOUGH", most)

    found = medians(training)

    # Of a part of 2,000, the standard error of the rank is 1.1% of the rows: five of them.
    assert found["dense"] == pytest.approx(ROWS / 2, abs=0.055 * ROWS)
    assert found["sparse"] == pytest.approx(median(range(0, ROWS, 400)), abs=400)
    assert medians(training) == found


@pytest.mark.parametrize(("most", "apart"), [(ROWS, 0.002), (2000, 0.05)])
def test_quantiles_are_those_of_each_number(training, monkeypatch, most, apart) -> None:
    monkeypatch.setattr(splits, "ENOUGH", most)

    found = quantiles(training, FEATURES, [0.25, 0.75])

    assert found["dense"] == pytest.approx([ROWS / 4, 3 * ROWS / 4], abs=apart * ROWS)
    assert found["sparse"] == pytest.approx([ROWS / 4, 3 * ROWS / 4], abs=400)


@pytest.mark.parametrize("most", [ROWS, 2000])
def test_special_values_are_no_part_of_the_quantiles(training, monkeypatch, most) -> None:
    """Of the number that few rows have, the greater half is special."""
    monkeypatch.setattr(splits, "ENOUGH", most)
    special = [float(each) for each in range(ROWS // 2, ROWS, 400)]

    found = TrainingRows.of(training, FEATURES).quantiles(FEATURES, [0.5], {"sparse": special})

    assert found["sparse"] == pytest.approx([ROWS / 4], abs=400)
    assert found["dense"] == pytest.approx([ROWS / 2], abs=0.055 * ROWS)


def test_there_are_no_quantiles_of_no_number(training) -> None:
    assert quantiles(training, [], [0.5]) == {}


def test_the_quantiles_of_a_sample_are_numpys_of_it(training, monkeypatch) -> None:
    monkeypatch.setattr(splits, "ENOUGH", 2000)
    part = splits.sample_of(training, ROWS).toPandas()[column_of("dense")]

    found = quantiles(training, FEATURES, [0.05, 0.5, 0.95])

    assert 1800 < len(part) < 2200
    assert found["dense"] == list(np.quantile(part, [0.05, 0.5, 0.95], method="nearest"))


def test_a_loan_is_in_the_sample_of_every_date_or_of_none(spark) -> None:
    ids = [(f"loan {nth}",) for nth in range(3000)]
    first, second = (
        spark.createDataFrame(own, "loan_id string") for own in (ids[:2000], ids[1000:][::-1])
    )

    sampled = [
        {row[0] for row in splits.sample_by_id(each, 3000, 1000).collect()}
        for each in (first, second)
    ]

    both = {each[0] for each in ids[1000:2000]}
    assert sampled[0] & both == sampled[1] & both
    assert all(500 < len(each) < 850 for each in sampled)
    assert splits.sample_by_id(first, 1000, 1000) is first


@pytest.mark.parametrize("most", [ROWS, 2000])
def test_a_folds_training_rows_have_their_own_counts_and_quantiles(
    training, monkeypatch, most
) -> None:
    """With no job of their own: as if they alone had been given."""
    monkeypatch.setattr(splits, "ENOUGH", most)
    tested = Holdout(FOLD, 0)

    learnt = TrainingRows.of(training, FEATURES).without(tested)

    alone = training.where("fold <> 0")
    assert learnt.rows.count() == alone.count() == learnt.classes.rows
    bad = alone.where("label = 1").count()
    assert learnt.classes == Classes(alone.count() - bad, bad)
    assert set(
        TrainingRows.of(training, FEATURES).only(tested).select("fold").distinct().collect()
    ) == {(0,)}
    assert set(learnt.numbers["fold"].to_pylist()) == {1, 2, 3}
    if most == ROWS:
        values = sorted(row[0] for row in alone.select("feature_dense").collect())
        assert learnt.quantiles(FEATURES, [0.5])["dense"] == [
            np.quantile(values, 0.5, method="nearest")
        ]


def test_a_number_that_no_row_has_has_zeros(training) -> None:
    columns = (
        "feature_dense",
        "cast(null as double) as feature_sparse",
        "fold",
        "quarter",
        "label",
    )
    nothing = training.selectExpr(*columns)

    assert quantiles(nothing, FEATURES, [0.1, 0.9])["sparse"] == [0.0, 0.0]
