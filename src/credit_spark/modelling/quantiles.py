"""Quantiles of the numeric features: imputation values, attained ranges, edges of pre-bins."""

from collections.abc import Mapping, Sequence

import numpy as np
from pyspark.sql import DataFrame

from credit_spark.features.columns import Definition, column_of
from credit_spark.modelling.sampling import sample_of

# A share of the rows that has a value; with fewer, a sample could have hardly any.
DENSE = 0.5
# What a feature attains lies between these shares of its values: outliers would be no reference.
ATTAINED = (0.05, 0.95)
RANK_ERROR = 0.001
Ends = Mapping[str, tuple[float, float]]


def ends(training: DataFrame, features: Sequence[Definition]) -> Ends:
    """Of each numeric feature the least and the greatest value of the middle nine tenths."""
    numbers = [each.name for each in features if not each.is_text]
    found = quantiles(training, numbers, ATTAINED)
    return {name: (values[0], values[-1]) for name, values in found.items() if values}


def quantiles(
    training: DataFrame, numbers: Sequence[str], shares: Sequence[float]
) -> dict[str, list[float]]:
    """Of each numeric feature the values below which such shares of the rows lie.

    Of all rows, within a thousandth of the rows; of many rows, those of a sample, but for a
    feature of which the sample has few values. Empty where no row has a value.
    """
    columns = [column_of(each) for each in numbers]
    if not columns:
        return {}
    rows = training.count()
    sample = sample_of(training, rows)
    found = {} if sample is training else _of_the_dense(sample.select(*columns), shares)
    left = [each for each in columns if each not in found]
    if left:
        approximate = training.approxQuantile(left, list(shares), RANK_ERROR)
        found |= dict(zip(left, approximate, strict=True))
    return {each: found[column_of(each)] for each in numbers}


def _of_the_dense(sample: DataFrame, shares: Sequence[float]) -> dict[str, list[float]]:
    """Quantiles of those columns that enough rows of a sample have: values that occur in it."""
    table = sample.toArrow()
    values = {name: np.sort(table[name].drop_null().to_numpy()) for name in table.column_names}
    return {
        name: [float(own[round(share * (len(own) - 1))]) for share in shares]
        for name, own in values.items()
        if len(own) >= max(1, DENSE * table.num_rows)
    }
