"""The fit, in Spark ML: impute, index, encode, assemble, scale, regress. The reference of scoring.

In come feature columns, `label` (1 bad, 0 good) and `weight`; out goes a PipelineModel, and its
numbers as the document's terms.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pyspark import StorageLevel
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

from credit_spark.contract.models import Penalty
from credit_spark.modelling.document import Category, Level, Number
from credit_spark.modelling.features import Definition, column_of, feature_of
from credit_spark.modelling.imbalance import WEIGHT

MOST_ITERATIONS = 500
# Coefficients then agree with those of other solvers to six digits.
TOLERANCE = 1e-9
SCALED, INDEX = "scaled", "index"


class Fit(NamedTuple):
    """A fitted pipeline, its terms in the features' order, and its intercept."""

    pipeline: PipelineModel
    terms: tuple[Number | Category, ...]
    intercept: float


def fits(
    training: DataFrame,
    features: Sequence[Definition],
    reasons: Mapping[str, str],
    penalties: Sequence[Penalty],
) -> list[Fit]:
    """A logistic regression for each penalty, on the same scaled rows."""
    scaling = scaled(features).fit(training)
    vectors = scaling.transform(training).select(SCALED, "label", WEIGHT)
    # Each task of an iteration bears the plan that its rows come from: cut off, a fit of a few
    # thousand rows takes half the time. On disk, since the regression keeps blocks of its own.
    rows = vectors.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
    return [_fit(scaling, _regression(each).fit(rows), features, reasons) for each in penalties]


def _fit(
    scaling: PipelineModel,
    regression: LogisticRegressionModel,
    features: Sequence[Definition],
    reasons: Mapping[str, str],
) -> Fit:
    whole = PipelineModel([*scaling.stages, regression])
    return Fit(whole, _terms(whole, features, reasons), regression.intercept)


def scaled(features: Sequence[Definition]) -> Pipeline:
    """Feature columns to the vector `scaled`: all numbers first, then each text's levels."""
    numbers = [column_of(each.name) for each in features if not each.is_text]
    texts = [column_of(each.name) for each in features if each.is_text]
    encoder = OneHotEncoder(inputCols=named(INDEX, texts), outputCols=named("levels", texts))
    assembler = VectorAssembler(
        inputCols=named("imputed", numbers) + named("levels", texts), outputCol="assembled"
    )
    scaler = StandardScaler(inputCol="assembled", outputCol=SCALED, withMean=True, withStd=True)
    encode = [encoder] if texts else []
    return Pipeline(stages=[*imputed_and_indexed(features), *encode, assembler, scaler])


def imputed_and_indexed(features: Sequence[Definition]) -> list[Any]:
    """Stages that fill numbers with their median and number the texts."""
    numbers = [column_of(each.name) for each in features if not each.is_text]
    texts = [column_of(each.name) for each in features if each.is_text]
    imputer = Imputer(inputCols=numbers, outputCols=named("imputed", numbers), strategy="median")
    # keep: a text that training has not seen, or that is null, has no indicator set.
    indexer = StringIndexer(
        inputCols=texts,
        outputCols=named(INDEX, texts),
        handleInvalid="keep",
        stringOrderType="alphabetAsc",
    )
    return ([imputer] if numbers else []) + ([indexer] if texts else [])


def _regression(penalty: Penalty) -> LogisticRegression:
    return LogisticRegression(
        featuresCol=SCALED,
        labelCol="label",
        weightCol=WEIGHT,
        regParam=penalty.regularisation,
        elasticNetParam=penalty.elastic_net,
        standardization=False,
        maxIter=MOST_ITERATIONS,
        tol=TOLERANCE,
    )


def named(prefix: str, columns: Sequence[str]) -> list[str]:
    """The columns' names once they are, say, imputed."""
    return [f"{prefix}_{column}" for column in columns]


def _terms(
    fitted: PipelineModel, features: Sequence[Definition], reasons: Mapping[str, str]
) -> tuple[Number | Category, ...]:
    """The document's terms; the vector has all numbers first, then each text's levels."""
    scaler = next(each for each in fitted.stages if isinstance(each, StandardScalerModel))
    means, deviations = scaler.mean.toArray(), scaler.std.toArray()
    regression = fitted.stages[-1]
    assert isinstance(regression, LogisticRegressionModel)
    slots = np.column_stack([means, deviations, regression.coefficients.toArray()])
    imputed, levels = _imputed(fitted), levels_of(fitted)
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
            known = tuple(_level(text, next(rows)) for text in levels[each.name])
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


def levels_of(fitted: PipelineModel) -> dict[str, list[str]]:
    """The texts of each categorical feature, in the vector's order."""
    models = [each for each in fitted.stages if isinstance(each, StringIndexerModel)]
    return {
        feature_of(column): list(labels)
        for model in models
        for column, labels in zip(model.getInputCols(), model.labelsArray, strict=True)
    }
