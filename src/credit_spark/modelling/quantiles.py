"""Quantiles of the numeric features: medians that stand for null, ends, where bins begin."""

from collections.abc import Mapping, Sequence

import polars as pl
from pyspark.sql import DataFrame

from credit_spark.modelling.features import Definition, column_of
from credit_spark.modelling.parts import part_of

# A share of the rows that has a value; with fewer, a part could have hardly any.
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
    rows = pl.DataFrame(part.toArrow()).select(pl.all().sort(nulls_last=True))
    values = {each.name: each.head(each.len() - each.null_count()) for each in rows}
    return {
        name: [own[round(share * (own.len() - 1))] for share in shares]
        for name, own in values.items()
        if own.len() >= max(1, DENSE * rows.height)
    }
