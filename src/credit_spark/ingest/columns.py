"""Records of one file shape to the contract's typed columns, each with its row status.

In come parsed records (lines.py); out go as many rows, with the columns of `VALIDATED`.
"""

from datetime import date
from sys import float_info

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.config.models import Contract, ContractColumn, Layout
from credit_spark.config.tables import LARGEST_INT, TYPES
from credit_spark.ingest.layouts import Shape, column_at, key_of
from credit_spark.ingest.lines import (
    BROKEN_LINE,
    KIND,
    LOAN,
    PARTS,
    QUOTED,
    TEXT,
    field,
)  # fmt: skip
from credit_spark.ingest.parsers import PARSERS, Notation, given, trimmed
from credit_spark.ingest.rules import (
    IS_WELL_FORMED,
    KEY,
    TEXTS,
    allowed,
    is_sound,
    outcome,
    outside_of,
    reasons,
    rules_of,
    text_of,
)  # fmt: skip

ACCEPTED, QUARANTINED, SUPERSEDED = "accepted", "quarantined", "superseded"
STATUS, CONTENT, REPLACED, SHAPE = "_status", "_content", "_replaced", "_shape"
# Stands for null in a hash, which would else take (null, 'a') and ('a', null) for equal.
NULL_MARK = "\u0000"
HALVES = (1, 2)
# Kinds of which one value has one text.
EXACT_KINDS = ("count", "months", "years", "flag", "date")
FIELDS = "_fields"


def validated(
    records: DataFrame, shape: Shape, contract: Contract, as_of: date, number: int
) -> DataFrame:
    """The contract's columns of records, and what becomes of each row.

    Out go the columns of `records` but PARTS and QUOTED; TEXT is null where a row is accepted, KIND
    where it is not quarantined. Beside them stand SHAPE (the `number` of the shape), STATUS
    (accepted, quarantined, or what a line is that is no loan), KEY (the lender's; null: missing, or
    the layout has none), CONTENT (a hash, in place of the key), the contract's columns,
    `outcome`, `reasons` and REPLACED (columns turned null or clipped).
    """
    layout = contract.source.layouts[shape.layout]
    rules = rules_of(contract, is_keyed=key_of(layout, contract) is not None)
    values = _values(_texts(records, shape, contract), contract, layout)
    keyed = values.withColumn(KEY, _key(key_of(layout, contract), contract))
    bounded = _bounded(keyed, contract)
    dated = bounded.withColumns({"as_of": F.lit(as_of), IS_WELL_FORMED: F.col(KIND) != BROKEN_LINE})
    sound = F.when(is_sound(rules), ACCEPTED).otherwise(QUARANTINED)
    status = dated.withColumn(STATUS, F.when(_is_loan(), sound).otherwise(F.col(KIND)))
    is_accepted, is_aside = F.col(STATUS) == ACCEPTED, F.col(STATUS) == QUARANTINED
    return status.select(
        *[each for each in _carried(records) if each not in (TEXT, KIND)],
        F.lit(number).alias(SHAPE),
        F.when(~is_accepted, F.col(TEXT)).alias(TEXT),
        F.when(is_aside, F.col(KIND)).alias(KIND),
        STATUS,
        KEY,
        CONTENT,
        *contract.columns,
        outcome(contract).alias("outcome"),
        F.when(is_aside, reasons(rules)).alias("reasons"),
        _replaced(contract).alias(REPLACED),
    )


def raw(shape: Shape) -> Column:
    """A parsed record's fields by their header's names, or a malformed line's text, as JSON."""
    named = [field(nth).alias(name or f"column {nth}") for nth, name in enumerate(shape.header)]
    whole = F.to_json(F.struct(F.col(TEXT).alias("line")))
    return F.when(F.col(KIND) == BROKEN_LINE, whole).otherwise(F.to_json(F.struct(*named)))


def _texts(records: DataFrame, shape: Shape, contract: Contract) -> DataFrame:
    """The text that each column is read from, and the content of the fields."""
    layout = contract.source.layouts[shape.layout]
    key = key_of(layout, contract)
    content = _content(shape) if key is None else F.lit(None).cast("string")
    fields = [_field(each, shape).alias(name) for name, each in contract.columns.items()]
    texts = [
        _text(F.col(f"{FIELDS}.{name}"), spec, layout).alias(name)
        for name, spec in contract.columns.items()
    ]
    # Two projections: what the second one reads more than once is computed once. A struct is copied
    # as one value by each projection that follows; other lines than loans have none.
    cut = records.select(
        *_carried(records),
        content.alias(CONTENT),
        F.when(_is_loan(), F.struct(*fields)).alias(FIELDS),
    )
    read = F.when(F.col(FIELDS).isNotNull(), F.struct(*texts))
    return cut.withColumn(TEXTS, read).drop(FIELDS)


def _is_loan() -> Column:
    return F.col(KIND).isin(LOAN, BROKEN_LINE)


def _carried(records: DataFrame) -> list[str]:
    return [each for each in records.columns if each not in (PARTS, QUOTED)]


def _field(spec: ContractColumn, shape: Shape) -> Column:
    at = column_at(shape.header, spec)
    return F.lit(None).cast("string") if at is None else trimmed(field(at))


def _text(trimmed_field: Column, spec: ContractColumn, layout: Layout) -> Column:
    # An empty field is null where it is not quoted, whatever the contract says.
    text = given(trimmed_field, ("", *layout.missing, *spec.missing))
    if not spec.codes:
        return text
    codes = F.create_map(*[F.lit(each) for pair in spec.codes.items() for each in pair])
    return F.coalesce(codes[text], text)


def _key(names: tuple[str, ...] | None, contract: Contract) -> Column:
    if names is None:
        return F.lit(None).cast("string")
    values = [_key_part(name, contract) for name in names]
    if len(values) == 1:
        return values[0]
    # A separator within a part is escaped: ("1|2", "3") and ("1", "2|3") are two keys.
    parts = [F.regexp_replace(each, r"([\\|])", r"\\$1") for each in values]
    return F.concat(*[each for part in parts for each in (F.lit("|"), part)][1:])


def _key_part(name: str, contract: Contract) -> Column:
    """A column's value as text where its kind is exact: 7, 7.0 and 007 are one count.

    Others stay as they are written, and so does what cannot be read: two numbers may be one double.
    """
    text, spec = F.col(text_of(name)), contract.columns[name]
    has_time = any("HH" in each for each in spec.formats)
    is_exact = spec.kind in EXACT_KINDS and not has_time
    return F.coalesce(F.col(name).cast("string"), text) if is_exact else text


def _content(shape: Shape) -> Column:
    """128 bits of all fields, as 32 hexadecimal digits: equal for equal records for ever."""
    fields = [F.coalesce(field(nth), F.lit(NULL_MARK)) for nth in range(len(shape.header))]
    halves = [F.lpad(F.hex(F.xxhash64(F.lit(half), F.array(*fields))), 16, "0") for half in HALVES]
    return F.lower(F.concat(*halves))


def _values(texts: DataFrame, contract: Contract, layout: Layout) -> DataFrame:
    decimal = contract.source.decimal_of(layout)
    return texts.withColumns({
        name: PARSERS[spec.kind](
            F.col(text_of(name)), spec, Notation(layout.units.get(name), decimal)
        ).cast(TYPES[spec.kind])
        for name, spec in contract.columns.items()
    })  # fmt: skip


def _bounded(values: DataFrame, contract: Contract) -> DataFrame:
    """Values as the contract bounds them, and where that has changed them, if it can have."""
    bounded = {
        name: spec for name, spec in contract.columns.items() if spec.outside != "quarantine"
    }
    if not bounded:
        return values
    outside = {outside_of(name): _is_outside(name, each) for name, each in bounded.items()}
    return values.withColumns(outside).withColumns(
        {name: _bound(name, spec) for name, spec in bounded.items()}
    )


def _is_outside(name: str, spec: ContractColumn) -> Column:
    value, inside = F.col(name), F.lit(True)
    if spec.range:
        inside = inside & value.between(*spec.range)
    if spec.one_of:
        inside = inside & value.isin(*allowed(spec))
    return F.coalesce(value.isNotNull() & ~inside, F.lit(False))


def _bound(name: str, spec: ContractColumn) -> Column:
    value, is_outside = F.col(name), F.col(outside_of(name))
    if spec.outside == "null" or spec.range is None:
        return F.when(~is_outside, value)
    # An end that no value of the type reaches is no bound.
    largest = LARGEST_INT if TYPES[spec.kind] == "int" else float_info.max
    for end, furthest in zip(spec.range, (F.greatest, F.least), strict=True):
        if abs(end) <= largest:
            # Of null they would be the end.
            clipped = furthest(value, F.lit(end).cast(TYPES[spec.kind]))
            value = F.when(value.isNotNull(), clipped)
    return value


def _replaced(contract: Contract) -> Column:
    flags = [
        F.when(F.col(outside_of(name)), F.lit(name))
        for name, spec in contract.columns.items()
        if spec.outside != "quarantine"
    ]
    return F.concat_ws(",", *flags) if flags else F.lit("")
