"""Correlations of the numeric features of a batch date's loans, by Spark ML on a sample."""

from collections.abc import Sequence
from itertools import combinations
from math import isnan

from pyspark.ml.feature import VectorAssembler
from pyspark.ml.stat import Correlation
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.modelling.sampling import sample_by_id
from credit_spark.modelling.watching import number
from credit_spark.scoring.document import Watched

VECTOR = "features"


def numeric(watched: Sequence[Watched]) -> list[Watched]:
    """The features that are numbers."""
    return [each for each in watched if each.role == "feature" and not each.is_text]


def correlations(
    loans: DataFrame, rows: int, watched: Sequence[Watched]
) -> list[tuple[str, str, float]]:
    """Pearson's correlation of each two numeric features that vary.

    Args:
        loans: `loan_id`, and the columns that the features read.
        rows: How many loans there are; of many, a sample by `loan_id` represents them.
        watched: The model's monitored subjects; a missing value counts as about the median.
    """
    numbers = numeric(watched)
    names = [f"{nth}" for nth in range(len(numbers))]
    values = [_centred(each).alias(name) for each, name in zip(numbers, names, strict=True)]
    # In one partition and in order, so that sums are the same on every run, to the last bit.
    sample = sample_by_id(loans, rows).select("loan_id", *values)
    sample = sample.repartition(1).sortWithinPartitions("loan_id").persist()
    varying = [nth for nth, differs in enumerate(_differ(sample, names)) if differs]
    matrix = _matrix(sample, [names[nth] for nth in varying])
    sample.unpersist()
    return [
        (numbers[one].name, numbers[other].name, matrix[a][b])
        for (a, one), (b, other) in combinations(enumerate(varying), 2)
        if not isnan(matrix[a][b])
    ]


def _centred(watched: Watched) -> Column:
    """A number less its middle edge, which also stands for what is missing."""
    edges = watched.edges or (0.0,)
    middle = edges[len(edges) // 2]
    return F.coalesce(number(watched.sql) - middle, F.lit(0.0))


def _differ(sample: DataFrame, names: Sequence[str]) -> list[bool]:
    """Which columns have two values; of others, a variance is only what rounding leaves."""
    if not names:
        return []
    row = sample.agg(*[F.min(each) < F.max(each) for each in names]).first()
    return [bool(each) for each in row or ()]


def _matrix(sample: DataFrame, names: Sequence[str]) -> list[list[float]]:
    """The correlation of each column with each, NaN where it is not defined."""
    if len(names) < 2:
        return []
    vectors = VectorAssembler(inputCols=list(names), outputCol=VECTOR).transform(sample)
    row = Correlation.corr(vectors, VECTOR).first()
    assert row is not None
    found: list[list[float]] = row[0].toArray().tolist()
    return found
