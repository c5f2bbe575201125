"""Landing files to records with a status: every physical line of every file in exactly one record.

Files of one shape and encoding are one frame. Lines are read, parsed and validated once, and the
result is persisted; partial lines are put together from there, and only where there are any.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import reduce
from itertools import groupby
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from credit_spark.config.errors import LandingError, listed
from credit_spark.config.models import Contract
from credit_spark.ingest.columns import SHAPE, STATUS, raw, validated
from credit_spark.ingest.files import BROKEN, SPARK_ERRORS, broken_files
from credit_spark.ingest.islands import (
    IS_SUSPECT,
    OF_AN_ISLAND,
    blocks_of,
    mended,
    numbered,
    records_of,
)  # fmt: skip
from credit_spark.ingest.layouts import Encoding, LandingFile, Shape
from credit_spark.ingest.lines import (
    BLANK,
    BROKEN_LINE,
    COUNTED,
    IS_CUT_OFF,
    KIND,
    LINE_COUNT,
    LINE_HASH,
    PARTIAL,
    PARTS,
    PLACE,
    QUOTED,
    SOURCE_FILE,
    TEXT,
    Grammar,
    classified,
    grammar_of,
    parsed,
    physical_lines,
)  # fmt: skip
from credit_spark.ingest.rules import IS_TEXT
from credit_spark.storage.session import checkpointed

UNSETTLED = (PARTIAL, BLANK)
# Of a file's lines, what may not be text in the stated encoding before the file is refused.
MAX_UNREADABLE = 0.5


class Group(NamedTuple):
    """Files of one shape and encoding, and the grammar of their records."""

    number: int
    shape: Shape
    encoding: Encoding
    grammar: Grammar
    files: Sequence[LandingFile]


class LineCounts(NamedTuple):
    """A file's physical lines, of how many the bytes are no text, and a hash of all of them."""

    lines: int = 0
    unreadable: int = 0
    content_hash: str = ""


@dataclass(frozen=True)
class Records:
    """Judged records of all files, which are read and parsed once.

    `lines` are each file's physical lines, `observed` how many the reader gave of all files.
    """

    frame: DataFrame
    lines: Mapping[str, LineCounts]
    observed: int
    groups: Sequence[Group]

    def quarantined(self, rows: DataFrame) -> DataFrame:
        """Quarantined rows with `raw`: their fields by the header's names, or the whole line."""
        return _union([_with_raw(rows, group) for group in self.groups])


def read_records(
    spark: SparkSession, files: Sequence[LandingFile], contract: Contract, as_of: date
) -> Records:
    """The records of landing files, validated.

    Raises:
        LandingError: files cannot be read to their end, are cut off, or are in another encoding.
    """
    groups = list(_groups(files, contract))
    counted = [Observation(f"lines of shape {group.number}") for group in groups]
    with _broken_files_named(spark, files):
        by_itself = checkpointed(_union([
            _validated_lines(spark, group, contract, as_of, each)
            for group, each in zip(groups, counted, strict=True)
        ]))  # fmt: skip
    counts = _counted(by_itself)
    lines = _by_file(counts)
    _check_encoding(lines, contract)
    observed = sum(int(each.get[COUNTED]) for each in counted)
    has_partial = {row[SHAPE] for row in counts if row[STATUS] == PARTIAL}
    torn = [group for group in groups if group.number in has_partial]
    if not torn:
        return Records(by_itself, lines, observed, groups)
    together = _put_together(by_itself, torn, contract, as_of)
    is_torn = F.col(STATUS).isin(*UNSETTLED) & F.col(SHAPE).isin(*has_partial)
    kept = [name for name in by_itself.columns if name != LINE_HASH]
    whole = by_itself.where(~is_torn)
    frame = _union([each.select(*kept) for each in (whole, *together)])
    return Records(frame, lines, observed, groups)


def _put_together(
    by_itself: DataFrame, groups: Sequence[Group], contract: Contract, as_of: date
) -> list[DataFrame]:
    """The records that partial lines make; suspect islands, where there are any, line by line."""
    lines = [(group, _numbered(by_itself, group)) for group in groups]
    sound = checkpointed(_union([
        _validated_records(records_of(own, group.grammar), group, contract, as_of)
        for group, own in lines
    ]))  # fmt: skip
    suspect = sound.where(IS_SUSPECT).select(*OF_AN_ISLAND).distinct().localCheckpoint()
    if suspect.isEmpty():
        return [sound]
    read_again = checkpointed(_union([
        _validated_records(_mended(own, suspect, group), group, contract, as_of)
        for group, own in lines
    ]))  # fmt: skip
    _check_ends(read_again)
    rest = sound.join(suspect, on=[*OF_AN_ISLAND], how="left_anti")
    return [rest, read_again]


def _groups(files: Sequence[LandingFile], contract: Contract) -> Iterator[Group]:
    def alike(file: LandingFile) -> tuple[Any, ...]:
        return file.shape._replace(preamble=()), file.encoding

    ordered = sorted(files, key=lambda file: (alike(file), file.name))
    for number, ((shape, encoding), own) in enumerate(groupby(ordered, key=alike)):
        grammar = grammar_of(shape, contract.source.layouts[shape.layout])
        yield Group(number, shape, encoding, grammar, list(own))


def _validated_lines(
    spark: SparkSession, group: Group, contract: Contract, as_of: date, counted: Observation
) -> DataFrame:
    lines = classified(physical_lines(spark, group.files, counted), group.files, group.grammar)
    counted_lines = lines.withColumn(LINE_COUNT, F.lit(1))
    return validated(counted_lines, group.shape, contract, as_of, group.number)


def _numbered(by_itself: DataFrame, group: Group) -> DataFrame:
    own = by_itself.where(F.col(SHAPE) == group.number).withColumn(KIND, F.col(STATUS))
    partial = own.where(F.col(STATUS).isin(*UNSETTLED)).select(*PLACE, TEXT, IS_TEXT)
    return numbered(partial, blocks_of(own, group.grammar))


def _mended(lines: DataFrame, suspect: DataFrame, group: Group) -> DataFrame:
    return mended(lines.join(suspect, on=[*OF_AN_ISLAND], how="left_semi"), group.grammar)


def _validated_records(
    records: DataFrame, group: Group, contract: Contract, as_of: date
) -> DataFrame:
    fields = parsed(records, group.grammar)
    return validated(fields, group.shape, contract, as_of, group.number)


def _with_raw(rows: DataFrame, group: Group) -> DataFrame:
    own = rows.where(F.col(SHAPE) == group.number)
    parts = F.when(
        ~F.contains(TEXT, F.lit('"')) | (F.col(KIND) == BROKEN_LINE),
        group.grammar.tidied_parts(F.col(TEXT)),
    )
    fields = parsed(own.withColumn(PARTS, parts), group.grammar)
    # The fields of one shape are no columns of another.
    return fields.withColumn("raw", raw(group.shape)).drop(PARTS, QUOTED)


@contextmanager
def _broken_files_named(spark: SparkSession, files: Sequence[LandingFile]) -> Iterator[None]:
    """Name the files that cannot be read to their end."""
    try:
        yield
    except SPARK_ERRORS:
        faults = broken_files(spark, files)
        if not faults:
            raise
        raise LandingError(
            listed("the landing files are broken; nothing was written", faults)
        ) from None


def _counted(by_itself: DataFrame) -> list[Any]:
    """Physical lines by file and status."""
    hashes = F.col(LINE_HASH)
    return by_itself.groupBy(SOURCE_FILE, SHAPE, STATUS).agg(
        F.count(F.lit(1)).alias("lines"),
        F.count(F.when(~F.col(IS_TEXT), 1)).alias("unreadable"),
        # Halves of hashes: their sums do not overflow.
        F.sum(F.shiftright(hashes, 32)).alias("high"),
        F.sum(hashes.bitwiseAND(F.lit(2**32 - 1))).alias("low"),
    ).collect()  # fmt: skip


def _by_file(counts: Sequence[Any]) -> dict[str, LineCounts]:
    found: dict[str, LineCounts] = {}
    hashes: dict[str, int] = {}
    for row in counts:
        name = row[SOURCE_FILE]
        hashes[name] = (hashes.get(name, 0) + (row["high"] << 32) + row["low"]) % 2**64
        last = found.get(name, LineCounts())
        found[name] = LineCounts(
            last.lines + row["lines"], last.unreadable + row["unreadable"], f"{hashes[name]:016x}"
        )
    return found


def _check_encoding(lines: Mapping[str, LineCounts], contract: Contract) -> None:
    encoding = contract.source.encoding
    faults = [
        f"{name}: of {each.lines:,} lines {each.unreadable:,} are not in the encoding {encoding}; "
        "name the file's own in source.encoding, such as cp1252 or ISO-8859-1, or have it "
        "delivered in this one"
        for name, each in sorted(lines.items())
        if each.unreadable > MAX_UNREADABLE * each.lines
    ]
    if faults:
        raise LandingError(
            listed("the landing files are in another encoding; nothing was written", faults)
        )


def _check_ends(together: DataFrame) -> None:
    cut_off = together.where(IS_CUT_OFF).select(SOURCE_FILE).distinct().collect()
    faults = sorted(
        f"{row[0]}: it ends in the middle of a quoted field: {BROKEN}" for row in cut_off
    )
    if faults:
        raise LandingError(listed("the landing files are broken; nothing was written", faults))


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)
