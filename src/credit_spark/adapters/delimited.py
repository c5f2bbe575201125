"""Delimited text as blocks of fields: what a task reads of a file, a bounded part at a time."""

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
from pyarrow import csv, fs

from credit_spark.adapters.parts import Part

# A line of a file, line breaks in quotes included, must fit into a block.
BLOCK_BYTES = 2**23
# Of a file that comes through Spark.
CHUNK_BYTES = 2**22
CHUNKS = pa.schema({"start": pa.int64(), "nth": pa.int32(), "content": pa.binary()})
# In what the reader says.
NOTHING, STRADDLES = "empty csv file", "straddl"
BROKEN = "it is broken, or was cut off in transfer; have it delivered again"
TOO_LONG = (
    f"a line is longer than {BLOCK_BYTES // 2**20} MB, or a quote is opened that nothing closes; "
    "have it delivered without"
)


class UnreadableError(Exception):
    """A file cannot be read to its end; the text says why, in the reader's words."""


class Fields(NamedTuple):
    """Some lines of a file, in its order: columns `f0` to `fN` of text, null where nothing stands.

    `malformed` are the whole texts of lines with too few or too many fields.
    """

    sound: pl.DataFrame
    malformed: tuple[str, ...]


def stream_of(path: str, part: Part | None = None) -> pa.NativeFile:
    """The bytes of a file of this machine, unpacked where it is packed; or of a part of it.

    Raises:
        UnreadableError: it is not there, or not what its ending says.
    """
    try:
        if part is not None:
            return fs.LocalFileSystem().open_input_file(path).get_stream(part.begin, part.length)
        return fs.LocalFileSystem().open_input_stream(path, compression="detect")
    except OSError as error:
        raise UnreadableError(BROKEN) from error


def chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Lines that Spark has read (`start`, `value`), put together again to parts of their file.

    `start` is where Spark began to read; a part is known by it and its number `nth` from there.
    """
    lines = (
        line
        for batch in batches
        for line in zip(batch["start"].to_pylist(), batch["value"].to_pylist(), strict=True)
    )
    for start, of_it in groupby(lines, key=itemgetter(0)):
        values = (value for _, value in of_it)
        for nth, content in enumerate(_joined(values)):
            rows = {"start": [start], "nth": [nth], "content": [content]}
            yield pa.RecordBatch.from_pydict(rows, CHUNKS)


def stream_of_chunks(batches: Iterable[pa.RecordBatch]) -> pa.NativeFile:
    """The bytes of a file that comes in parts, in its order."""
    parts = (each for batch in batches for each in batch.column("content").to_pylist())
    return pa.PythonFile(io.BufferedReader(_Parts(parts)), mode="r")


def blocks(
    stream: Callable[[], pa.NativeFile], width: int, delimiter: str, encoding: str
) -> Iterator[Fields]:
    """The lines of a file of `width` columns, those above its first loan among them.

    Raises:
        UnreadableError: it cannot be read to its end.
    """
    malformed: list[str] = []

    def set_aside(line: Any) -> str:
        malformed.append(line.text)
        return "skip"

    batches = _readable(lambda: _reader(stream(), width, delimiter, encoding, set_aside))
    for batch in batches:
        yield Fields(pl.DataFrame(pa.Table.from_batches([_valid(batch)])), _taken(malformed))
    if malformed:
        yield Fields(_none(width), _taken(malformed))


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        part += (line, b"\n")
        size += len(line) + 1
        if size >= CHUNK_BYTES:
            yield b"".join(part)
            part, size = [], 0
    yield b"".join(part)


def _readable(reader: Callable[[], Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader()
    except (OSError, ValueError) as error:
        said = str(error).lower()
        # Blank lines and nothing else are no fault.
        if NOTHING not in said:
            raise UnreadableError(TOO_LONG if STRADDLES in said else BROKEN) from error


def _reader(
    stream: pa.NativeFile, width: int, delimiter: str, encoding: str, set_aside: Any
) -> Iterable[pa.RecordBatch]:
    names = [f"f{nth}" for nth in range(width)]
    reader: Iterable[pa.RecordBatch] = csv.open_csv(
        stream,
        csv.ReadOptions(
            use_threads=False, block_size=BLOCK_BYTES, column_names=names, encoding=encoding
        ),
        # Borrowers' descriptions hold line breaks inside quotes, and quotes are doubled.
        csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            check_utf8=False,
        ),
    )
    return reader


def _valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same fields, with a mark for every byte that is no UTF-8."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return pa.RecordBatch.from_arrays(list(map(_mended, batch.columns)), batch.schema.names)
    return batch


def _mended(texts: pa.Array) -> pa.Array:
    raw = texts.cast(pa.binary()).to_pylist()
    said = [each if each is None else each.decode("utf-8", errors="replace") for each in raw]
    return pa.array(said, pa.string())


def _taken(malformed: list[str]) -> tuple[str, ...]:
    taken = tuple(malformed)
    malformed.clear()
    return taken


def _none(width: int) -> pl.DataFrame:
    return pl.DataFrame(schema={f"f{nth}": pl.String for nth in range(width)})


class _Parts(io.RawIOBase):
    """Parts of a file as one stream."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._parts, b"")
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
