"""Correlations of the numeric features of a batch date's loans, by Spark ML on a sample."""

from collections.abc import Sequence
from itertools import combinations
from math import isnan

import numpy as np
from pyspark.ml.functions import array_to_vector
from pyspark.ml.stat import Correlation
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.modelling.sampling import sample_by_id
from credit_spark.modelling.watching import number
from credit_spark.scoring.document import Watched

VECTOR = "features"


def correlations(
    loans: DataFrame, rows: int, watched: Sequence[Watched]
) -> list[tuple[str, str, float]]:
    """Pearson's correlation of each two numeric features that vary.

    Args:
        loans: `loan_id`, and the columns that the features read.
        rows: How many loans there are; of many, a sample by `loan_id` represents them.
        watched: The model's monitored subjects; a missing value counts as about the median.
    """
    numbers = [each for each in watched if each.role == "feature" and not each.is_text]
    if rows < 2 or len(numbers) < 2:
        return []
    # Dense vectors: of sparse ones, Spark takes the covariance as a difference of large sums.
    vector = array_to_vector(F.array(*map(_centred, numbers))).alias(VECTOR)
    sample = sample_by_id(loans, rows).select("loan_id", vector)
    # In one partition and in order, so that sums are the same on every run, to the last bit.
    ordered = sample.repartition(1).sortWithinPartitions("loan_id").persist()
    row = Correlation.corr(ordered, VECTOR).first()
    ordered.unpersist()
    assert row is not None
    found = row[0].toArray()
    values = found[np.triu_indices(len(numbers), 1)].tolist()
    pairs = zip(combinations(numbers, 2), values, strict=True)
    return [(one.name, other.name, value) for (one, other), value in pairs if not isnan(value)]


def _centred(watched: Watched) -> Column:
    """A number less its middle edge, which also stands for what is missing."""
    edges = watched.edges or (0.0,)
    return F.coalesce(number(watched.sql) - edges[len(edges) // 2], F.lit(0.0))
