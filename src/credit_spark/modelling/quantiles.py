"""Bounded samples of many loans, and quantiles of the numeric features from them.

A sample has the same rows on every run.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.features.columns import Definition, column_of

# The rank of a sample's median has a standard error of 0.16% of the rows.
ENOUGH, SEED = 100_000, 1
# A share of the rows that has a value; with fewer, a sample could have hardly any.
DENSE = 0.5
RANK_ERROR = 0.001
Edges = Mapping[str, Sequence[float]]


def sample_of(rows: DataFrame, many: float) -> DataFrame:
    """About `ENOUGH` of so many rows; all of them where they are no more.

    The sample depends on the rows' partitions and the order in them.
    """
    if many <= ENOUGH:
        return rows
    # By its name: of a fraction given by position, pyspark forgets the seed.
    return rows.sample(fraction=ENOUGH / many, seed=SEED)


def sample_by_id(loans: DataFrame, many: int, most: int = ENOUGH) -> DataFrame:
    """About `most` of so many loans at most, chosen by a hash of `loan_id`.

    So a loan is in the sample of every batch date, or in none, however the rows are partitioned.
    """
    parts = -(-many // most)
    return loans if parts <= 1 else loans.where(F.pmod(F.xxhash64("loan_id"), F.lit(parts)) == 0)


def quantiles(
    training: DataFrame, features: Sequence[Definition], shares: Sequence[float]
) -> dict[str, list[float]]:
    """Of each numeric feature the values below which such shares of the rows lie.

    Of all rows, within a thousandth of the rows; of many rows, those of a sample, but for a
    feature of which the sample has few values. Empty where no row has a value.
    """
    columns = {column_of(each.name): each.name for each in features if not each.is_text}
    if not columns:
        return {}
    rows = training.count()
    sample = sample_of(training, rows)
    found: dict[str, list[float]] = {}
    if sample is not training:
        # Of a column that enough rows of a sample have: values that occur in it.
        table = sample.select(*columns).toArrow()
        values = {name: table[name].drop_null().to_numpy() for name in columns}
        enough = max(1, DENSE * table.num_rows)
        for name, own in values.items():
            if len(own) >= enough:
                found[name] = np.quantile(own, shares, method="nearest").tolist()
    left = [each for each in columns if each not in found]
    if left:
        approximate = training.approxQuantile(left, list(shares), RANK_ERROR)
        found |= dict(zip(left, approximate, strict=True))
    return {name: found[column] for column, name in columns.items()}
