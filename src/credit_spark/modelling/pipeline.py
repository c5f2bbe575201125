"""The fit, in Spark ML: impute, index, encode, assemble, scale, regress. The reference of scoring.

In come feature columns, `label` (1 bad, 0 good) and `weight`; out goes a PipelineModel, and its
numbers as the document's terms.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
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
from credit_spark.modelling.parts import part_of

MOST_ITERATIONS = 500
# Coefficients then agree with those of other solvers to six digits.
TOLERANCE = 1e-9
# A share of the rows that has a value; with fewer, a part could have hardly any.
DENSE = 0.5
SCALED, INDEX = "scaled", "index"
# What a feature attains lies between these shares of its values: outliers would be no reference.
ATTAINED = (0.05, 0.95)
RANK_ERROR = 0.001
Ends = Mapping[str, tuple[float, float]]


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
    *,
    with_ends: bool = False,
) -> list[Fit]:
    """A logistic regression for each penalty, on the same scaled rows.

    Where `with_ends`, the terms know what their features attain.
    """
    scaling = scaled(training, features)
    vectors = scaling.transform(training).select(SCALED, "label", WEIGHT)
    # Each task of an iteration bears the plan that its rows come from: cut off, a fit of a few
    # thousand rows takes half the time. On disk, since the regression keeps blocks of its own.
    # Not before the first regression looks at them, which saves a pass.
    rows = vectors.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)
    found = ends(training, features) if with_ends else {}
    regressions = [_regression(each).fit(rows) for each in penalties]
    return [_fit(scaling, each, features, reasons, found) for each in regressions]


def ends(training: DataFrame, features: Sequence[Definition]) -> Ends:
    """Of each numeric feature the least and the greatest value of the middle nine tenths."""
    numbers = [each.name for each in features if not each.is_text]
    found = quantiles(training, numbers, ATTAINED)
    return {name: (values[0], values[-1]) for name, values in found.items() if values}


def quantiles(
    training: DataFrame, numbers: Sequence[str], shares: Sequence[float]
) -> dict[str, list[float]]:
    """Of each numeric feature the values below which such shares of the rows lie.

    All rows tell, within a thousandth of the rows; of many a part, but for a feature that few of
    it have. Empty where no row has a value.
    """
    columns = [column_of(each) for each in numbers]
    if not columns:
        return {}
    rows = training.count()
    part = part_of(training, rows)
    found = {} if part is training else _of_the_dense(part.select(*columns), shares)
    left = [each for each in columns if each not in found]
    if left:
        told = training.approxQuantile(left, list(shares), RANK_ERROR)
        found |= dict(zip(left, told, strict=True))
    return {each: found[column_of(each)] for each in numbers}


def _of_the_dense(part: DataFrame, shares: Sequence[float]) -> dict[str, list[float]]:
    """Quantiles of those columns that enough rows of a part have: values that stand in it."""
    rows = pl.DataFrame(part.toArrow())
    values = {each.name: each.drop_nulls().sort() for each in rows}
    return {
        name: [own[round(share * (own.len() - 1))] for share in shares]
        for name, own in values.items()
        if own.len() >= max(1, DENSE * rows.height)
    }


def _fit(
    scaling: PipelineModel,
    regression: LogisticRegressionModel,
    features: Sequence[Definition],
    reasons: Mapping[str, str],
    attained: Ends,
) -> Fit:
    whole = PipelineModel([*scaling.stages, regression])
    return Fit(whole, _terms(whole, features, reasons, attained), regression.intercept)


def scaled(training: DataFrame, features: Sequence[Definition]) -> PipelineModel:
    """Fitted stages from feature columns to the vector `scaled`.

    Of it all numbers come first, then each text's levels.
    """
    numbers = [column_of(each.name) for each in features if not each.is_text]
    texts = [column_of(each.name) for each in features if each.is_text]
    encoder = OneHotEncoder(inputCols=named(INDEX, texts), outputCols=named("levels", texts))
    assembler = VectorAssembler(
        inputCols=named("imputed", numbers) + named("levels", texts), outputCol="assembled"
    )
    scaler = StandardScaler(inputCol="assembled", outputCol=SCALED, withMean=True, withStd=True)
    encode = [encoder] if texts else []
    stages = [*imputed_and_indexed(training, features), *encode, assembler, scaler]
    return Pipeline(stages=stages).fit(training)


def imputed_and_indexed(training: DataFrame, features: Sequence[Definition]) -> list[Any]:
    """Stages that fill numbers with their median and number the texts."""
    numbers = [column_of(each.name) for each in features if not each.is_text]
    texts = [column_of(each.name) for each in features if each.is_text]
    # keep: a text that training has not seen, or that is null, has no indicator set.
    indexer = StringIndexer(
        inputCols=texts,
        outputCols=named(INDEX, texts),
        handleInvalid="keep",
        stringOrderType="alphabetAsc",
    )
    imputer = Imputer(inputCols=numbers, outputCols=named("imputed", numbers), strategy="median")
    imputing = [imputer.fit(_medians(training, features))] if numbers else []
    return imputing + ([indexer] if texts else [])


def _medians(training: DataFrame, features: Sequence[Definition]) -> DataFrame:
    """One row of medians, which are then its own: what Spark's imputer is to be fitted on."""
    numbers = [each.name for each in features if not each.is_text]
    medians = {
        column_of(name): pa.array([next(iter(found), None)], pa.float64())
        for name, found in quantiles(training, numbers, [0.5]).items()
    }
    # As Arrow it is no job for a Python worker.
    return training.sparkSession.createDataFrame(pa.table(medians))


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
    fitted: PipelineModel,
    features: Sequence[Definition],
    reasons: Mapping[str, str],
    attained: Ends,
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
            low, high = attained.get(each.name, (None, None))
            terms[each.name] = Number(
                **about,
                imputed=imputed[column],
                mean=mean,
                deviation=deviation,
                coefficient=coefficient,
                low=low,
                high=high,
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
