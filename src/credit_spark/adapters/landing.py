"""The one adapter to landing files: which there are, what shape they have, their lines.

Files are found and read through Spark, so a folder, a file and any URL that Spark knows are
alike.
"""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from credit_spark.cleaning.layouts import ABOVE_THE_HEADER, LayoutError, Shape, shape_of
from credit_spark.cleaning.lines import typed, without_preamble
from credit_spark.contract.errors import LandingError, listed
from credit_spark.contract.models import Contract

COMPRESSED = (".gz", ".bz2")
CUT_OFF = (
    "it ends in the middle of a quoted field: it was cut off in transfer; have it delivered again"
)
DELIMITED = (".csv", ".csv.gz", ".csv.bz2", ".txt", ".tsv")


class LandingFile(NamedTuple):
    """A night's file: where it is, its size in bytes, its SHA-256, its shape."""

    path: str
    name: str
    size: int
    sha256: str
    shape: Shape


class Landing:
    """The files of one night."""

    def __init__(self, spark: SparkSession, contract: Contract, place: str, as_of: date) -> None:
        self._spark = spark
        self._contract = contract
        self._place = place
        self._as_of = as_of

    def files(self) -> list[LandingFile]:
        """The night's files, by name, each with the shape that its header tells.

        Raises:
            LandingError: there are none, or some cannot be read or fit no layout: all are named.
        """
        found = self._found()
        files, faults = [], []
        for status in found:
            try:
                files.append(self._file(status))
            except LayoutError as error:
                faults.append(f"{status.getPath().getName()}: {error}")
            except (PySparkException, Py4JJavaError):
                faults.append(f"{status.getPath().getName()}: it cannot be read; deliver it again")
        if faults:
            raise LandingError(
                listed("the night's files break the contract; nothing was read", faults)
            )
        return files

    def lines(self, files: Sequence[LandingFile]) -> list[DataFrame]:
        """The files' lines, typed by their layout (see cleaning/lines.py): a frame a shape."""
        by_shape = sorted(files, key=lambda file: (file.shape, file.name))
        return [
            self._typed(shape, [file.path for file in alike])
            for shape, alike in groupby(by_shape, key=lambda file: file.shape)
        ]

    def _typed(self, shape: Shape, paths: list[str]) -> DataFrame:
        return typed(without_preamble(self._read(shape, paths), shape), shape, self._contract)

    def _read(self, shape: Shape, paths: list[str]) -> DataFrame:
        fields = ", ".join(f"f{i} string" for i in range(len(shape.header)))
        lines = self._spark.read.csv(
            paths,
            schema=f"{fields}, line string",
            header=True,
            # Borrowers' descriptions hold line breaks inside quotes, and quotes are doubled.
            multiLine=True,
            escape='"',
            sep=self._contract.source.delimiter,
            encoding=self._contract.source.encoding,
            columnNameOfCorruptRecord="line",
        )
        return lines.withColumn("source_file", F.col("_metadata.file_name"))

    def _found(self) -> list[Any]:
        """Hadoop's status of each file, by name; hidden ones are not a night's."""
        jvm = self._spark._jvm
        assert jvm is not None
        pattern = self._pattern()
        path = jvm.org.apache.hadoop.fs.Path(pattern)
        try:
            statuses = self._storage(path).globStatus(path) or []
        except Py4JJavaError:
            raise LandingError(f"{pattern} cannot be listed; is the storage there?") from None
        named = {status.getPath().getName(): status for status in statuses if status.isFile()}
        shown = [name for name in sorted(named) if not name.startswith((".", "_"))]
        if not shown:
            raise LandingError(
                f"there are no files for the night of {self._as_of} at {pattern}; put them there, "
                "or name the file or folder with --landing"
            )
        return [named[name] for name in shown]

    def _pattern(self) -> str:
        """The night's files as a glob; a place that is one file is the night's file."""
        jvm = self._spark._jvm
        assert jvm is not None
        path = jvm.org.apache.hadoop.fs.Path(self._place)
        try:
            if self._storage(path).isFile(path):
                return self._place
        except Py4JJavaError:
            raise LandingError(f"{self._place} cannot be reached; is the storage there?") from None
        pattern = self._contract.source.path
        return pattern.format(landing=self._place.rstrip("/"), as_of=self._as_of)

    def _storage(self, path: Any) -> Any:
        return path.getFileSystem(self._spark._jsc.hadoopConfiguration())

    def _file(self, status: Any) -> LandingFile:
        path, name = status.getPath(), status.getPath().getName()
        if not name.lower().endswith(DELIMITED):
            raise LayoutError(f"this kind of file is not read; these are: {', '.join(DELIMITED)}")
        text = self._spark.read.text(path.toString())
        first_lines = [row.value for row in text.head(2 * ABOVE_THE_HEADER)]
        shape = shape_of(first_lines, self._contract)
        if not self._ends_a_line(status) and self._has_an_open_quote(text):
            raise LayoutError(CUT_OFF)
        return LandingFile(path.toString(), name, status.getLen(), self._sha256(path), shape)

    def _ends_a_line(self, status: Any) -> bool:
        """Whether the last byte is a line's end; of a compressed file, the reader itself tells."""
        if status.getPath().getName().lower().endswith(COMPRESSED):
            return True
        stream = self._storage(status.getPath()).open(status.getPath())
        try:
            stream.seek(status.getLen() - 1)
            return bool(stream.read() == ord("\n"))
        finally:
            stream.close()

    def _has_an_open_quote(self, text: DataFrame) -> bool:
        """Whether quotes do not pair up; the CSV reader closes a last field's by itself."""
        quotes = F.length("value") - F.length(F.replace("value", F.lit('"')))
        row = text.agg(F.sum(quotes).alias("quotes")).first()
        return bool(row and row["quotes"] % 2)

    def _sha256(self, path: Any) -> str:
        jvm = self._spark._jvm
        assert jvm is not None
        stream = self._storage(path).open(path)
        try:
            return str(jvm.org.apache.commons.codec.digest.DigestUtils.sha256Hex(stream))
        finally:
            stream.close()
