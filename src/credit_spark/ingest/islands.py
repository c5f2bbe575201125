"""Partial lines to records: quoted text with line breaks, and lines that a stray quote has broken.

An island is a run of partial and blank lines between whole loans. A record never holds a whole loan:
such a line inside quotes is the sign of a stray quote. So islands are independent of each other, and
a stray quote breaks lines of its own island only. Each physical line comes out in one record.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from credit_spark.ingest.lines import (
    BLANK, BLOCK, BROKEN_LINE, FOOTER, IS_CUT_OFF, KIND, LINE, LINE_COUNT, LOAN, PARTIAL, PARTS, PLACE,
    SOURCE_FILE, TEXT, Grammar,
)  # fmt: skip
from credit_spark.ingest.rules import IS_TEXT

# Lines that are put together in one row. An island of more is cut where no quote is open; where one
# is open for MOST_CHUNKS as long, it is a stray one, and the island is cut anyway.
CHUNK_LINES, MOST_CHUNKS = 1000, 10
WORDS = "[A-Za-z]{3,}"
NTH, SETTLED_BELOW, TOTAL = "_nth", "_settled_below", "_total"
RANGES = "array<struct<first:int,last:int,is_record:boolean,is_open:boolean>>"


def blocks_of(lines: DataFrame) -> DataFrame:
    """One row a block of a file: its first line's number and how many lines stand before it.

    With them the number of the file's lines, and of the last that is not partial or blank.
    """
    is_settled = ~F.col(KIND).isin(PARTIAL, BLANK)
    blocks = lines.groupBy(SOURCE_FILE, BLOCK).agg(
        F.min(LINE).alias("_first"),
        F.count(F.lit(1)).alias("_count"),
        F.max(F.when(is_settled, F.col(LINE))).alias("_last"),
    )
    of_the_file = Window.partitionBy(SOURCE_FILE)
    ordered = of_the_file.orderBy(BLOCK)
    before = F.sum("_count").over(ordered) - F.col("_count")
    numbered = blocks.withColumn("_before", before)
    last = F.col("_before") + F.col("_last") - F.col("_first") + 1
    return numbered.select(
        SOURCE_FILE,
        BLOCK,
        "_first",
        "_before",
        F.max(last).over(of_the_file).alias(SETTLED_BELOW),
        F.sum("_count").over(of_the_file).alias(TOTAL),
    )


def records_of(partial: DataFrame, blocks: DataFrame, grammar: Grammar) -> DataFrame:
    """The records that partial and blank lines make: PLACE, TEXT, IS_TEXT, KIND, PARTS, LINE_COUNT.

    IS_CUT_OFF marks lines of a quoted text that goes on to the end of its file.
    """
    numbered = partial.join(F.broadcast(blocks), on=[SOURCE_FILE, BLOCK], how="inner").select(
        *PLACE, TEXT, IS_TEXT, SETTLED_BELOW, TOTAL,
        (F.col("_before") + F.col(LINE) - F.col("_first") + 1).alias(NTH),
    )  # fmt: skip
    lines = F.sort_array(F.collect_list(F.struct(NTH, BLOCK, LINE, TEXT, IS_TEXT)))
    islands = (
        _in_chunks(numbered)
        .groupBy(SOURCE_FILE, "_island", "_chunk", SETTLED_BELOW, TOTAL)
        .agg(lines.alias("_island_lines"))
    )
    record = F.explode(_records(F.col("_island_lines"), grammar)).alias("record")
    found = islands.select(SOURCE_FILE, SETTLED_BELOW, TOTAL, record)
    return found.select(SOURCE_FILE, SETTLED_BELOW, TOTAL, "record.*").select(
        *PLACE,
        NTH,
        SETTLED_BELOW,
        TEXT,
        IS_TEXT,
        LINE_COUNT,
        _kind().alias(KIND),
        F.when(~(F.col("is_record") & F.contains(TEXT, F.lit('"'))), grammar.parts(F.col(TEXT))).alias(PARTS),
        (F.col("is_open") & (F.col("_until") == F.col(TOTAL))).alias(IS_CUT_OFF),
    )


def with_footers(records: DataFrame, grammar: Grammar) -> DataFrame:
    """Broken lines below a file's last loan that are words and nothing else become its footer."""
    first, others = F.get(PARTS, F.lit(0)), F.slice(PARTS, 2, 2**30)
    is_alone = F.forall(others, lambda part: F.btrim(part) == "")
    is_like_one = (
        (F.col(KIND) == BROKEN_LINE)
        & (F.size(PARTS) < grammar.width)
        & first.rlike(WORDS)
        & is_alone
    )
    is_other = ~is_like_one & (F.col(KIND) != BLANK)
    of_the_file = Window.partitionBy(SOURCE_FILE)
    last = F.greatest(F.max(F.when(is_other, F.col(NTH))).over(of_the_file), F.col(SETTLED_BELOW))
    is_footer = is_like_one & (F.col(NTH) > F.coalesce(last, F.lit(0)))
    return records.withColumn(KIND, F.when(is_footer, FOOTER).otherwise(F.col(KIND)))


def _in_chunks(numbered: DataFrame) -> DataFrame:
    """Lines with their island, and the chunk of it that they are put together in."""
    in_file = Window.partitionBy(SOURCE_FILE).orderBy(NTH)
    in_island = Window.partitionBy(SOURCE_FILE, "_island").orderBy(NTH)
    before = in_island.rowsBetween(Window.unboundedPreceding, -1)
    up_to_here = in_island.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    quotes = F.length(TEXT) - F.length(F.replace(TEXT, F.lit('"'), F.lit("")))
    chunk = F.floor((F.col("_place") - 1) / CHUNK_LINES)
    is_outside = F.coalesce(F.sum("_quotes").over(before), F.lit(0)) % 2 == 0
    islands = numbered.withColumn("_island", F.col(NTH) - F.row_number().over(in_file))
    placed = islands.withColumn("_quotes", quotes).withColumn(
        "_place", F.row_number().over(in_island)
    )
    marked = placed.withColumn("_cut", F.when(is_outside, chunk))
    last_cut = F.max("_cut").over(up_to_here)
    return marked.withColumn("_chunk", F.greatest(last_cut, chunk - MOST_CHUNKS))


def _records(lines: Column, grammar: Grammar) -> Column:
    """An island's lines as an array of records."""
    start = F.struct(F.lit(0).alias("start"), F.array().cast(RANGES).alias("ranges"))
    ranges = F.aggregate(
        F.sequence(F.lit(1), F.size(lines)),
        start,
        lambda so_far, nth: _next(lines, so_far, nth, grammar),
        lambda so_far: F.when(so_far["start"] == 0, so_far["ranges"]).otherwise(
            _added(so_far["ranges"], so_far["start"], F.size(lines), is_open=True)
        ),
    )
    single = F.flatten(F.transform(ranges, _one_by_one))
    return F.transform(single, lambda each: _record(lines, each))


def _next(lines: Column, so_far: Column, nth: Column, grammar: Grammar) -> Column:
    """What is known after one more line. `start` is the line where a quote was opened; 0: none."""
    start, ranges = so_far["start"], so_far["ranges"]
    line = F.element_at(lines, nth)[TEXT]
    text = _joined(lines, start, nth)
    is_record = text.rlike(grammar.whole) & ~_mixes_loans(lines, start, nth, grammar)
    flushed = _afresh(line, nth, _added(ranges, start, nth - 1), grammar)
    continued = (
        F.when(is_record, _state(F.lit(0), _added(ranges, start, nth, is_record=True)))
        .when(text.rlike(grammar.open), so_far)
        .otherwise(flushed)
    )
    return (
        F.when(start == 0, _afresh(line, nth, ranges, grammar))
        .when(~F.contains(line, F.lit('"')), so_far)
        .otherwise(continued)
    )


def _afresh(line: Column, nth: Column, ranges: Column, grammar: Grammar) -> Column:
    """The same where no quote is open before the line."""
    is_open = F.contains(line, F.lit('"')) & line.rlike(grammar.open)
    return F.when(is_open, _state(nth, ranges)).otherwise(
        _state(F.lit(0), _added(ranges, nth, nth))
    )


def _state(start: Column, ranges: Column) -> Column:
    return F.struct(start.alias("start"), ranges.alias("ranges"))


def _added(
    ranges: Column, first: Column, last: Column, *, is_record: bool = False, is_open: bool = False
) -> Column:
    return F.array_append(
        ranges,
        F.struct(
            first.alias("first"),
            last.alias("last"),
            F.lit(is_record).alias("is_record"),
            F.lit(is_open).alias("is_open"),
        ),
    )


def _mixes_loans(lines: Column, start: Column, nth: Column, grammar: Grammar) -> Column:
    """Whether a text looks like two loans, each with a stray quote.

    Its last line has the separators of a whole loan, and so have those before it.
    """
    wanted = grammar.width - 1
    if not wanted:
        return F.lit(False)
    last = F.size(grammar.parts(F.element_at(lines, nth)[TEXT])) - 1
    above = F.size(grammar.parts(_joined(lines, start, nth - 1))) - 1
    return (last >= wanted) & (above >= wanted)


def _joined(lines: Column, first: Column, last: Column) -> Column:
    pieces = F.slice(lines, first, last - first + 1)
    return F.array_join(F.transform(pieces, lambda each: each[TEXT]), "\n")


def _one_by_one(found: Column) -> Column:
    """A range that is no record as ranges of one line each."""
    lines = F.transform(
        F.sequence(found["first"], found["last"]),
        lambda nth: F.struct(
            nth.alias("first"), nth.alias("last"), F.lit(False).alias("is_record"), found["is_open"].alias("is_open")
        ),
    )
    return F.when(found["is_record"], F.array(found)).otherwise(lines)


def _record(lines: Column, found: Column) -> Column:
    first, last = found["first"], found["last"]
    line = F.element_at(lines, first)
    pieces = F.slice(lines, first, last - first + 1)
    return F.struct(
        line[NTH].alias(NTH),
        line[BLOCK].alias(BLOCK),
        line[LINE].alias(LINE),
        F.array_join(F.transform(pieces, lambda each: each[TEXT]), "\n").alias(TEXT),
        F.forall(pieces, lambda each: each[IS_TEXT]).alias(IS_TEXT),
        (last - first + 1).alias(LINE_COUNT),
        (line[NTH] + F.size(lines) - first).alias("_until"),
        found["is_record"].alias("is_record"),
        found["is_open"].alias("is_open"),
    )


def _kind() -> Column:
    is_blank = F.btrim(TEXT, F.lit(" \t")) == ""
    return (
        F.when(F.col("is_record"), LOAN).when(is_blank, BLANK).otherwise(BROKEN_LINE)
    )
