"""Partial lines to records: quoted text with line breaks, and lines that a stray quote has broken.

An island is a run of partial and blank lines between whole loans. A record never holds a whole
loan: such a line inside quotes is the sign of a stray quote. So islands are independent of each
other, and a stray quote breaks lines of its own island only. Each physical line comes out in one
record.

Nearly all islands are sound: wherever the quotes above a line are even in number, a record begins
(`records_of`). Islands for which that does not work out are read line by line (`mended`).
"""

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from credit_spark.ingest.lines import (
    BLANK,
    BLANKS,
    BLOCK,
    BROKEN_LINE,
    FOOTER,
    IS_CUT_OFF,
    KIND,
    LINE,
    LINE_COUNT,
    LOAN,
    PARTIAL,
    PARTS,
    SOURCE_FILE,
    TEXT,
    Grammar,
)  # fmt: skip
from credit_spark.ingest.rules import IS_TEXT

# Lines that `mended` puts together in one row. An island of more is cut where no quote is open;
# where one is open for MAX_CHUNKS as long, it is a stray one, and the island is cut anyway.
CHUNK_LINES, MAX_CHUNKS = 1000, 10
# A line's number in its file; the file's last line that is no footer, and the number of its lines.
NTH, LAST_LOAN, TOTAL = "_nth", "_last_loan", "_total"
# The block in which a line's island begins; with the file and ISLAND it names the island.
ROOT, ISLAND, OF_AN_ISLAND = "_root", "_island", (SOURCE_FILE, "_root", "_island")
IS_SUSPECT = "_is_suspect"
WORDS = "[A-Za-z]{3,}"
RANGES = "array<struct<first:int,last:int,is_record:boolean,is_open:boolean>>"


def blocks_of(lines: DataFrame, grammar: Grammar) -> DataFrame:
    """One row a block of a file: where its lines stand in the file.

    `_before` lines stand above its first one; ROOT is the block in which the island begins that
    holds its lines before `_settled`, the first that is a record by itself.
    """
    is_settled = ~F.col(KIND).isin(PARTIAL, BLANK)
    is_loan = (F.col(KIND) != BLANK) & ~_is_like_a_footer(grammar)
    blocks = lines.groupBy(SOURCE_FILE, BLOCK).agg(
        F.min(LINE).alias("_first"),
        F.count(F.lit(1)).alias("_count"),
        F.min(F.when(is_settled, F.col(LINE))).alias("_settled"),
        F.max(F.when(is_loan, F.col(LINE))).alias("_last"),
    )
    file = Window.partitionBy(SOURCE_FILE)
    above = file.orderBy(BLOCK).rowsBetween(Window.unboundedPreceding, -1)
    block = F.when(F.col("_settled").isNotNull(), F.col(BLOCK))
    before = F.coalesce(F.sum("_count").over(above), F.lit(0))
    return blocks.select(
        SOURCE_FILE, BLOCK, "_first", "_settled", before.alias("_before"),
        F.coalesce(F.max(block).over(above), F.min(BLOCK).over(file)).alias(ROOT),
        F.sum("_count").over(file).alias(TOTAL),
        (before + F.col("_last") - F.col("_first") + 1).alias("_last"),
    ).withColumn(LAST_LOAN, F.coalesce(F.max("_last").over(file), F.lit(0)))  # fmt: skip


def numbered(partial: DataFrame, blocks: DataFrame) -> DataFrame:
    """Partial and blank lines with NTH, their island, and TOTAL and LAST_LOAN of their file."""
    is_above = F.col("_settled").isNull() | (F.col(LINE) < F.col("_settled"))
    placed = partial.join(F.broadcast(blocks), on=[SOURCE_FILE, BLOCK], how="inner").select(
        SOURCE_FILE, BLOCK, LINE, TEXT, IS_TEXT, LAST_LOAN, TOTAL,
        (F.col("_before") + F.col(LINE) - F.col("_first") + 1).alias(NTH),
        F.when(is_above, F.col(ROOT)).otherwise(F.col(BLOCK)).alias(ROOT),
    )  # fmt: skip
    order = Window.partitionBy(SOURCE_FILE, ROOT).orderBy(NTH)
    return placed.withColumn(ISLAND, F.col(NTH) - F.row_number().over(order))


def records_of(lines: DataFrame, grammar: Grammar) -> DataFrame:
    """Records of numbered lines; IS_SUSPECT: not a record, and perhaps part of another one.

    Out go the island, PLACE, NTH, TEXT, IS_TEXT, KIND, PARTS, LINE_COUNT and IS_CUT_OFF.
    """
    order = Window.partitionBy(*OF_AN_ISLAND).orderBy(NTH)
    begins = F.when(_is_outside(order), 1)
    begun = F.sum(begins).over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    separators = _separators(F.col(TEXT), grammar)
    pieces = F.sort_array(F.collect_list(F.struct(NTH, BLOCK, LINE, TEXT)))
    grouped = (
        lines.withColumns({"_nth_record": begun, "_separators": separators})
        .groupBy(*OF_AN_ISLAND, "_nth_record", LAST_LOAN)
        .agg(
            pieces.alias("_pieces"),
            F.min(IS_TEXT).alias(IS_TEXT),
            F.count(F.lit(1)).cast("int").alias(LINE_COUNT),
            F.sum("_separators").alias("_separators"),
            F.max_by("_separators", NTH).alias("_last_separators"),
        )
    )
    records = grouped.select(
        *OF_AN_ISLAND, LAST_LOAN, IS_TEXT, LINE_COUNT, "_separators", "_last_separators",
        F.get("_pieces", F.lit(0)).alias("_piece"),
        F.array_join(F.col("_pieces")[TEXT], "\n").alias(TEXT),
    )  # fmt: skip
    return _kinds_of(records, grammar)


def _kinds_of(records: DataFrame, grammar: Grammar) -> DataFrame:
    text, is_single = F.col(TEXT), F.col(LINE_COUNT) == 1
    wanted = grammar.width - 1
    last, above = F.col("_last_separators"), F.col("_separators") - F.col("_last_separators")
    mixes_loans = (last >= wanted) & (above >= wanted) if wanted else F.lit(False)
    is_record = ~is_single & text.rlike(grammar.whole) & ~mixes_loans
    is_alone = is_single & ~text.rlike(grammar.open)
    sound = records.withColumns({"_is_record": is_record, "_is_alone": is_alone})
    return _described(
        sound.select(
            *OF_AN_ISLAND, LAST_LOAN, IS_TEXT, LINE_COUNT, TEXT, "_is_record",
            *[F.col("_piece")[name].alias(name) for name in (NTH, BLOCK, LINE)],
            (~F.col("_is_record") & ~F.col("_is_alone")).alias(IS_SUSPECT),
            F.lit(False).alias(IS_CUT_OFF),
        ),
        grammar,
    )  # fmt: skip


def mended(lines: DataFrame, grammar: Grammar) -> DataFrame:
    """Records of numbered lines of suspect islands, read line by line.

    A text with an open quote is held back until it is a record of as many fields as the header has.
    Where it cannot become one, its lines are broken ones, and reading begins again at the line that
    has shown it. IS_CUT_OFF marks lines of a quoted text that goes on to the end of its file.
    """
    pieces = F.sort_array(F.collect_list(F.struct(NTH, BLOCK, LINE, TEXT, IS_TEXT)))
    islands = (
        _in_chunks(lines)
        .groupBy(*OF_AN_ISLAND, "_chunk", LAST_LOAN, TOTAL)
        .agg(pieces.alias("_pieces"))
    )
    record = F.explode(_records(F.col("_pieces"), grammar)).alias("record")
    found = islands.select(*OF_AN_ISLAND, LAST_LOAN, TOTAL, record)
    is_cut_off = F.col("is_open") & (F.col("_until") == F.col(TOTAL))
    return _described(
        found.select(*OF_AN_ISLAND, LAST_LOAN, TOTAL, "record.*").select(
            *OF_AN_ISLAND, LAST_LOAN, IS_TEXT, LINE_COUNT, TEXT,
            F.col("is_record").alias("_is_record"), NTH, BLOCK, LINE,
            F.lit(False).alias(IS_SUSPECT),
            is_cut_off.alias(IS_CUT_OFF),
        ),
        grammar,
    )  # fmt: skip


def _described(records: DataFrame, grammar: Grammar) -> DataFrame:
    """Records with KIND and PARTS."""
    is_blank = F.btrim(TEXT, F.lit(BLANKS)) == ""
    is_footer = (F.col(NTH) > F.col(LAST_LOAN)) & F.lit(grammar.has_footer)
    kind = (
        F.when(F.col("_is_record"), LOAN)
        .when(is_blank, BLANK)
        .when(is_footer, FOOTER)
        .otherwise(BROKEN_LINE)
    )
    parts = F.when(~F.col("_is_record"), grammar.parts(F.col(TEXT)))
    return records.withColumns({KIND: kind, PARTS: parts}).drop(LAST_LOAN, "_is_record")


def _is_like_a_footer(grammar: Grammar) -> Column:
    """Partial lines that are words and nothing else, in fewer fields than the header has."""
    if not grammar.has_footer:
        return F.lit(False)
    parts = grammar.parts(F.col(TEXT))
    is_alone = F.btrim(F.array_join(F.slice(parts, 2, 2**30), "")) == ""
    return (
        (F.col(KIND) == PARTIAL)
        & (_quotes() % 2 == 0)
        & (F.size(parts) < grammar.width)
        & F.get(parts, F.lit(0)).rlike(WORDS)
        & is_alone
    )


def _quotes() -> Column:
    return F.length(TEXT) - F.length(F.replace(TEXT, F.lit('"'), F.lit("")))


def _separators(text: Column, grammar: Grammar) -> Column:
    return F.length(text) - F.length(F.replace(text, F.lit(grammar.delimiter), F.lit("")))


def _is_outside(order: WindowSpec) -> Column:
    """Whether the quotes above a line, in its island, are even in number."""
    above = order.rowsBetween(Window.unboundedPreceding, -1)
    return F.coalesce(F.sum(_quotes()).over(above), F.lit(0)) % 2 == 0


def _in_chunks(lines: DataFrame) -> DataFrame:
    """Lines with the chunk of their island that they are put together in."""
    order = Window.partitionBy(*OF_AN_ISLAND).orderBy(NTH)
    chunk = F.floor((F.row_number().over(order) - 1) / CHUNK_LINES)
    marked = lines.withColumns({"_chunk": chunk, "_is_outside": _is_outside(order)})
    cut = F.when(F.col("_is_outside"), F.col("_chunk"))
    last_cut = F.max(cut).over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return marked.withColumn("_chunk", F.greatest(last_cut, F.col("_chunk") - MAX_CHUNKS))


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
    last = _separators(F.element_at(lines, nth)[TEXT], grammar)
    above = _separators(_joined(lines, start, nth - 1), grammar)
    return (last >= wanted) & (above >= wanted)


def _joined(lines: Column, first: Column, last: Column) -> Column:
    pieces = F.slice(lines, first, last - first + 1)
    return F.array_join(pieces[TEXT], "\n")


def _one_by_one(found: Column) -> Column:
    """A range that is no record as ranges of one line each."""
    lines = F.transform(
        F.sequence(found["first"], found["last"]),
        lambda nth: F.struct(
            nth.alias("first"),
            nth.alias("last"),
            F.lit(False).alias("is_record"),
            found["is_open"].alias("is_open"),
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
        F.array_join(pieces[TEXT], "\n").alias(TEXT),
        F.forall(pieces, lambda each: each[IS_TEXT]).alias(IS_TEXT),
        (last - first + 1).alias(LINE_COUNT),
        (line[NTH] + F.size(lines) - first).alias("_until"),
        found["is_record"].alias("is_record"),
        found["is_open"].alias("is_open"),
    )
