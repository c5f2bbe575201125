"""What tasks do for the gate: a table's files to numbers that answer its suite's questions."""

from collections.abc import Iterator, Sequence

import polars as pl

from credit_spark.adapters.staging import blocks_of
from credit_spark.cleaning.superseding import Range, standing_twice
from credit_spark.evaluation.questions import Questionnaire, Told


def numbers_in(file: str, asked: Questionnaire, key: str) -> Told:
    """What the rows of a file tell; its `key` is read, too, so that there are rows to count."""
    blocks = blocks_of(file, sorted({key, *asked.columns}))
    return asked.together(asked.numbers(block) for block in blocks)


def standing_with_others(part: Range, column: str, files: Sequence[str]) -> int:
    """How many rows have a text of this part that another row has, too.

    Only texts whose hashes stand twice are put beside each other.
    """
    hashes = [block.select(_hash(column)).to_series() for block in _texts(part, column, files)]
    contested = standing_twice(pl.concat([pl.Series(column, [], pl.Int64), *hashes])).hashes
    if not len(contested):
        return 0
    is_contested = _hash(column).is_in(pl.Series(contested).implode())
    rivals = (block.filter(is_contested) for block in _texts(part, column, files))
    counts = pl.concat(block.group_by(column).agg(rows=pl.len()) for block in rivals)
    of_each = counts.group_by(column).agg(pl.col("rows").sum())
    return int(of_each.filter(pl.col("rows") > 1)["rows"].sum())


def _texts(part: Range, column: str, files: Sequence[str]) -> Iterator[pl.DataFrame]:
    blocks = (block.drop_nulls() for file in files for block in blocks_of(file, [column]))
    return (block.filter(part.has(_hash(column))) for block in blocks)


def _hash(column: str) -> pl.Expr:
    return pl.col(column).hash().reinterpret(signed=True)
