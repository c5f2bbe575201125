"""Judged lines on their way through Spark: some thousand lines a row, packed as they were typed.

What Spark has to compare (keys, contents) and to count stands open beside the packed lines; the
lines themselves are unpacked where they are written. So text is parsed once, and what is kept of
it meanwhile is a fraction of its size.
"""

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from credit_spark.cleaning.verdicts import QUARANTINED, Judge, Judged, rule_counts

# One row a block. `number` counts the blocks of a file; `keys` are hashes of the accepted lines'
# keys; the fields of lines stand open only where their content has to serve as the key.
SCHEMA = (
    "source_file string, number int, is_keyed boolean, lines bigint, "
    "counts array<struct<verdict: string, replaced: string, rows: bigint>>, "
    "rules array<struct<rule: string, rows: bigint>>, "
    "keys array<bigint>, accepted binary, accepted_fields array<array<string>>, "
    "quarantined binary, quarantined_fields array<array<string>>, fault string"
)
# Spark's types as Arrow has them.
ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "array<string>": pa.list_(pa.string()),
}
OPEN_FIELDS = pa.list_(pa.list_(pa.string()))
ARROW = pa.schema(
    {
        "source_file": pa.string(),
        "number": pa.int32(),
        "is_keyed": pa.bool_(),
        "lines": pa.int64(),
        "counts": pa.list_(
            pa.struct({"verdict": pa.string(), "replaced": pa.string(), "rows": pa.int64()})
        ),
        "rules": pa.list_(pa.struct({"rule": pa.string(), "rows": pa.int64()})),
        "keys": pa.list_(pa.int64()),
        "accepted": pa.binary(),
        "accepted_fields": OPEN_FIELDS,
        "quarantined": pa.binary(),
        "quarantined_fields": OPEN_FIELDS,
        "fault": pa.string(),
    }
)
# Stands for null in a hash, which would else take (null, 'a') and ('a', null) for equal.
NULL_MARK = "\u0000"
Keys = npt.NDArray[np.int64]


def packed(
    judged: Judged, judge: Judge, source_file: str, number: int, lines: int
) -> pa.RecordBatch:
    """Judged lines as one row; `lines` is how many the file's reader gave."""
    rules = rule_counts(judged.quarantined)
    row = {
        "source_file": source_file,
        "number": number,
        "is_keyed": judge.is_keyed,
        "lines": lines,
        "counts": [each._asdict() for each in judged.counts],
        "rules": [{"rule": rule, "rows": rows} for rule, rows in sorted(rules.items())],
        "accepted": _ipc(judged.accepted),
        "quarantined": _ipc(judged.quarantined),
    }
    if judge.is_keyed:
        return _row(
            row | {"keys": judged.accepted["key"].hash().reinterpret(signed=True).to_arrow()}
        )
    return _row(
        row
        | {
            "accepted_fields": _open(judged.accepted_fields),
            "quarantined_fields": _open(judged.quarantined_fields),
        }
    )


def fault(source_file: str, said: str) -> pa.RecordBatch:
    """What is wrong with a file, as one row."""
    return _row({"source_file": source_file, "fault": said})


def unpacked(
    blocks: Iterable[pa.RecordBatch], part: str, contested: Keys | None, *, wanted: bool
) -> Iterator[pl.DataFrame]:
    """The lines of blocks, each with `content`, `is_keyed`, `source_file` and `place`.

    `part` is 'accepted' or 'quarantined'. Of the accepted lines those whose hash is `contested`
    come where `wanted`, else the others; None: every line is.
    """
    for row in (each for batch in blocks for each in _rows(batch)):
        lines = pl.read_ipc_stream(BytesIO(row[part]))
        about = {name: pl.lit(row[name]) for name in ("is_keyed", "source_file")}
        place = pl.int_range(pl.len(), dtype=pl.Int64) + (row["number"] << 32)
        content = _contents(row[f"{part}_contents"], lines.height)
        whole = lines.with_columns(**about, place=place, content=content)
        chosen = whole if part == QUARANTINED else _chosen(whole, row["keys"], contested, wanted)
        # A line that is alone with its content is the first of it.
        alone = pl.when("is_keyed").then("key").otherwise(pl.col("content") + "-1")
        yield chosen.with_columns(loan_id=alone)


def as_arrow(lines: pl.DataFrame, types: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """Lines as Spark takes them: the columns of `types`, in that order."""
    table = lines.select(*types).to_arrow(compat_level=pl.CompatLevel.oldest())
    (batch,) = table.cast(pa.schema(types)).combine_chunks().to_batches() or [None]
    return batch if batch is not None else pa.RecordBatch.from_pylist([], pa.schema(types))


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    for nth in range(batch.num_rows):
        row = {name: batch.column(name)[nth] for name in batch.schema.names}
        yield {
            name: value.values if isinstance(value, pa.ListScalar) else value.as_py()
            for name, value in row.items()
        }


def _chosen(lines: pl.DataFrame, keys: pa.Array, contested: Keys | None, wanted: bool) -> Any:
    if contested is None:
        return lines if wanted else lines.clear()
    if not len(contested):
        return lines.clear() if wanted else lines
    found = np.isin(keys.to_numpy(), contested)
    return lines.filter(pl.Series(found == wanted))


def _contents(contents: pa.Array | None, height: int) -> pl.Series:
    if contents is None:
        return pl.Series([None] * height, dtype=pl.String)
    return pl.Series(contents)


def _ipc(lines: pl.DataFrame) -> bytes:
    file = BytesIO()
    lines.write_ipc_stream(file, compression="lz4", compat_level=pl.CompatLevel.oldest())
    return file.getvalue()


def _open(fields: pl.DataFrame) -> pa.Array:
    """Each line's fields as a list of texts; what is empty has a mark (see NULL_MARK)."""
    lists = fields.select(pl.concat_list(pl.all().fill_null(NULL_MARK))).to_series()
    return lists.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(OPEN_FIELDS.value_type)


def _row(values: Mapping[str, Any]) -> pa.RecordBatch:
    columns = [_one(values.get(field.name), field.type) for field in ARROW]
    return pa.RecordBatch.from_arrays(columns, schema=ARROW)


def _one(value: Any, type_: pa.DataType) -> pa.Array:
    """A column of one value; a list of values may be an Arrow array already."""
    if isinstance(value, pa.Array):
        return pa.ListArray.from_arrays(pa.array([0, len(value)], pa.int32()), value)
    return pa.array([value], type_)
