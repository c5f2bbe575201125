"""Variance inflation against what a regression on the other features explains."""

from math import inf
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from credit_spark.config.models import Feature
from credit_spark.features.columns import Definition
from credit_spark.training.diagnostics import inflations
from credit_spark.training.regression import Columns, indexer_of, linear, terms_of, vectors
from credit_spark.training.splits import TrainingRows

NAMES = ["a", "b", "c", "d"]
FEATURES = [Definition(each, each, is_text=False) for each in NAMES]
TEXT = Definition("t", "t", is_text=True)


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    rng = np.random.default_rng(4)
    drawn = rng.normal(size=(500, 4))
    drawn[:, 1] = drawn[:, 0] + 0.2 * drawn[:, 1]
    return drawn


def frame(spark, numbers: np.ndarray, texts: list[str]):
    ddl = ", ".join(f"feature_{each} double" for each in NAMES) + ", feature_t string"
    return spark.createDataFrame(
        [(*row, text) for row, text in zip(numbers.tolist(), texts, strict=True)], ddl
    )


def inflations_of(rows, features) -> dict[str, float]:
    training = rows.selectExpr("*", "0 as fold", "0 as quarter", "0.0d as label")
    columns = Columns(features, indexer_of(rows, features))
    contract = SimpleNamespace(
        features={each.name: Feature(sql="x", reason="x") for each in features}
    )
    design = linear(TrainingRows.of(training, features), columns, contract, {})
    return inflations(vectors(design, rows), terms_of(design.stages, columns, {}))


def of_regression(columns: np.ndarray, nth: int) -> float:
    others = np.delete(columns, nth, axis=1)
    share = LinearRegression().fit(others, columns[:, nth]).score(others, columns[:, nth])
    return 1 / (1 - share)


def test_of_numbers_it_is_the_vif(spark, numbers) -> None:
    found = inflations_of(frame(spark, numbers, ["x"] * 500), FEATURES)

    assert list(found) == NAMES
    for nth, name in enumerate(NAMES):
        assert found[name] == pytest.approx(of_regression(numbers, nth), rel=1e-6)
    assert found["a"] > 10 > found["c"]


def test_a_text_of_two_levels_is_one_column(spark, numbers) -> None:
    texts = ["yes" if row[2] + row[3] > 0.3 else "no" for row in numbers]
    columns = np.column_stack([numbers, [text == "yes" for text in texts]])

    found = inflations_of(frame(spark, numbers, texts), [*FEATURES, TEXT])

    for nth, name in enumerate([*NAMES, "t"]):
        assert found[name] == pytest.approx(of_regression(columns, nth), rel=1e-6)


def test_what_the_others_tell_exactly_is_infinite(spark, numbers) -> None:
    twice = numbers.copy()
    twice[:, 3] = 3 - 2 * twice[:, 2]

    found = inflations_of(frame(spark, twice, ["x", "y"] * 250), [*FEATURES, TEXT])

    assert found["c"] == found["d"] == inf
    assert found["a"] < 100
    assert found["t"] == pytest.approx(1, abs=0.1)
