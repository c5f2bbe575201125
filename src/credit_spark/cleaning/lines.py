"""Lines of one file shape to the contract's typed columns: as many rows out as in.

In come fields by position, `f0` to `fN`, and `line` (a malformed line's whole text, null for a
sound one); out go the contract's columns by kind, beside what the verdict needs.
"""

from collections.abc import Collection, Sequence

import polars as pl

from credit_spark.cleaning.parsing import PARSERS, given
from credit_spark.contract.columns import dtype_of
from credit_spark.contract.models import Contract, Layout, Promise
from credit_spark.ingest.layouts import Shape, column_at, fields_of, key_of, parts_of, tidied


def text_of(name: str) -> str:
    """The column with the text that a column of the contract was read from."""
    return f"text of {name}"


def outside_of(name: str) -> str:
    """The column that says where a value was turned null or clipped."""
    return f"outside {name}"


def lines_of(sound: pl.DataFrame, malformed: Sequence[str], delimiter: str) -> pl.DataFrame:
    """Sound lines and, below them, malformed ones, with as many fields as the header has.

    A line that is malformed for the number of its blanks alone, where they stand between fields, is
    sound.
    """
    whole = sound.with_columns(pl.lit(None, pl.String).alias("line"))
    if not malformed:
        return whole
    texts = [tidied(text, delimiter) for text in malformed]
    mended = [
        text != found and len(parts_of(text, delimiter)) == sound.width
        for text, found in zip(texts, malformed, strict=True)
    ]
    rows = [_fields(text, sound.width, delimiter) for text in texts]
    below = pl.DataFrame(rows, schema=sound.schema, orient="row")
    line = pl.Series("line", malformed).set(pl.Series(mended), None)
    return pl.concat([whole, below.with_columns(line)])


def without_head(
    sound: pl.DataFrame, malformed: Sequence[str], shape: Shape, delimiter: str
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A file's first lines, without its header and what stands above that."""
    above = {shape.header, *shape.preamble}
    first = sound.head(len(shape.preamble) + 1).rows()
    is_loan = [tuple((field or "").strip() for field in row) not in above for row in first]
    loans = pl.concat(
        [sound[: len(first)].filter(pl.Series(is_loan, dtype=pl.Boolean)), sound[len(first) :]]
    )
    broken = tuple(
        text
        for nth, text in enumerate(malformed)
        if nth > len(shape.preamble) or fields_of(text, delimiter) not in above
    )
    return loans, broken


def typed(lines: pl.DataFrame, shape: Shape, contract: Contract) -> pl.DataFrame:
    """The contract's columns, typed, of lines of one shape.

    Beside them stand the text that each was read from (`text_of`), flags for values that were
    turned null or clipped (`outside_of`, of the columns that the contract lets be so), `key` (null:
    missing, or the layout has none) and `line`.
    """
    layout = contract.source.layouts[shape.layout]
    parts = [text_of(name) for name in key_of(layout, contract) or ()]
    key = pl.concat_str(parts, separator="|") if parts else pl.lit(None, pl.String)
    columns: dict[str, pl.Series] = {"line": lines["line"]}
    for name, promise in contract.columns.items():
        text = columns[text_of(name)] = _text(lines, promise, shape, layout)
        value = PARSERS[promise.kind](text, promise, layout.units.get(name))
        columns |= _bounded(name, value, promise)
    return pl.DataFrame(columns).with_columns(key.alias("key"))


def allowed(promise: Promise) -> pl.Series:
    """The values of `one_of`, in the column's own type, as one list."""
    return pl.Series(promise.one_of).cast(dtype_of(promise.kind)).implode()


def is_footer(lines: pl.DataFrame, footer: Collection[str]) -> pl.Series:
    """Malformed lines that are the texts below a file's last loan."""
    return lines["line"].is_not_null() & lines["f0"].str.strip_chars().is_in(
        list(footer)
    ).fill_null(False)


def raw(shape: Shape) -> pl.Expr:
    """A line's fields by their header's names, or a malformed line's whole text, as JSON: `raw`."""
    named = [(f"f{nth}", name or f"column {nth}") for nth, name in enumerate(shape.header)]
    fields = [_member(field, name) for field, name in named]
    whole = pl.struct("line").struct.json_encode()
    members = pl.concat_str(fields, separator=",", ignore_nulls=True)
    sound = pl.concat_str(pl.lit("{"), members, pl.lit("}"))
    return pl.when(pl.col("line").is_not_null()).then(whole).otherwise(sound).alias("raw")


def is_inside(value: pl.Series, promise: Promise) -> pl.Series:
    """The value lies within the promised range and set; null where it is null."""
    inside = value.is_not_null().set(value.is_null(), None)
    if promise.range:
        inside = inside & value.is_between(*promise.range)
    if promise.one_of:
        inside = inside & value.is_in(allowed(promise))
    return inside


def _text(lines: pl.DataFrame, promise: Promise, shape: Shape, layout: Layout) -> pl.Series:
    at = column_at(shape.header, promise)
    if at is None:
        return pl.Series([None] * lines.height, dtype=pl.String)
    text = given(lines[f"f{at}"], (*layout.missing, *promise.missing))
    return text.replace(promise.codes) if promise.codes else text


def _bounded(name: str, value: pl.Series, promise: Promise) -> dict[str, pl.Series]:
    """The value as the contract bounds it, and where that has changed it, if it can have."""
    if promise.outside == "quarantine":
        return {name: value}
    outside = (~is_inside(value, promise)).fill_null(False)
    if promise.outside == "clip" and promise.range:
        low, high = pl.Series(promise.range).cast(value.dtype)
        return {name: value.clip(low, high), outside_of(name): outside}
    return {name: value.set(outside, None), outside_of(name): outside}


def _fields(text: str, width: int, delimiter: str) -> list[str | None]:
    """The first fields of a line, as many as the header has; null where nothing stands."""
    parts = [part or None for part in parts_of(text, delimiter)]
    return [*parts, *[None] * width][:width]


def _member(field: str, name: str) -> pl.Expr:
    """A member of a JSON object; null where nothing stands in the field."""
    whole = pl.struct(pl.col(field).alias(name)).struct.json_encode()
    inner = whole.str.slice(1, whole.str.len_chars() - 2)
    return pl.when(pl.col(field).is_not_null()).then(inner)
