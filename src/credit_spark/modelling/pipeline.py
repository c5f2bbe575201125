"""The fit, in Spark ML: impute, index, encode, assemble, scale, regress. The reference of scoring.

In come feature columns, `label` (1 bad, 0 good) and `weight`; out goes a PipelineModel, and its
numbers as the document's terms.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.feature import (
    Imputer,
    ImputerModel,
    OneHotEncoder,
    StandardScaler,
    StandardScalerModel,
    StringIndexer,
    StringIndexerModel,
    VectorAssembler,
)
from pyspark.sql import DataFrame

from credit_spark.modelling.document import Category, Level, Number
from credit_spark.modelling.features import Definition, column_of
from credit_spark.modelling.imbalance import WEIGHT

MOST_ITERATIONS = 500
# Coefficients then agree with those of other solvers to six digits.
TOLERANCE = 1e-9


class Fit(NamedTuple):
    """A fitted pipeline, its terms in the features' order, and its intercept."""

    pipeline: PipelineModel
    terms: tuple[Number | Category, ...]
    intercept: float


def fit(
    training: DataFrame,
    features: Sequence[Definition],
    reasons: Mapping[str, str],
    regularisation: float,
) -> Fit:
    """Fit a logistic regression on treated training rows; `regularisation` is the L2 penalty."""
    fitted = _pipeline(features, regularisation).fit(training)
    return Fit(fitted, _terms(fitted, features, reasons), _regression(fitted).intercept)


def _pipeline(features: Sequence[Definition], regularisation: float) -> Pipeline:
    numbers = [column_of(each.name) for each in features if not each.is_text]
    texts = [column_of(each.name) for each in features if each.is_text]
    imputer = Imputer(inputCols=numbers, outputCols=_named("imputed", numbers), strategy="median")
    # keep: a text that training has not seen, or that is null, has no indicator set.
    indexer = StringIndexer(
        inputCols=texts,
        outputCols=_named("index", texts),
        handleInvalid="keep",
        stringOrderType="alphabetAsc",
    )
    encoder = OneHotEncoder(inputCols=_named("index", texts), outputCols=_named("levels", texts))
    assembler = VectorAssembler(
        inputCols=_named("imputed", numbers) + _named("levels", texts), outputCol="assembled"
    )
    scaler = StandardScaler(inputCol="assembled", outputCol="scaled", withMean=True, withStd=True)
    regression = LogisticRegression(
        featuresCol="scaled",
        labelCol="label",
        weightCol=WEIGHT,
        regParam=regularisation,
        standardization=False,
        maxIter=MOST_ITERATIONS,
        tol=TOLERANCE,
    )
    impute = [imputer] if numbers else []
    encode: list[Any] = [indexer, encoder] if texts else []
    return Pipeline(stages=[*impute, *encode, assembler, scaler, regression])


def _named(prefix: str, columns: Sequence[str]) -> list[str]:
    return [f"{prefix}_{column}" for column in columns]


def _regression(fitted: PipelineModel) -> LogisticRegressionModel:
    stage = fitted.stages[-1]
    assert isinstance(stage, LogisticRegressionModel)
    return stage


def _terms(
    fitted: PipelineModel, features: Sequence[Definition], reasons: Mapping[str, str]
) -> tuple[Number | Category, ...]:
    """The document's terms; the vector has all numbers first, then each text's levels."""
    scaler = next(each for each in fitted.stages if isinstance(each, StandardScalerModel))
    means, deviations = scaler.mean.toArray(), scaler.std.toArray()
    slots = np.column_stack([means, deviations, _regression(fitted).coefficients.toArray()])
    imputed, levels = _imputed(fitted), _levels(fitted)
    rows = iter(slots.tolist())
    terms: dict[str, Number | Category] = {}
    for each in sorted(features, key=lambda feature: feature.is_text):
        about: dict[str, Any] = {
            "name": each.name,
            "sql": each.sql,
            "reason": reasons[each.name],
        }
        column = column_of(each.name)
        if each.is_text:
            known = tuple(_level(text, next(rows)) for text in levels[column])
            terms[each.name] = Category(**about, levels=known)
        else:
            mean, deviation, coefficient = next(rows)
            terms[each.name] = Number(
                **about,
                imputed=imputed[column],
                mean=mean,
                deviation=deviation,
                coefficient=coefficient,
            )
    return tuple(terms[each.name] for each in features)


def _level(text: str, slot: Sequence[float]) -> Level:
    mean, deviation, coefficient = slot
    return Level(text=text, mean=mean, deviation=deviation, coefficient=coefficient)


def _imputed(fitted: PipelineModel) -> dict[str, float]:
    models = [each for each in fitted.stages if isinstance(each, ImputerModel)]
    rows = [model.surrogateDF.first() for model in models]
    return {name: value for row in rows if row for name, value in row.asDict().items()}


def _levels(fitted: PipelineModel) -> dict[str, list[str]]:
    models = [each for each in fitted.stages if isinstance(each, StringIndexerModel)]
    return {
        column: list(labels)
        for model in models
        for column, labels in zip(model.getInputCols(), model.labelsArray, strict=True)
    }
