"""The linear design, and the fit of any design by Spark ML's logistic regression.

Stages impute, index, encode, assemble and scale; the vector has the features in the contract's
order. A design is made of training rows as they are; imbalance strategies then act on its vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from sys import float_info
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.ml.feature import (
    Imputer,
    ImputerModel,
    OneHotEncoder,
    SQLTransformer,
    StandardScaler,
    StandardScalerModel,
    StringIndexer,
    StringIndexerModel,
    VectorAssembler,
)
from pyspark.ml.functions import array_to_vector
from pyspark.ml.linalg import DenseMatrix, DenseVector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from credit_spark.config.models import Contract, Expectation, Penalty
from credit_spark.features.columns import (
    ABSENT,
    TABLE,
    Definition,
    column_of,
    feature_of,
    inserted,
    numbers_and_texts,
)
from credit_spark.scoring.document import (
    Category,
    Level,
    Number,
    Recalibration,
    Term,
    multiplied,
    slots_of,
)
from credit_spark.training.imbalance import WEIGHT
from credit_spark.training.splits import Edges, TrainingRows

ASSEMBLED, SCALED = "assembled", "scaled"
INDEX, IMPUTED, INDICATOR = "index", "imputed", "missing"
MAX_ITERATIONS = 200
# Coefficients then agree with those of other solvers to 1e-4 of a deviation.
TOLERANCE = 1e-8
MOST = float_info.max
SIGNS: Mapping[Expectation | None, int] = {"increases_risk": 1, "lowers_risk": -1, None: 0}


class Equation(NamedTuple):
    """Log-odds of bad as terms, in the features' order, and an intercept."""

    terms: tuple[Term, ...]
    intercept: float


class Design(NamedTuple):
    """What a regression sees of a loan, and what its coefficients mean.

    `stages` lead from feature columns to the vector SCALED. `signs` has a number for each slot of
    the vector: 1 or -1 where the coefficient may not have the other sign, else 0. `equation` takes
    the slopes of the slots before they are scaled, and the intercept.
    """

    stages: PipelineModel
    signs: Sequence[int]
    equation: Callable[[Sequence[float], float], Equation]


class Columns(NamedTuple):
    """The features of a linear design, and those that have an indicator of a missing value.

    `indexer` numbers the texts of all training rows. A text that a fold's training rows lack has no
    weight in its fit, as one that is not known.
    """

    features: Sequence[Definition]
    indexer: StringIndexerModel | None
    indicated: frozenset[str] = frozenset()


def linear(training: TrainingRows, columns: Columns, contract: Contract, ends: Edges) -> Design:
    """The linear design of training rows: medians, levels and deviations are theirs.

    `ends` are the lowest and the highest value of a number that reasons may be held against.
    """
    numbers, texts = numbers_and_texts(columns.features)
    stages = imputed_and_indexed(training, columns)
    flags = {
        f"{INDICATOR}_{each}": each for each in numbers if feature_of(each) in columns.indicated
    }
    if flags:
        stages.append(
            sql_columns(
                [f"cast({each} is null as double) as {flag}" for flag, each in flags.items()]
            )
        )
    if texts:
        levels = named("levels", texts)
        stages.append(OneHotEncoder(inputCols=named(INDEX, texts), outputCols=levels))
    slots: list[str] = []
    for each in columns.features:
        own = column_of(each.name)
        slots.append(f"{'levels' if each.is_text else IMPUTED}_{own}")
        slots += [flag for flag in flags if flags[flag] == own]
    fitted = Pipeline(stages=[*stages, *assembled(slots)]).fit(training.rows)
    return Design(
        fitted,
        signs_of(columns, levels_of(fitted), contract),
        lambda slopes, intercept: _equation(terms_of(fitted, columns, ends), slopes, intercept),
    )


def assembled(columns: Sequence[str]) -> list[Any]:
    """Stages from columns to the vector SCALED, whose slots have a deviation of 1."""
    return [
        VectorAssembler(inputCols=list(columns), outputCol=ASSEMBLED),
        # The mean stays in: so the vector of a loan with many levels is sparse.
        StandardScaler(inputCol=ASSEMBLED, outputCol=SCALED, withMean=False, withStd=True),
    ]


def signs_of(
    columns: Columns, levels: Mapping[str, Sequence[str]], contract: Contract
) -> list[int]:
    """The sign that each slot's coefficient keeps to by the contract's `expect`."""
    found: list[int] = []
    for each in columns.features:
        if each.is_text:
            found += [0] * len(levels[each.name])
        else:
            found.append(SIGNS[contract.features[each.name].expect])
            found += [0] * (each.name in columns.indicated)
    return found


def indexer_of(rows: DataFrame, features: Sequence[Definition]) -> StringIndexerModel | None:
    """The stage that numbers the texts of rows; None: no feature is a text."""
    _, texts = numbers_and_texts(features)
    if not texts:
        return None
    # keep: a text that training has not seen has no indicator set.
    return StringIndexer(
        inputCols=texts,
        outputCols=named(INDEX, texts),
        handleInvalid="keep",
        stringOrderType="alphabetAsc",
    ).fit(rows)


def imputed_and_indexed(training: TrainingRows, columns: Columns) -> list[Any]:
    """Stages that fill numbers with their median and number the texts."""
    numbers, _ = numbers_and_texts(columns.features)
    indexing = [columns.indexer] if columns.indexer else []
    if not numbers:
        return indexing
    imputer = Imputer(inputCols=numbers, outputCols=named(IMPUTED, numbers), strategy="median")
    medians = training.quantiles(columns.features, [0.5])
    values = {each: pa.array(medians[feature_of(each)], pa.float64()) for each in numbers}
    # Of one row of medians, they are its own. As Arrow, it is no job for a Python worker.
    row = training.rows.sparkSession.createDataFrame(pa.table(values))
    return [imputer.fit(row), *indexing]


def sql_columns(definitions: Sequence[str]) -> SQLTransformer:
    """A stage that adds columns, each an expression with its name."""
    columns = ", ".join(["*", *map(inserted, definitions)])
    return SQLTransformer(statement=f"select {columns} from {TABLE}")  # noqa: S608


def named(prefix: str, columns: Sequence[str]) -> list[str]:
    """The columns' names once they are, say, imputed."""
    return [f"{prefix}_{column}" for column in columns]


def medians_of(fitted: PipelineModel) -> dict[str, float]:
    """What replaces null in each numeric feature, of fitted stages."""
    imputers = (each for each in fitted.stages if isinstance(each, ImputerModel))
    found = [each.surrogateDF.collect()[0] for each in imputers]
    return {feature_of(name): value for row in found for name, value in row.asDict().items()}


def levels_of(fitted: PipelineModel) -> dict[str, list[str]]:
    """The texts of each categorical feature, in the vector's order."""
    return {
        feature_of(column): list(labels)
        for model in fitted.stages
        if isinstance(model, StringIndexerModel)
        for column, labels in zip(model.getInputCols(), model.labelsArray, strict=True)
    }


def scaler_of(fitted: PipelineModel) -> StandardScalerModel:
    """The stage that scales the vector: means and deviations of its slots."""
    return next(each for each in fitted.stages if isinstance(each, StandardScalerModel))


def vectors(design: Design, rows: DataFrame, *beside: str) -> DataFrame:
    """The rows' vectors and the columns `beside` them, made when first asked for, and kept."""
    made = design.stages.transform(rows).select(*beside, SCALED)
    # Each task of an iteration bears the plan that its rows come from: cut off, a fit of a few
    # thousand rows takes half the time. On disk, since the regression keeps blocks of its own.
    return made.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)


def fit(design: Design, training: DataFrame, penalty: Penalty) -> LogisticRegressionModel:
    """A logistic regression on vectors with `label` (1 bad, 0 good) and `weight`.

    Coefficients keep to the design's signs: Spark ML bounds them by zero.
    """
    regression = LogisticRegression(
        featuresCol=SCALED,
        labelCol="label",
        weightCol=WEIGHT,
        regParam=penalty.regularisation,
        elasticNetParam=penalty.elastic_net,
        # The penalty is of features that are scaled by the deviations of weighted rows.
        standardization=True,
        maxIter=MAX_ITERATIONS,
        tol=TOLERANCE,
    )
    if any(design.signs):
        # Spark ML multiplies a bound by the slot's deviation: of none, infinity would be no number.
        bounds = {-1: (-MOST, 0.0), 0: (-MOST, MOST), 1: (0.0, MOST)}
        low, high = zip(*[bounds[each] for each in design.signs], strict=True)
        regression.setLowerBoundsOnCoefficients(DenseMatrix(1, len(low), low))
        regression.setUpperBoundsOnCoefficients(DenseMatrix(1, len(high), high))
    model: LogisticRegressionModel = regression.fit(training)
    return model


def slopes_of(design: Design, model: LogisticRegressionModel) -> list[float]:
    """Change of the log-odds by one unit of each slot before it is scaled."""
    deviations = scaler_of(design.stages).std.toArray()
    found = model.coefficients.toArray()
    slopes = np.divide(found, deviations, out=np.zeros_like(found), where=deviations > 0)
    return [float(each) for each in slopes]


def terms_of(fitted: PipelineModel, columns: Columns, ends: Edges) -> tuple[Term, ...]:
    """Each feature's term of slope 1, with the means and deviations of the fitted stages."""
    scaler, medians, levels = scaler_of(fitted), medians_of(fitted), levels_of(fitted)
    moments = zip(scaler.mean.toArray().tolist(), scaler.std.toArray().tolist(), strict=True)

    def scaled() -> dict[str, Any]:
        mean, deviation = next(moments)
        return {"mean": mean, "deviation": deviation, "coefficient": deviation}

    def term(feature: Definition) -> Term:
        about: dict[str, Any] = {"name": feature.name, "sql": feature.sql}
        if feature.is_text:
            texts = levels[feature.name]
            return Category(**about, levels=tuple(Level(text=text, **scaled()) for text in texts))
        low, high = ends.get(feature.name) or (None, None)
        about |= {"imputed": medians[feature.name], "low": low, "high": high, **scaled()}
        is_indicated = feature.name in columns.indicated
        return Number(**about, missing=Level(text=ABSENT, **scaled()) if is_indicated else None)

    return tuple(map(term, columns.features))


def _equation(terms: Sequence[Term], slopes: Sequence[float], intercept: float) -> Equation:
    """A term is zero at its means; the regression's own at zero."""
    left = iter(slopes)
    fitted = tuple(multiplied(each, left) for each in terms)
    moved = fsum(slot.slope * slot.mean for each in fitted for slot in slots_of(each))
    return Equation(fitted, intercept + moved)


def calibrated(
    model: LogisticRegressionModel, offset: float, line: Recalibration
) -> LogisticRegressionModel:
    """The regression that yields calibrated PDs from the same vectors.

    Spark ML makes a model of given coefficients in one way only: a fit between equal bounds. Its
    rows matter no more than that every slot varies.
    """
    slopes = line.slope * model.coefficients.toArray()
    intercept = DenseVector([line.intercept + line.slope * (model.intercept - offset)])
    size = len(slopes)
    place = F.col("id")
    slots = F.transform(
        F.sequence(F.lit(0), F.lit(size - 1)), lambda nth: (nth == place).cast("double")
    )
    rows = SparkSession.active().range(size + 2, numPartitions=1)
    label, vector = (place % 2).cast("double"), array_to_vector(slots)
    bounds = DenseMatrix(1, size, slopes.tolist())
    made: LogisticRegressionModel = LogisticRegression(
        featuresCol=SCALED,
        maxIter=0,
        lowerBoundsOnCoefficients=bounds,
        upperBoundsOnCoefficients=bounds,
        lowerBoundsOnIntercepts=intercept,
        upperBoundsOnIntercepts=intercept,
    ).fit(rows.select(label.alias("label"), vector.alias(SCALED)))
    return made
