"""The one adapter to landing files: which there are, what shape they have, their lines.

Files are found and read through Spark, so a folder, a file and any URL that Spark knows are
alike.
"""

import hashlib
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from credit_spark.adapters.delimited import (
    BROKEN,
    UnreadableError,
    blocks,
    chunks,
    stream_of,
    stream_of_chunks,
)
from credit_spark.adapters.parts import Part, parts
from credit_spark.adapters.spool import Spool
from credit_spark.adapters.tasks import spread
from credit_spark.cleaning.blocks import Summary, accepted_lines, quarantined_lines
from credit_spark.cleaning.lines import lines_of, without_head
from credit_spark.cleaning.verdicts import Judge
from credit_spark.contract.errors import LandingError, listed
from credit_spark.contract.models import Contract
from credit_spark.ingest.layouts import (
    ABOVE_THE_HEADER,
    LayoutError,
    Shape,
    ends_in_a_quoted_field,
    footer_of,
    shape_of,
)
from credit_spark.storage.paths import file_system, literal, local_folder

DELIMITED = (".csv", ".csv.gz", ".csv.bz2", ".data", ".txt", ".tsv")
PACKED = (".gz", ".bz2")
# Enough to hold the lines above a header, the totals below the last loan, and a long text with
# line breaks. A multiple of four, so that no character of any encoding is cut in two.
FIRST_LINES, LAST_LINES, END_BYTES = 2 * ABOVE_THE_HEADER, 200, 2**18
# More than a part of a file has: the blocks of its parts are numbered in the file's order.
PART_BYTES, BLOCKS_OF_A_PART = 2**27, 2**12


class LandingFile(NamedTuple):
    """A night's file: where it is, its size in bytes, its shape, its footer.

    Every byte was looked at for its `sha256`, and for the `parts` that tasks read side by side;
    None is the whole file.
    """

    path: str
    name: str
    size: int
    shape: Shape
    footer: tuple[str, ...]
    sha256: str = ""
    parts: tuple[Part | None, ...] = (None,)


class Piece(NamedTuple):
    """A part of a file for one task, whose blocks are numbered from `first` on."""

    number: int
    file: LandingFile
    part: Part | None
    first: int


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
        seen, faults = [], _names_given_twice(found)
        for status in found:
            try:
                seen.append(self._seen(status))
            except LayoutError as error:
                faults.append(f"{status.getPath().getName()}: {error}")
            except (PySparkException, Py4JJavaError):
                faults.append(f"{status.getPath().getName()}: it cannot be read; {BROKEN}")
        if faults:
            raise LandingError(
                listed("the night's files break the contract; nothing was read", faults)
            )
        return self._looked_through(seen)

    def _looked_through(self, files: Sequence[LandingFile]) -> list[LandingFile]:
        """The same with what only a look at every byte of a file tells."""
        here = [file for file in files if local_folder(file.path) is not None]
        look = partial(_looked_through, encoding=self._encoding, part_bytes=PART_BYTES)
        known = {file.path: file for file in spread(self._spark, "look through files", look, here)}
        for file in files:
            if file.path not in known:
                known[file.path] = file._replace(sha256=self._sha256(self._path(file.path)))
        return [known[file.path] for file in files]

    def judged(self, files: Sequence[LandingFile], spool: Spool) -> list[Summary]:
        """Read and judge the files' lines, and leave them in `spool`, a piece of a file a task.

        A piece's lines are `accepted-N` and `quarantined-N` there, N being its summary's `number`.
        """
        pieces = list(self._pieces(files))
        here = [each for each in pieces if local_folder(each.file.path) is not None]
        read = partial(_read_here, contract=self._contract, as_of=self._as_of, spool=spool)
        found = spread(self._spark, "read and judge lines", read, here)
        return [*found, *(self._from_away(each, spool) for each in pieces if each not in here)]

    def _pieces(self, files: Sequence[LandingFile]) -> Iterator["Piece"]:
        """The parts of the files, the largest file first: no task begins with it at the end."""
        number = 0
        for file in sorted(files, key=lambda file: (-file.size, file.name)):
            for nth, part in enumerate(file.parts):
                yield Piece(number, file, part, nth * BLOCKS_OF_A_PART)
                number += 1

    def _from_away(self, piece: "Piece", spool: Spool) -> Summary:
        """A file of another storage: its bytes come by Spark, which knows the way there."""
        contract, as_of = self._contract, self._as_of

        def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            summary = judged_piece(
                piece, partial(stream_of_chunks, batches), contract, as_of, spool
            )
            yield pa.RecordBatch.from_pydict({"summary": [pickle.dumps(summary)]})

        # Of a line's end, only what it ends with is taken away.
        lines = self._spark.read.text(literal(piece.file.path), lineSep="\n")
        start = F.col("_metadata.file_block_start").alias("start")
        raw = lines.select(start, F.col("value").cast("binary"))
        parts = raw.mapInArrow(chunks, "start bigint, nth int, content binary")
        ordered = parts.coalesce(1).sortWithinPartitions("start", "nth")
        (told,) = ordered.mapInArrow(read, "summary binary").collect()
        summary: Summary = pickle.loads(told.summary)  # noqa: S301 - our own task has made it
        return summary

    def _ends(self, status: Any) -> tuple[list[str], list[str]]:
        """A file's first and last lines that are not blank; a packed file is unpacked for them."""
        path, size = status.getPath(), status.getLen()
        if path.getName().lower().endswith(PACKED):
            text = self._text(literal(path.toString()))
            ends = text.head(FIRST_LINES), text.tail(LAST_LINES)
            return [row.value for row in ends[0]], [row.value for row in ends[1]]
        begin = max(0, size - END_BYTES) // 4 * 4
        first = self._lines_at(path, 0, min(size, END_BYTES))
        return first[:FIRST_LINES], self._lines_at(path, begin, size - begin)[-LAST_LINES:]

    def _lines_at(self, path: Any, begin: int, count: int) -> list[str]:
        """The lines in `count` bytes of a file; the outer ones may be cut off."""
        here = local_folder(path.toString())
        if here is None:
            content = self._bytes_away(path, begin, count)
        else:
            with here.open("rb") as file:
                file.seek(begin)
                content = file.read(count)
        text = content.decode(self._encoding, errors="replace")
        return [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]

    def _bytes_away(self, path: Any, begin: int, count: int) -> bytes:
        """Bytes of a file that only Spark can reach, which takes far longer."""
        jvm = self._spark._jvm
        assert jvm is not None
        stream = self._storage.open(path)
        try:
            stream.seek(begin)
            return bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream, count))
        finally:
            stream.close()

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
            return literal(self._place)
        pattern = self._contract.source.path
        return pattern.format(landing=literal(self._place.rstrip("/")), as_of=self._as_of)

    def _path(self, place: str) -> Any:
        jvm = self._spark._jvm
        assert jvm is not None
        return jvm.org.apache.hadoop.fs.Path(place)

    def _seen(self, status: Any) -> LandingFile:
        """A file as its first and last lines tell it."""
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


def judged_piece(
    piece: Piece,
    stream: Callable[[], pa.NativeFile],
    contract: Contract,
    as_of: date,
    spool: Spool,
) -> Summary:
    """Judge a piece's lines, and leave them in `spool`.

    Where it cannot be read to its end, its summary has a fault.
    """
    file = piece.file
    judge, delimiter = Judge(contract, as_of, file.shape, file.footer), file.shape.delimiter
    read = blocks(stream, len(file.shape.header), delimiter, contract.source.encoding)
    summary = Summary(file.name, piece.number)
    with (
        spool.writer(f"accepted-{piece.number}") as accepted,
        spool.writer(f"quarantined-{piece.number}") as quarantined,
    ):
        try:
            for number, fields in enumerate(read, piece.first):
                is_first = number == 0
                sound, malformed = (
                    without_head(*fields, file.shape, delimiter) if is_first else fields
                )
                judged = judge.judge(lines_of(sound, malformed, delimiter))
                accepted.write(accepted_lines(judged, judge, number))
                quarantined.write(quarantined_lines(judged, judge, number))
                summary = summary.with_block(judged, sound.height + len(malformed))
        except UnreadableError as error:
            return summary._replace(fault=f"it cannot be read to its end: {error}")
    return summary


def _read_here(piece: Piece, contract: Contract, as_of: date, spool: Spool) -> Summary:
    """A piece of a file of this machine, or of a folder that all machines share."""
    stream = partial(stream_of, str(local_folder(piece.file.path)), piece.part)
    return judged_piece(piece, stream, contract, as_of, spool)


def _looked_through(file: LandingFile, encoding: str, part_bytes: int) -> LandingFile:
    """A file of this machine with its SHA-256 and its parts; what is packed is read as a whole."""
    path = local_folder(file.path)
    assert path is not None
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    if file.name.lower().endswith(PACKED):
        return file._replace(sha256=sha256)
    found = parts(path, file.shape.delimiter, encoding, part_bytes)
    return file._replace(sha256=sha256, parts=tuple(found))


def _names_given_twice(found: Sequence[Any]) -> list[str]:
    """Files of several folders with one name: their lines could not be told apart."""
    counts = Counter(status.getPath().getName() for status in found)
    return [
        f"{name}: {count} files have this name, and a line's file is known by its name alone; "
        "rename them"
        for name, count in counts.items()
        if count > 1
    ]
