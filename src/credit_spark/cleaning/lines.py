"""Lines of one file shape to the contract's typed columns: as many rows out as in.

In come fields by position, `f0` to `fN`, `line` (a malformed line's whole text, null for a sound
one) and `source_file`. Out go the contract's columns by kind, beside what the verdict needs.
"""

from collections.abc import Collection
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.cleaning.layouts import Shape, column_at, key_of
from credit_spark.cleaning.parsing import PARSERS, given
from credit_spark.contract.models import Contract, Layout, Promise
from credit_spark.contract.tables import TYPES

# Stands for null in a hash, which would else take (null, 'a') and ('a', null) for equal.
NULL_MARK = "\u0000"


def without_preamble(lines: DataFrame, shape: Shape) -> DataFrame:
    """Lines below the header. The reader drops a file's first line; here go those after it."""
    if not shape.preamble:
        return lines
    above = [_is(row) for row in (*shape.preamble[1:], shape.header)]
    return lines.where(~reduce(Column.__or__, above))


def typed(
    lines: DataFrame, shape: Shape, contract: Contract, footer: Collection[str] = ()
) -> DataFrame:
    """The contract's columns, typed, of lines of one shape.

    `footer` are the texts that stand below the last loans of their files.
    Beside them stand `key` (null: missing), `is_keyed`, `content` (a hash of all fields),
    `text` (a struct of what each column was read from), `outside` (a struct of flags: a value
    that was turned null or clipped), `fields` (the line as a map by the header's names),
    `line`, `is_footer` and `source_file`.
    """
    layout = contract.source.layouts[shape.layout]
    promises = contract.columns.items()
    texts = {name: _text(each, shape, layout) for name, each in promises}
    read = lines.select(
        F.struct(*[text.alias(name) for name, text in texts.items()]).alias("text"),
        _content(shape).alias("content"),
        _is_footer(footer).alias("is_footer"),
        _fields(shape).alias("fields"),
        "line",
        "source_file",
    )
    values = [_value(name, each, layout).alias(name) for name, each in promises]
    parsed = read.select(*values, *read.columns)
    key = key_of(layout, contract)
    bounded = [_bounded(name, each).alias(name) for name, each in promises]
    outside = [_is_outside(name, each).alias(name) for name, each in promises]
    return parsed.select(
        *bounded,
        F.struct(*outside).alias("outside"),
        (_key(key) if key else F.col("content")).alias("key"),
        F.lit(key is not None).alias("is_keyed"),
        *read.columns,
    )


def _is(row: tuple[str, ...]) -> Column:
    """The line is just this row of texts."""
    same = [F.coalesce(F.btrim(F.col(f"f{i}")), F.lit("")) == text for i, text in enumerate(row)]
    return reduce(Column.__and__, same)


def _text(promise: Promise, shape: Shape, layout: Layout) -> Column:
    at = column_at(shape.header, promise)
    if at is None:
        return F.lit(None).cast("string")
    return given(F.col(f"f{at}"), (*layout.missing, *promise.missing))


def _value(name: str, promise: Promise, layout: Layout) -> Column:
    text = F.col(f"text.{name}")
    value = PARSERS[promise.kind](text, promise, layout.units.get(name))
    return value.cast(TYPES[promise.kind])


def _is_outside(name: str, promise: Promise) -> Column:
    """A value that the contract has turned null or clipped."""
    if promise.outside == "quarantine":
        return F.lit(False)
    return F.coalesce(~is_inside(F.col(name), promise), F.lit(False))


def _bounded(name: str, promise: Promise) -> Column:
    value = F.col(name)
    if promise.outside == "null":
        return F.when(is_inside(value, promise), value)
    if promise.outside == "clip" and promise.range:
        low, high = (F.lit(bound).cast(TYPES[promise.kind]) for bound in promise.range)
        return F.when(value < low, low).when(value > high, high).otherwise(value)
    return value


def is_inside(value: Column, promise: Promise) -> Column:
    """The value lies within the promised range and set; null where it is null."""
    inside = F.lit(True)
    if promise.range:
        inside = inside & value.between(*promise.range)
    if promise.one_of:
        inside = inside & value.isin(*promise.one_of)
    return inside


def _key(names: tuple[str, ...]) -> Column:
    """The key's texts, joined; null where one is missing."""
    return F.concat(*_separated([F.col(f"text.{name}") for name in names]))


def _separated(texts: list[Column]) -> list[Column]:
    return [part for text in texts for part in (F.lit("|"), text)][1:]


def _content(shape: Shape) -> Column:
    """128 bits of hash over all fields, as hexadecimal text."""
    fields = [F.coalesce(F.col(f"f{i}"), F.lit(NULL_MARK)) for i in range(len(shape.header))]
    halves = [F.hex(F.xxhash64(F.lit(half), F.array(*fields))) for half in (1, 2)]
    return F.lower(F.concat(*[F.lpad(half, 16, "0") for half in halves]))


def _fields(shape: Shape) -> Column:
    named = [F.col(f"f{i}").alias(name or f"column {i}") for i, name in enumerate(shape.header)]
    return F.struct(*named)


def _is_footer(footer: Collection[str]) -> Column:
    return F.col("line").isNotNull() & F.btrim("f0").isin(*footer)
