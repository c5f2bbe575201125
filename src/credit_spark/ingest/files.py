"""The landing files of a batch date: which there are, and the shape of each.

Files are listed and read through Spark, so a folder, a file and any URL that Spark knows are alike.
The driver sees names, sizes and the first lines of each file.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import unquote

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from credit_spark.config.errors import InputError, LandingError, TryAgainError, listed
from credit_spark.config.models import Contract
from credit_spark.ingest.layouts import (
    ABOVE_THE_HEADER,
    UTF_8,
    Encoding,
    LandingFile,
    LayoutError,
    shape_of,
)
from credit_spark.ingest.lines import BLANKS, bare, decoded, lines_of
from credit_spark.storage.paths import literal, local_folder, url_of

DELIMITED = (".csv", ".csv.gz", ".csv.bz2", ".data", ".txt", ".tsv")
PACKED = (".gz", ".bz2")
BROKEN = "it is broken, or was cut off in transfer; have it delivered again"
# Enough for the lines above a header; a file with no line breaks is not brought to the driver.
FIRST_LINES, MAX_LETTERS = 2 * ABOVE_THE_HEADER, 2**16
FILES_AT_ONCE = 8
HIDDEN = (".", "_")
GLOB = re.compile(r"[*?\[{\\]")
NO_SUCH_STORAGE = ("UnsupportedFileSystemException", "ClassNotFoundException")
SPARK_ERRORS = (PySparkException, Py4JError)
# Encodings of several bytes a letter, as Python and as Java name them.
WIDE = {
    "utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE",
    "utf-32-le": "UTF-32LE", "utf-32-be": "UTF-32BE",
}  # fmt: skip
# Of encodings that a byte order mark decides; without one, the first.
BY_MARK = {"utf-16": ("utf-16-be", "utf-16-le"), "utf-32": ("utf-32-be", "utf-32-le")}


def landing_files(
    spark: SparkSession, contract: Contract, place: str, as_of: date
) -> list[LandingFile]:
    """The landing files of a batch date, by name, each with the shape that its header decides.

    Raises:
        LandingError: there are none, or some cannot be read or fit no layout: all are named.
        InputError, TryAgainError: their storage is not known, or does not answer.
    """
    found = _listed(spark, contract, place, as_of)
    with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
        seen = list(threads.map(lambda each: _seen(spark, contract, each), found))
    faults = [*_names_given_twice(found), *(each for each in seen if isinstance(each, str))]
    if faults:
        raise LandingError(listed("the landing files break the contract; nothing was read", faults))
    return [each for each in seen if isinstance(each, LandingFile)]


def broken_files(spark: SparkSession, files: Sequence[LandingFile]) -> list[str]:
    """Faults of those packed files that cannot be unpacked to their end."""
    return [
        f"{file.name}: it cannot be read to its end: {BROKEN}"
        for file in files
        if file.name.lower().endswith(PACKED) and not _can_be_read(spark, file)
    ]


def _can_be_read(spark: SparkSession, file: LandingFile) -> bool:
    try:
        lines_of(spark, [file.path], file.encoding).select(F.max(F.length("value"))).collect()
    except SPARK_ERRORS:
        return False
    return True


class _Status(NamedTuple):
    path: str
    name: str
    size: int
    is_in_a_folder: bool


def _listed(spark: SparkSession, contract: Contract, place: str, as_of: date) -> list[_Status]:
    """The files by name; hidden ones, and those below hidden folders, are left out by Spark."""
    source = contract.source.path
    pattern = source.format(landing=literal(place.rstrip("/")), as_of=as_of)
    if "{landing}" not in source:
        # Spark gives the whole path of each file.
        pattern = url_of(pattern) + "/" * pattern.endswith("/")
    # A place that is one file is the landing file; its folder has no files of a date below it.
    places = [pattern, place] if "{landing}" in source else [place, pattern]
    _check_names(spark, pattern)
    for each in places:
        glob = pattern if each == pattern else literal(place)
        found = _paths(spark, glob)
        if each == place:
            found = [(path, size) for path, size in found if path == place]
        if found:
            depth = _depth(glob, [path for path, _ in found])
            return sorted(
                _Status(path, path.rpartition("/")[2], size, path.count("/") > depth)
                for path, size in found
            )
    raise LandingError(
        f"there are no files of {as_of} at {pattern}; put them there, or name the file or folder "
        "with --landing"
    )


def _depth(glob: str, paths: Sequence[str]) -> int:
    """How many slashes a batch's paths have; a glob that names a folder stands for its files."""
    folder = re.sub(r"\\(.)", r"\1", glob) + "/"
    return glob.count("/") + all(path.startswith(folder) for path in paths)


def _paths(spark: SparkSession, pattern: str) -> list[tuple[str, int]]:
    try:
        listing = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
        frame = listing.load(pattern).select("path", "length")
        rows = frame.collect()
    except SPARK_ERRORS as error:
        if isinstance(error, PySparkException) and error.getCondition() == "PATH_NOT_FOUND":
            return []
        raise _unreachable(pattern, str(error)) from error
    sizes = {row["path"]: row["length"] for row in rows}
    # Spark reads no row of an empty file, and lists it all the same.
    every = {*sizes, *(_path_of(url) for url in frame.inputFiles())}
    return [(path, sizes.get(path, 0)) for path in every]


def _check_names(spark: SparkSession, pattern: str) -> None:
    """Make sure that Java can read the names of a batch's files in a local folder.

    Outside a UTF-8 locale it leaves out those whose names are not ASCII, and says nothing.

    Raises:
        InputError: it cannot read some.
    """
    first, *globs = GLOB.split(pattern)
    folder = local_folder(first.rpartition("/")[0] if globs else first)
    if folder is None or not folder.is_dir():
        return
    of_batch = pattern.rpartition("/")[2] if globs else "*"
    names = [each.name for each in folder.iterdir() if fnmatchcase(each.name, of_batch)]
    foreign = sorted(each for each in names if not (each.isascii() or each.startswith(HIDDEN)))
    if not foreign:
        return
    encoding = "java_method('java.lang.System', 'getProperty', 'sun.jnu.encoding')"
    with suppress(PySparkException):
        ((found,),) = spark.sql(f"select {encoding}").collect()
        if found != "UTF-8":
            headline = (
                f"Java's encoding of file names is {found}, by which it cannot read these; start "
                "spark-submit in a UTF-8 locale (LC_ALL=C.UTF-8)"
            )
            raise InputError(listed(headline, foreign))


def _path_of(url: str) -> str:
    """A path as Spark writes it in rows, of the URL that it is."""
    return re.sub("^file:/+", "file:/", unquote(url))


def _unreachable(place: str, words: str) -> InputError | TryAgainError:
    if any(sign in words for sign in NO_SUCH_STORAGE):
        return InputError(
            f"{place}: this Spark knows no such storage; check the URL, or give Spark the "
            "storage's JAR with spark.jars.packages in the settings"
        )
    return TryAgainError(f"{place} cannot be reached; try again when its storage answers")


def _seen(spark: SparkSession, contract: Contract, status: _Status) -> LandingFile | str:
    """A file as its first lines describe it, or its fault."""
    try:
        return _described(spark, contract, status)
    except LayoutError as error:
        return f"{status.name}: {error}"
    except SPARK_ERRORS:
        return f"{status.name}: it cannot be read; {BROKEN}"


def _described(spark: SparkSession, contract: Contract, status: _Status) -> LandingFile:
    if status.is_in_a_folder:
        folder = status.path.split("/")[-2]
        raise LayoutError(
            f"it is in a folder, '{folder}'; put it beside that, or name the folder in source.path"
        )
    if not status.name.lower().endswith(DELIMITED):
        raise LayoutError(f"this kind of file is not read; these are: {', '.join(DELIMITED)}")
    encoding = _encoding(spark, contract.source.encoding, status.path)
    lines = _first_lines(spark, status.path, encoding)
    if lines and "\r" in lines[0]:
        encoding = encoding._replace(line_break="\r")
        lines = _first_lines(spark, status.path, encoding)
    shape = shape_of(lines, contract)
    has_header = bool(contract.source.layouts[shape.layout].header)
    head = tuple(lines[: len(shape.preamble) + 1]) if has_header else ()
    return LandingFile(status.path, status.name, status.size, encoding, shape, head)


def _first_lines(spark: SparkSession, path: str, encoding: Encoding) -> list[str]:
    """The first lines that are not blank, bounded."""
    text = bare(decoded(F.col("value"), encoding)[0])
    lines = lines_of(spark, [path], encoding).select(text.alias("text"))
    not_blank = lines.where(F.btrim("text", F.lit(BLANKS)) != "")
    return [
        row[0] for row in not_blank.select(F.substring("text", 1, MAX_LETTERS)).head(FIRST_LINES)
    ]


def _encoding(spark: SparkSession, name: str, path: str) -> Encoding:
    """The encoding as Java knows it; of UTF-16 and UTF-32, in the order of the file's own mark."""
    python = codecs.lookup(name).name
    if python in ("utf-8", "utf-8-sig"):
        return UTF_8
    # Spark's own list of charsets is short, and it raises where bytes are no text.
    spark.conf.set("spark.sql.legacy.javaCharsets", "true")
    spark.conf.set("spark.sql.legacy.codingErrorAction", "true")
    if python in BY_MARK:
        python = BY_MARK[python][_begins_with_its_low_byte(spark, path)]
    if python in WIDE:
        return Encoding(WIDE[python], "\n".encode(python).decode("latin-1"))
    return Encoding(python)


def _begins_with_its_low_byte(spark: SparkSession, path: str) -> bool:
    first = lines_of(spark, [path], UTF_8).select(F.hex(F.col("value").cast("binary"))).head()
    return first is not None and str(first[0]).startswith("FFFE")


def _names_given_twice(found: Sequence[_Status]) -> Iterator[str]:
    """Files of several folders with one name: their rows could not be traced to their file."""
    for name, count in Counter(each.name for each in found).items():
        if count > 1:
            yield (
                f"{name}: {count} files have this name, and a row's file is known by its name "
                "alone; rename them"
            )
