"""A contract's features as columns: one definition for training and for scoring.

A number that is not finite is null, a text that is null is the category MISSING.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.expressions import expression
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import MISSING

PREFIX = "feature_"
LARGEST = 1.7976931348623157e308


class Definition(NamedTuple):
    """A feature: its Spark SQL over the columns of `loans`, and whether it yields a text."""

    name: str
    sql: str
    is_text: bool


def definitions(contract: Contract) -> list[Definition]:
    """The contract's features, compiled, in the contract's order."""
    features = contract.features.items()
    compiled = {name: expression(each.sql, contract.kinds) for name, each in features}
    return [Definition(name, each.sql, each.is_text) for name, each in compiled.items()]


def column_of(feature: str) -> str:
    """The column that holds a feature; a feature may bear the name of a loan's column."""
    return f"{PREFIX}{feature}"


def feature_of(column: str) -> str:
    """The feature that a column holds."""
    return column.removeprefix(PREFIX)


def numbers_and_texts(features: Sequence[Definition]) -> tuple[list[str], list[str]]:
    """The columns of the features that are numbers, and of those that are texts."""
    numbers = [column_of(each.name) for each in features if not each.is_text]
    return numbers, [column_of(each.name) for each in features if each.is_text]


def featured(
    loans: DataFrame, features: Sequence[Definition], beside: Mapping[str, Column]
) -> DataFrame:
    """Each loan's features, and the columns `beside` them, by their names.

    In two moves, so that a feature's SQL is evaluated once though its value is looked at twice.
    """
    raw, known = dict(beside), {name: F.col(name) for name in beside}
    for name, sql, is_text in features:
        value = F.col(column_of(name))
        raw[column_of(name)] = F.expr(sql).cast("string" if is_text else "double")
        known[column_of(name)] = (
            F.coalesce(value, F.lit(MISSING))
            if is_text
            else F.when(value.between(-LARGEST, LARGEST), value)
        )
    values = loans.select(*[column.alias(name) for name, column in raw.items()])
    return values.select(*[column.alias(name) for name, column in known.items()])
