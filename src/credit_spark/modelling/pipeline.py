"""From feature columns to a vector, in Spark ML: impute, index, encode, assemble, scale.

Of the vector all numbers come first, then each text's levels.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import (
    Imputer,
    ImputerModel,
    OneHotEncoder,
    SQLTransformer,
    StandardScaler,
    StringIndexer,
    StringIndexerModel,
    VectorAssembler,
)
from pyspark.sql import DataFrame

from credit_spark.features.columns import Definition, column_of, feature_of, numbers_and_texts
from credit_spark.modelling.quantiles import quantiles

ASSEMBLED, SCALED, INDEX = "assembled", "scaled", "index"
# What a statement of Spark ML's calls the rows that it is given.
TABLE = "__THIS__"


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
    found = quantiles(training, features, [0.5])
    medians = {
        column_of(name): pa.array([next(iter(own), None)], pa.float64())
        for name, own in found.items()
    }
    # Of one row of medians, they are its own. As Arrow, it is no job for a Python worker.
    row = training.sparkSession.createDataFrame(pa.table(medians))
    return ([imputer.fit(row)] if numbers else []) + ([indexer] if texts else [])


def named(prefix: str, columns: Sequence[str]) -> list[str]:
    """The columns' names once they are, say, imputed."""
    return [f"{prefix}_{column}" for column in columns]


def medians_of(fitted: Iterable[Any]) -> dict[str, float]:
    """What replaces null in each numeric feature, of fitted stages."""
    models = [each for each in fitted if isinstance(each, ImputerModel)]
    medians = [model.surrogateDF.collect()[0].asDict() for model in models]
    return {feature_of(name): value for each in medians for name, value in each.items()}


def levels_of(fitted: Iterable[Any]) -> dict[str, list[str]]:
    """The texts of each categorical feature, in the vector's order."""
    models = [each for each in fitted if isinstance(each, StringIndexerModel)]
    return {
        feature_of(column): list(labels)
        for model in models
        for column, labels in zip(model.getInputCols(), model.labelsArray, strict=True)
    }
