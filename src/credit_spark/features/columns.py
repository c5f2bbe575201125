"""A contract's features as columns: one definition for training and for scoring.

A number that is not finite is null, a text that is null is the category ABSENT.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyspark.ml.feature import SQLTransformer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.config.expressions import expression
from credit_spark.config.models import Contract
from credit_spark.config.tables import MISSING, OTHER

PREFIX = "feature_"
# What a statement of Spark ML's calls the rows that it is given.
TABLE = "__THIS__"
LARGEST = 1.7976931348623157e308
# The category of a text that is null. Texts of loans are trimmed: none of theirs begins so.
ABSENT = " (missing)"


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


def label_of(text: str) -> str:
    """A category's text as it is shown: in quotes where it reads like the absent or other ones.

    So is a text that already has quotes around it: of two texts no label is the same.

    >>> label_of(ABSENT), label_of("(missing)"), label_of("car")
    ('(missing)', '"(missing)"', 'car')
    """
    if text == ABSENT:
        return MISSING
    return f'"{text}"' if text.strip('"') in (MISSING, OTHER) else text


def feature_stage(features: Sequence[Definition]) -> SQLTransformer:
    """The stage that adds each feature to the columns of `loans`, by `column_of`.

    Its statement has two levels, so that a feature's SQL is evaluated once though its value is
    looked at twice.
    """
    raw = [
        f"cast({inserted(sql)} as {'string' if is_text else 'double'}) as `{column_of(name)}`"
        for name, sql, is_text in features
    ]
    names = ", ".join(f"`{column_of(each.name)}`" for each in features)
    known = ", ".join(map(_known, features))
    given = f"select *, {', '.join(raw)} from {TABLE}"  # noqa: S608
    return SQLTransformer(statement=f"select * except ({names}), {known} from ({given})")  # noqa: S608


def inserted(sql: str) -> str:
    """SQL to stand in a stage's statement, which puts its table's name into a text, too."""
    return sql.replace(TABLE, TABLE.replace("T", r"\u0054"))


def _known(feature: Definition) -> str:
    own = f"`{column_of(feature.name)}`"
    if feature.is_text:
        return f"coalesce({own}, '{ABSENT}') as {own}"
    largest = f"{LARGEST!r}".replace("e+", "e")
    return f"case when {own} between -{largest} and {largest} then {own} end as {own}"


def featured(
    loans: DataFrame, features: Sequence[Definition], beside: Mapping[str, Column]
) -> DataFrame:
    """Each loan's features, and the columns `beside` them, by their names."""
    columns = [F.col(column_of(each.name)) for each in features]
    named = [column.alias(name) for name, column in beside.items()]
    return feature_stage(features).transform(loans).select(*named, *columns)
