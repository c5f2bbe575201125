"""The linear design, and the fit of any design by Spark ML's logistic regression.

Stages impute, index, encode, assemble and scale; of the vector all numbers come first, then each
text's levels. A design is made of training rows as they are; treatments of the imbalance are then
of its vectors.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import fsum
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
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
from pyspark.sql import DataFrame

from credit_spark.contract.models import Penalty
from credit_spark.features.columns import Definition, column_of, feature_of, numbers_and_texts
from credit_spark.modelling.imbalance import WEIGHT
from credit_spark.modelling.quantiles import Edges, quantiles
from credit_spark.scoring.document import Category, Level, Number, Term, multiplied

ASSEMBLED, SCALED, INDEX = "assembled", "scaled", "index"
# What a statement of Spark ML's calls the rows that it is given.
TABLE = "__THIS__"
MOST_ITERATIONS = 500
# Coefficients then agree with those of other solvers to six digits.
TOLERANCE = 1e-9


class Equation(NamedTuple):
    """Log-odds of bad as terms, in the features' order, and an intercept."""

    terms: tuple[Term, ...]
    intercept: float


class Design(NamedTuple):
    """What a regression sees of a loan, and what its numbers mean.

    `stages` lead from feature columns to the vector `assembled`; `told` makes an equation of the
    slopes of the vector's slots and the intercept.
    """

    stages: PipelineModel
    told: Callable[[Sequence[float], float], Equation]


class Fit(NamedTuple):
    """An equation, and the pipeline that it stands for: the reference of scoring."""

    equation: Equation
    pipeline: PipelineModel


def assembled(training: DataFrame, features: Sequence[Definition]) -> PipelineModel:
    """Fitted stages from feature columns to the vector `assembled`, numbers less their median.

    So what never varies is zero, and no rounding of weighted sums makes it seem to vary.
    """
    numbers, texts = numbers_and_texts(features)
    columns = imputed_and_indexed(training, features)
    centring = sql_columns([
        f"`imputed_{column_of(name)}` - ({median!r}D) as `centred_{column_of(name)}`"
        for name, median in medians_of(columns).items()
    ])  # fmt: skip
    encoder = OneHotEncoder(inputCols=named(INDEX, texts), outputCols=named("levels", texts))
    inputs = named("centred", numbers) + named("levels", texts)
    assembler = VectorAssembler(inputCols=inputs, outputCol=ASSEMBLED)
    stages = [*columns, centring, *([encoder] if texts else []), assembler]
    return Pipeline(stages=stages).fit(training)


def scaled(training: DataFrame, features: Sequence[Definition]) -> PipelineModel:
    """The same, and to the vector `scaled`, of mean 0 and deviation 1."""
    assembling = assembled(training, features)
    scaler = StandardScaler(inputCol=ASSEMBLED, outputCol=SCALED, withMean=True, withStd=True)
    return PipelineModel([*assembling.stages, scaler.fit(assembling.transform(training))])


def sql_columns(definitions: Sequence[str]) -> SQLTransformer:
    """A stage that adds columns, each an expression with its name."""
    # The stage would put the table's name into a text, too.
    escaped = [each.replace(TABLE, TABLE.replace("T", r"\u0054")) for each in definitions]
    columns = ", ".join(["*", *escaped])
    return SQLTransformer(statement=" ".join(["select", columns, "from", TABLE]))


def imputed_and_indexed(training: DataFrame, features: Sequence[Definition]) -> list[Any]:
    """Stages that fill numbers with their median and number the texts."""
    numbers, texts = numbers_and_texts(features)
    # keep: a text that training has not seen, or that is null, has no indicator set.
    indexer = StringIndexer(
        inputCols=texts,
        outputCols=named(INDEX, texts),
        handleInvalid="keep",
        stringOrderType="alphabetAsc",
    )
    imputer = Imputer(inputCols=numbers, outputCols=named("imputed", numbers), strategy="median")
    found = quantiles(training, features, [0.5]).items()
    medians = {column_of(name): pa.array([*own, None][:1], pa.float64()) for name, own in found}
    # Of one row of medians, they are its own. As Arrow, it is no job for a Python worker.
    row = training.sparkSession.createDataFrame(pa.table(medians))
    return ([imputer.fit(row)] if numbers else []) + ([indexer] if texts else [])


def named(prefix: str, columns: Sequence[str]) -> list[str]:
    """The columns' names once they are, say, imputed."""
    return [f"{prefix}_{column}" for column in columns]


def medians_of(fitted: Iterable[Any]) -> dict[str, float]:
    """What replaces null in each numeric feature, of fitted stages."""
    found = [each.surrogateDF.collect()[0] for each in fitted if isinstance(each, ImputerModel)]
    return {feature_of(name): value for row in found for name, value in row.asDict().items()}


def levels_of(fitted: Iterable[Any]) -> dict[str, list[str]]:
    """The texts of each categorical feature, in the vector's order."""
    return {
        feature_of(column): list(labels)
        for model in fitted
        if isinstance(model, StringIndexerModel)
        for column, labels in zip(model.getInputCols(), model.labelsArray, strict=True)
    }


def vectors(design: Design, rows: DataFrame, *beside: str) -> DataFrame:
    """The rows' vectors and the columns `beside` them, made when first asked for, and kept."""
    made = design.stages.transform(rows).select(*beside, ASSEMBLED)
    # Each task of an iteration bears the plan that its rows come from: cut off, a fit of a few
    # thousand rows takes half the time. On disk, since the regression keeps blocks of its own.
    return made.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)


def fit(design: Design, training: DataFrame, penalty: Penalty) -> Fit:
    """A logistic regression on vectors with `label` (1 bad, 0 good) and `weight`."""
    regression = LogisticRegression(
        featuresCol=ASSEMBLED,
        labelCol="label",
        weightCol=WEIGHT,
        regParam=penalty.regularisation,
        elasticNetParam=penalty.elastic_net,
        # The penalty is of coefficients of scaled features. Spark divides by deviations in its own
        # blocks, so that levels stay sparse.
        standardization=True,
        maxIter=MOST_ITERATIONS,
        tol=TOLERANCE,
    ).fit(training)
    equation = design.told(regression.coefficients.toArray().tolist(), regression.intercept)
    return Fit(equation, PipelineModel([*design.stages.stages, regression]))


def terms_of_slope_1(
    scaling: PipelineModel, features: Sequence[Definition], reasons: Mapping[str, str], ends: Edges
) -> tuple[Term, ...]:
    """Each feature's term with the means and deviations that `scaling` was fitted to.

    `ends` are the least and the greatest value that numbers attain, where those are asked for.
    """
    scaler = scaling.stages[-1]
    assert isinstance(scaler, StandardScalerModel)
    moments = zip(scaler.mean.toArray().tolist(), scaler.std.toArray().tolist(), strict=True)
    medians, levels = medians_of(scaling.stages), levels_of(scaling.stages)

    def scaled() -> dict[str, Any]:
        mean, deviation = next(moments)
        return {"mean": mean, "deviation": deviation, "coefficient": deviation}

    terms: dict[str, Term] = {}
    for name, sql, is_text in sorted(features, key=lambda each: each.is_text):
        about: dict[str, Any] = {"name": name, "sql": sql, "reason": reasons[name]}
        if is_text:
            steps = tuple(Level(text=text, **scaled()) for text in levels[name])
            terms[name] = Category(**about, levels=steps)
        else:
            low, high = ends.get(name) or (None, None)
            own = scaled()
            own["mean"] += medians[name]
            terms[name] = Number(**about, imputed=medians[name], low=low, high=high, **own)
    return tuple(terms[each.name] for each in features)


def numbers_first(terms: Sequence[Term]) -> list[Term]:
    """Terms in the vector's order."""
    return sorted(terms, key=lambda each: isinstance(each, Category))


def linear(training: DataFrame, features: Sequence[Definition], terms: Sequence[Term]) -> Design:
    """The design of training rows, features: medians and levels are theirs.

    Means and deviations are those of the `terms`; they move no log-odds.
    """
    stages = assembled(training, features)
    medians, levels = medians_of(stages.stages), levels_of(stages.stages)
    own: list[Term] = []
    # A term is zero at its means; the regression's own at medians, and without levels.
    apart: list[float] = []
    for each in numbers_first(terms):
        if isinstance(each, Number):
            own.append(each.model_copy(update={"imputed": medians[each.name]}))
            apart.append(each.mean - medians[each.name])
        else:
            steps = tuple(level for level in each.levels if level.text in levels[each.name])
            own.append(each.model_copy(update={"levels": steps}))
            apart += [level.mean for level in steps]

    def told(slopes: Sequence[float], intercept: float) -> Equation:
        left = iter(slopes)
        fitted = {each.name: multiplied(each, left) for each in own}
        moved = fsum(slope * mean for slope, mean in zip(slopes, apart, strict=True))
        return Equation(tuple(fitted[each.name] for each in features), intercept + moved)

    return Design(stages, told)
