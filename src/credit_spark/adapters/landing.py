"""The one adapter to landing files: which there are, what shape they have, their lines.

Files are found and read through Spark, so a folder, a file and any URL that Spark knows are
alike.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import partial, reduce
from typing import Any, NamedTuple

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from credit_spark.adapters.delimited import (
    UnreadableError,
    blocks,
    chunks,
    stream_of,
    stream_of_chunks,
)
from credit_spark.adapters.parts import Part, parts
from credit_spark.adapters.places import file_system, local_folder
from credit_spark.cleaning.blocks import SCHEMA, fault, packed
from credit_spark.cleaning.layouts import (
    ABOVE_THE_HEADER,
    LayoutError,
    Shape,
    ends_in_a_quoted_field,
    footer_of,
    shape_of,
)
from credit_spark.cleaning.lines import lines_of, without_head
from credit_spark.cleaning.verdicts import Judge
from credit_spark.contract.errors import LandingError, listed
from credit_spark.contract.models import Contract

DELIMITED = (".csv", ".csv.gz", ".csv.bz2", ".data", ".txt", ".tsv")
PACKED = (".gz", ".bz2")
# Enough to hold the lines above a header, the totals below the last loan, and a long text with
# line breaks. A multiple of four, so that no character of any encoding is cut in two.
FIRST_LINES, LAST_LINES, END_BYTES = 2 * ABOVE_THE_HEADER, 200, 2**18
# More than a part of a file has: the blocks of its parts are numbered in the file's order.
PART_BYTES, BLOCKS_OF_A_PART = 2**27, 2**12
BROKEN = "it is broken, or was cut off in transfer; have it delivered again"


class LandingFile(NamedTuple):
    """A night's file: where it is, its size in bytes, its SHA-256, its shape and its footer."""

    path: str
    name: str
    size: int
    sha256: str
    shape: Shape
    footer: tuple[str, ...]


class Landing:
    """The files of one night, in a `place` given as a URL."""

    def __init__(self, spark: SparkSession, contract: Contract, place: str, as_of: date) -> None:
        self._spark = spark
        self._contract = contract
        self._encoding = contract.source.encoding
        self._place = place
        self._as_of = as_of

    def files(self) -> list[LandingFile]:
        """The night's files, by name, each with the shape that its header tells.

        Raises:
            LandingError: there are none, or some cannot be read or fit no layout: all are named.
            InputError, TryAgainError: their storage is not known, or does not answer.
        """
        self._storage = file_system(self._spark, self._place)
        found = self._found()
        files, faults = [], _names_given_twice(found)
        for status in found:
            try:
                files.append(self._file(status))
            except LayoutError as error:
                faults.append(f"{status.getPath().getName()}: {error}")
            except (PySparkException, Py4JJavaError):
                faults.append(f"{status.getPath().getName()}: it cannot be read; {BROKEN}")
        if faults:
            raise LandingError(
                listed("the night's files break the contract; nothing was read", faults)
            )
        return files

    def blocks(self, files: Sequence[LandingFile]) -> DataFrame:
        """The files' lines, judged and packed (see cleaning/blocks.py).

        A task reads a file, or a part of a large one.
        """
        # The largest first, so that no task begins with one when the others are done.
        ordered = sorted(files, key=lambda file: (-file.size, file.name))
        here = [file for file in ordered if local_folder(file.path) is not None]
        away = [self._from_away(file) for file in ordered if file not in here]
        return reduce(DataFrame.unionAll, [*([self._from_here(here)] if here else []), *away])

    def _from_here(self, files: Sequence[LandingFile]) -> DataFrame:
        """Files of this machine, or of a folder that all machines share: tasks open them."""
        contract, as_of = self._contract, self._as_of
        pieces = [(file, *each) for file in files for each in enumerate(self._parts(file))]

        def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for piece in (each for batch in batches for each in batch.column(0).to_pylist()):
                file, nth, part = pieces[piece]
                stream = partial(stream_of, str(local_folder(file.path)), part)
                yield from judged_blocks(file, stream, contract, as_of, nth * BLOCKS_OF_A_PART)

        numbers = self._spark.range(0, len(pieces), 1, numPartitions=len(pieces))
        return numbers.mapInArrow(read, SCHEMA)

    def _parts(self, file: LandingFile) -> Sequence[Part | None]:
        """The parts of a file of this machine; None: what is packed is read as a whole."""
        if file.name.lower().endswith(PACKED):
            return [None]
        path = local_folder(file.path)
        assert path is not None
        return parts(path, file.shape.delimiter, self._encoding, PART_BYTES)

    def _from_away(self, file: LandingFile) -> DataFrame:
        """A file of another storage: its bytes come by Spark, which knows the way there."""
        contract, as_of = self._contract, self._as_of

        def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            yield from judged_blocks(file, partial(stream_of_chunks, batches), contract, as_of)

        # Of a line's end, only what it ends with is taken away.
        lines = self._spark.read.text(_literal(file.path), lineSep="\n")
        start = F.col("_metadata.file_block_start").alias("start")
        raw = lines.select(start, F.col("value").cast("binary"))
        parts = raw.mapInArrow(chunks, "start bigint, nth int, content binary")
        ordered = parts.coalesce(1).sortWithinPartitions("start", "nth")
        return ordered.mapInArrow(read, SCHEMA)

    def _ends(self, status: Any) -> tuple[list[str], list[str]]:
        """A file's first and last lines that are not blank; a packed file is unpacked for them."""
        path, size = status.getPath(), status.getLen()
        if path.getName().lower().endswith(PACKED):
            text = self._text(_literal(path.toString()))
            ends = text.head(FIRST_LINES), text.tail(LAST_LINES)
            return [row.value for row in ends[0]], [row.value for row in ends[1]]
        begin = max(0, size - END_BYTES) // 4 * 4
        first = self._lines_at(path, 0, min(size, END_BYTES))
        return first[:FIRST_LINES], self._lines_at(path, begin, size - begin)[-LAST_LINES:]

    def _lines_at(self, path: Any, begin: int, count: int) -> list[str]:
        """The lines in `count` bytes of a file; the outer ones may be cut off."""
        jvm = self._spark._jvm
        assert jvm is not None
        stream = self._storage.open(path)
        try:
            stream.seek(begin)
            content = bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream, count))
        finally:
            stream.close()
        text = content.decode(self._encoding, errors="replace")
        return [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]

    def _text(self, path: str) -> DataFrame:
        """A file's lines as they stand, in the encoding that Spark's text reader does not know."""
        return self._spark.read.csv(
            path, schema="value string", sep="\u0001", quote="", encoding=self._encoding
        )

    def _found(self) -> list[Any]:
        """Hadoop's status of each file, by name; hidden ones are not a night's."""
        pattern = self._pattern()
        statuses = self._storage.globStatus(self._path(pattern)) or []
        named = [(status.getPath().getName(), status) for status in statuses]
        shown = [(name, each) for name, each in named if not name.startswith((".", "_"))]
        if not shown:
            raise LandingError(
                f"there are no files for the night of {self._as_of} at {pattern}; put them there, "
                "or name the file or folder with --landing"
            )
        return [each for _, each in sorted(shown, key=lambda pair: pair[0])]

    def _pattern(self) -> str:
        """The night's files as a glob; a place that is one file is the night's file."""
        if self._storage.isFile(self._path(self._place)):
            return _literal(self._place)
        pattern = self._contract.source.path
        return pattern.format(landing=_literal(self._place.rstrip("/")), as_of=self._as_of)

    def _path(self, place: str) -> Any:
        jvm = self._spark._jvm
        assert jvm is not None
        return jvm.org.apache.hadoop.fs.Path(place)

    def _file(self, status: Any) -> LandingFile:
        path, name = status.getPath(), status.getPath().getName()
        if not status.isFile():
            raise LayoutError("it is a folder; put its files beside it, or name it in source.path")
        if not name.lower().endswith(DELIMITED):
            raise LayoutError(f"this kind of file is not read; these are: {', '.join(DELIMITED)}")
        first_lines, last_lines = self._ends(status)
        shape = shape_of(first_lines, self._contract)
        if ends_in_a_quoted_field(last_lines, shape.delimiter):
            raise LayoutError(f"it ends in the middle of a quoted field: {BROKEN}")
        return LandingFile(
            path.toString(),
            name,
            status.getLen(),
            self._sha256(path),
            shape,
            footer_of(last_lines, shape, self._contract),
        )

    def _sha256(self, path: Any) -> str:
        jvm = self._spark._jvm
        assert jvm is not None
        stream = self._storage.open(path)
        try:
            return str(jvm.org.apache.commons.codec.digest.DigestUtils.sha256Hex(stream))
        finally:
            stream.close()


def judged_blocks(
    file: LandingFile,
    stream: Callable[[], pa.NativeFile],
    contract: Contract,
    as_of: date,
    first: int = 0,
) -> Iterator[pa.RecordBatch]:
    """A file's lines as packed blocks, numbered from `first` on; 0 is the file's begin.

    Where it cannot be read to its end, a fault is the last.
    """
    judge, delimiter = Judge(contract, as_of, file.shape, file.footer), file.shape.delimiter
    width, encoding = len(file.shape.header), contract.source.encoding
    try:
        for number, fields in enumerate(blocks(stream, width, delimiter, encoding), first):
            is_first = number == 0
            sound, malformed = without_head(*fields, file.shape, delimiter) if is_first else fields
            lines = lines_of(sound, malformed, delimiter)
            count = sound.height + len(malformed)
            yield packed(judge.judge(lines), judge, file.name, number, count)
    except UnreadableError:
        yield fault(file.name, f"it cannot be read to its end: {BROKEN}")


def _names_given_twice(found: Sequence[Any]) -> list[str]:
    """Files of several folders with one name: their lines could not be told apart."""
    counts = Counter(status.getPath().getName() for status in found)
    return [
        f"{name}: {count} files have this name, and a line's file is known by its name alone; "
        "rename them"
        for name, count in counts.items()
        if count > 1
    ]


def _literal(path: str) -> str:
    """A path as a glob that finds it and nothing else."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)
