"""Files of a table before they are in it: Parquet that tasks write, seen by nobody until committed.

Whoever writes them keeps the table's promises: no null in a key, no row that breaks a check.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs
from pyspark import TaskContext

from credit_spark.contract.tables import Table
from credit_spark.evaluation.questions import NOTHING_ASKED, Questionnaire, Told
from credit_spark.storage.paths import opened

ARROW_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "array<string>": pa.list_(pa.string()),
    "array<date>": pa.list_(pa.date32()),
}
# Longer texts are no good bounds of a file, and would make the log long.
LONGEST_BOUND = 64
# Of a row group: what a look-up of one row takes in. A block is what a task does at once.
GROUP_ROWS, BLOCK_ROWS = 2**13, 2**17


class BrokenPromiseError(Exception):
    """Rows break what their table promises; the text names the promise, and no value."""


class Staged(NamedTuple):
    """A file that waits to be committed: its path below the table's folder, size, rows, bounds.

    `told` is what its rows tell of the questions that its stage was asked.
    """

    path: str
    size: int
    rows: int
    bounds: Mapping[str, Any]
    told: Told = ()

    @property
    def stats(self) -> str:
        """What Delta's log says of the file, as JSON."""
        return json.dumps({"numRecords": self.rows, **self.bounds})


class Stage(NamedTuple):
    """Where files of a nightly table are written, the run that writes them, what they are asked."""

    folder: str
    table: Table
    as_of: date
    run_id: str
    asked: Questionnaire = NOTHING_ASKED

    def writer(self, name: str) -> "closing[StageWriter]":
        """Writes a file while it is open; `name` tells it from the run's others.

        Spark may try a task again while its first attempt still writes: each has a file of its own.
        """
        task = TaskContext.get()
        attempt = task.taskAttemptId() if task else 0
        return closing(StageWriter(self, f"{self.night}/{name}-{self.run_id}-{attempt}.parquet"))

    @property
    def night(self) -> str:
        """The night's folder, below the table's."""
        return f"as_of={self.as_of}"

    @property
    def schema(self) -> pa.Schema:
        """A file's columns: the night is told by its folder."""
        return pa.schema(
            [
                pa.field(name, ARROW_TYPES[field.type], nullable=name not in self.table.keys)
                for name, field in self.table.columns.items()
            ]
            + [pa.field("run_id", pa.string(), nullable=False)]
        )


class StageWriter:
    """Writes a table's rows, block by block; with no row, there is no file."""

    def __init__(self, stage: Stage, path: str) -> None:
        self._stage = stage
        self._schema = stage.schema
        self._path = path
        self._first = next(iter(stage.table.columns))
        self._system, self._folder = opened(stage.folder)
        self._writer: pq.ParquetWriter | None = None
        self._bounds: list[tuple[Any, Any, int]] = []
        self._rows = 0
        self._told: list[Told] = []

    def write(self, rows: pl.DataFrame) -> None:
        """Add rows, with the table's columns.

        Raises:
            BrokenPromiseError: a row breaks a promise of the table.
        """
        if rows.is_empty():
            return
        kept = rows.select(*self._stage.table.columns)
        check(self._stage.table, kept)
        first = kept[self._first]
        self._bounds.append((first.min(), first.max(), first.null_count()))
        self._rows += kept.height
        self._told.append(self._stage.asked.numbers(kept))
        stamped = kept.with_columns(pl.lit(self._stage.run_id).alias("run_id"))
        table = stamped.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema)
        self._open().write_table(table, row_group_size=GROUP_ROWS)

    def staged(self) -> list[Staged]:
        """The file, once it is written; none where it has no row."""
        if self._writer is None:
            return []
        size = self._system.get_file_info(f"{self._folder}/{self._path}").size
        told = self._stage.asked.together(self._told)
        return [Staged(self._path, size, self._rows, _merged(self._first, self._bounds), told)]

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            whole = f"{self._folder}/{self._path}"
            self._system.create_dir(whole.rpartition("/")[0])
            # Of a key that is never twice the same, a dictionary would only cost.
            named = [name for name in self._schema.names if name != self._first]
            self._writer = pq.ParquetWriter(
                whole,
                self._schema,
                filesystem=self._system,
                compression="snappy",
                use_dictionary=named,
                write_statistics=False,
            )
        return self._writer

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


def blocks_of(file: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of a table's file, a bounded part of its rows at a time."""
    system, path = opened(file)
    with system.open_input_file(path) as content, pq.ParquetFile(content) as rows:
        for batch in rows.iter_batches(BLOCK_ROWS, columns=list(columns), use_threads=False):
            yield pl.DataFrame(batch)


def check(table: Table, rows: pl.DataFrame) -> None:
    """Make sure that rows keep a table's promises.

    Raises:
        BrokenPromiseError: some do not; every promise that they break is named.
    """
    nulls = {f"{name} is never null": pl.col(name).is_not_null() for name in table.keys}
    checks = {name: pl.sql_expr(condition) for name, condition in table.checks.items()}
    holds = [
        each.fill_null(value=False).all().alias(name) for name, each in (nulls | checks).items()
    ]
    broken = [
        name for name, is_kept in rows.select(holds).row(0, named=True).items() if not is_kept
    ]
    if broken:
        raise BrokenPromiseError(f"rows of {table.name} break: {', '.join(broken)}")


def discard(stage: Stage, committed: Collection[str]) -> None:
    """Take away what a run has staged and not committed; `committed` are paths as in `Staged`."""
    system, path = opened(stage.folder)
    night = fs.FileSelector(f"{path}/{stage.night}", allow_not_found=True)
    for each in system.get_file_info(night):
        name = f"{stage.night}/{each.base_name}"
        if stage.run_id in each.base_name and name not in committed:
            system.delete_file(each.path)


def _merged(name: str, bounds: list[tuple[Any, Any, int]]) -> dict[str, Any]:
    """The least and the greatest value of a column, where they are short texts, and its nulls."""
    nulls = {"nullCount": {name: sum(each[2] for each in bounds)}}
    texts = list(_texts(bounds))
    if not texts or max(map(len, texts)) > LONGEST_BOUND:
        return nulls
    return {"minValues": {name: min(texts, key=_bytes)},
            "maxValues": {name: max(texts, key=_bytes)}, **nulls}  # fmt: skip


def _texts(bounds: list[tuple[Any, Any, int]]) -> Iterator[str]:
    return (value for low, high, _ in bounds for value in (low, high) if isinstance(value, str))


def _bytes(text: str) -> bytes:
    """Delta orders texts by their UTF-8 bytes."""
    return text.encode()
