"""Boosted trees: any mixture of numbers and texts, and what they find that a line cannot."""

import pytest

from credit_spark.features.columns import Definition, column_of
from credit_spark.pipeline.benchmarks import boosted
from credit_spark.training.regression import Columns, indexer_of
from credit_spark.training.splits import FOLD, Holdout, TrainingRows


def test_a_text_that_only_held_out_loans_have_is_scored(spark) -> None:
    """Of 40 texts one is in the held-out fold alone."""
    rows = [(f"text {nth % 39:02}", float(nth % 3 == 0), 0) for nth in range(390)]
    rows += [("text 39", 1.0, 1), ("text 00", 0.0, 1)]
    every = spark.createDataFrame(rows, [column_of("text"), "label", "fold"])
    every = every.selectExpr("*", "0 as quarter").cache()
    features = [Definition("text", "text", is_text=True)]
    training = TrainingRows.of(every, features)
    shown = Columns(features, indexer_of(every, features))

    trees = boosted(training.without(Holdout(FOLD, 1)), shown, seed=1)

    assert trees.transform(training.only(Holdout(FOLD, 1))).count() == 2


@pytest.mark.parametrize("names", [("number",), ("text",), ("number", "text")])
def test_trees_are_fitted_on_numbers_on_texts_and_on_both(spark, names) -> None:
    """Bad is what lies in the middle, or is called so."""
    rows = [
        (float(nth % 9), "odd" if nth % 9 in (4, 5) else "plain", float(nth % 9 in (4, 5)))
        for nth in range(360)
    ]
    columns = [column_of("number"), column_of("text"), "label"]
    training = spark.createDataFrame(rows, columns).selectExpr("*", "0 as fold", "0 as quarter")
    features = [Definition(name, name, is_text=name == "text") for name in names]

    shown = Columns(features, indexer_of(training, features))
    trees = boosted(TrainingRows.of(training, features), shown, seed=1)

    found = trees.transform(training).select("label", "prediction").distinct().collect()
    assert sorted(map(tuple, found)) == [(0.0, 0.0), (1.0, 1.0)]
