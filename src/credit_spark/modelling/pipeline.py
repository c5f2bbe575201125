"""From feature columns to a vector, in Spark ML: impute, index, encode, assemble, scale.

Of the vector all numbers come first, then each text's levels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.ml import Pipeline, PipelineModel
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

from credit_spark.features.columns import Definition, column_of, feature_of
from credit_spark.modelling.quantiles import quantiles

ASSEMBLED, SCALED, INDEX = "assembled", "scaled", "index"
# What a statement of Spark ML's calls the rows that it is given.
TABLE = "__THIS__"


class Slot(NamedTuple):
    """A place in the vector: a numeric feature's, or that of one of a text's levels."""

    feature: str
    level: str | None = None


class Spread(NamedTuple):
    """Where the values of a slot lie: their mean and standard deviation."""

    mean: float
    deviation: float


def scaled(training: DataFrame, features: Sequence[Definition]) -> PipelineModel:
    """Fitted stages from feature columns to the vector `scaled`, of mean 0 and deviation 1."""
    columns = imputed_and_indexed(training, features)
    scaler = StandardScaler(inputCol=ASSEMBLED, outputCol=SCALED, withMean=True, withStd=True)
    stages = [*columns, *_assembling(features, "imputed"), scaler]
    return Pipeline(stages=stages).fit(training)


def assembled(training: DataFrame, features: Sequence[Definition]) -> PipelineModel:
    """Fitted stages from feature columns to the vector `assembled`, numbers less their median.

    So what never varies is zero, and no rounding of weighted sums makes it seem to vary.
    """
    columns = imputed_and_indexed(training, features)
    stages = [*columns, _centring(medians_of(columns)), *_assembling(features, "centred")]
    return Pipeline(stages=stages).fit(training)


def _centring(medians: Mapping[str, float]) -> SQLTransformer:
    differences = [
        f"`imputed_{column_of(name)}` - ({median!r}D) as `centred_{column_of(name)}`"
        for name, median in medians.items()
    ]
    return sql_columns(differences)


def sql_columns(definitions: Sequence[str]) -> SQLTransformer:
    """A stage that adds columns, each an expression with its name."""
    # The stage would put the table's name into a text, too.
    escaped = [each.replace(TABLE, TABLE.replace("T", r"\u0054")) for each in definitions]
    columns = ", ".join(["*", *escaped])
    return SQLTransformer(statement=" ".join(["select", columns, "from", TABLE]))


def _assembling(features: Sequence[Definition], numbers_are: str) -> list[Any]:
    numbers, texts = _columns(features)
    encoder = OneHotEncoder(inputCols=named(INDEX, texts), outputCols=named("levels", texts))
    assembler = VectorAssembler(
        inputCols=named(numbers_are, numbers) + named("levels", texts), outputCol=ASSEMBLED
    )
    return [encoder, assembler] if texts else [assembler]


def imputed_and_indexed(training: DataFrame, features: Sequence[Definition]) -> list[Any]:
    """Stages that fill numbers with their median and number the texts."""
    numbers, texts = _columns(features)
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


def _columns(features: Sequence[Definition]) -> tuple[list[str], list[str]]:
    """The columns of numbers, and those of texts."""
    numbers = [column_of(each.name) for each in features if not each.is_text]
    texts = [column_of(each.name) for each in features if each.is_text]
    return numbers, texts


def named(prefix: str, columns: Sequence[str]) -> list[str]:
    """The columns' names once they are, say, imputed."""
    return [f"{prefix}_{column}" for column in columns]


def slots_of(fitted: PipelineModel, features: Sequence[Definition]) -> list[Slot]:
    """What stands in each place of the vector."""
    levels = _levels(fitted)
    numbers = [Slot(each.name) for each in features if not each.is_text]
    texts = [each.name for each in features if each.is_text]
    return numbers + [Slot(name, level) for name in texts for level in levels[name]]


def spreads_of(scaling: PipelineModel, features: Sequence[Definition]) -> dict[Slot, Spread]:
    """What a scaler was fitted to, slot by slot."""
    scaler = scaling.stages[-1]
    assert isinstance(scaler, StandardScalerModel)
    found = zip(scaler.mean.toArray().tolist(), scaler.std.toArray().tolist(), strict=True)
    return {
        slot: Spread(*own) for slot, own in zip(slots_of(scaling, features), found, strict=True)
    }


def medians_of(stages: Sequence[Any]) -> dict[str, float]:
    """What stands for null in each numeric feature."""
    models = [each for each in stages if isinstance(each, ImputerModel)]
    rows = [model.surrogateDF.first() for model in models]
    return {feature_of(name): value for row in rows if row for name, value in row.asDict().items()}


def _levels(fitted: PipelineModel) -> Mapping[str, list[str]]:
    """The texts of each categorical feature, in the vector's order."""
    models = [each for each in fitted.stages if isinstance(each, StringIndexerModel)]
    return {
        feature_of(column): list(labels)
        for model in models
        for column, labels in zip(model.getInputCols(), model.labelsArray, strict=True)
    }
