"""Boosted trees: any mixture of numbers and texts, and what they find that a line cannot."""

import pytest

from credit_spark.features.columns import Definition, column_of
from credit_spark.pipeline.benchmarks import boosted
from credit_spark.training.regression import Columns, indexer_of
from credit_spark.training.splits import TrainingRows


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
