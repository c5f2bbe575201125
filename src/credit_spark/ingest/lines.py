"""Physical lines of landing files, and what each is by itself.

A line is a whole loan (`loan`), `header`, `preamble`, `blank`, or `partial`: a piece of a loan
whose quoted text holds line breaks, or a malformed line. What partial lines make together is
decided in islands.py. A line keeps its place in its file: the block that Spark read it in, and its
number there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from credit_spark.config.models import Layout
from credit_spark.ingest.layouts import UTF_8, Encoding, LandingFile, Shape
from credit_spark.ingest.rules import IS_TEXT
from credit_spark.storage.paths import literal

SOURCE_FILE, BLOCK, LINE = "source_file", "_block", "_line"
PLACE = (SOURCE_FILE, BLOCK, LINE)
TEXT, KIND, LINE_COUNT, LINE_HASH = "_text", "_kind", "_lines", "_hash"
LOAN, BROKEN_LINE, PARTIAL, BLANK = "loan", "broken", "partial", "blank"
HEADER, PREAMBLE, FOOTER = "header", "preamble", "footer"
PARTS, QUOTED = "_parts", "_quoted"
IS_CUT_OFF = "_is_cut_off"
COUNTED = "lines"
BYTE_ORDER_MARK = "\ufeff"
# Letters of a blank line; programs write form feeds between pages.
BLANKS = " \t\v\f\u00a0"
# Letters of a file's name that Spark does not write as %XX.
PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Grammar:
    """What is a record of so many fields: patterns, and the options of Spark's CSV parser.

    A field is quoted, with quotes doubled or escaped, or has no quote at its beginning.
    """

    width: int
    delimiter: str
    escape: str | None = None
    has_footer: bool = False

    @property
    def whole(self) -> str:
        """What a record matches."""
        return rf"(?s)\A{self._field}(?:{self._separator}{self._field}){{{self.width - 1}}}+\z"

    @property
    def open(self) -> str:
        """What a text matches that ends inside quotes."""
        return rf'(?s)\A(?:{self._field}{self._separator})*+"{self._quoted}\z'

    @property
    def options(self) -> dict[str, str]:
        """Of `from_csv`: a quoted empty field is an empty text, any other one is null."""
        escape = self.escape or '"'
        return {
            "sep": self.delimiter, "quote": '"', "escape": escape, "nullValue": "\u0000",
            "emptyValue": "", "mode": "PERMISSIVE",
        }  # fmt: skip

    @property
    def schema(self) -> str:
        """Of `from_csv`: fields by position."""
        return ", ".join(f"f{nth} string" for nth in range(self.width))

    def parts(self, text: Column) -> Column:
        """The parts of a text between its delimiters, whatever its quotes."""
        return F.split(text, self._separator, -1)

    def tidied_parts(self, text: Column) -> Column:
        """The parts; of a text whose fields stand between blanks, with single blanks if need be."""
        parts = self.parts(text)
        if self.delimiter != " ":
            return parts
        tidied = self.parts(F.btrim(F.regexp_replace(text, r"\s+", " ")))
        return F.when(F.size(parts) == self.width, parts).otherwise(tidied)

    @property
    def _separator(self) -> str:
        is_letter = self.delimiter.isalnum() or self.delimiter.isspace()
        return self.delimiter if is_letter else f"\\{self.delimiter}"

    # Every quantifier is possessive: Java matches others by recursion, and long texts overflow it.
    @property
    def _quoted(self) -> str:
        if self.escape is None:
            return '(?:[^"]++|"")*+'
        return rf'(?:[^"\{self.escape}]++|\{self.escape}.)*+'

    @property
    def _field(self) -> str:
        # A line break is inside quotes, or not there at all.
        return rf'(?:"{self._quoted}"|[^"{self._separator}\n][^{self._separator}\n]*+|)'


def physical_lines(
    spark: SparkSession, files: Sequence[LandingFile], counted: Observation
) -> DataFrame:
    """The lines of files of one shape and encoding: PLACE, TEXT, IS_TEXT and LINE_HASH.

    `counted` observes how many the reader gave.
    """
    encoding = files[0].encoding
    read = lines_of(spark, [file.path for file in files], encoding).select(
        _name(files).alias(SOURCE_FILE),
        F.col("_metadata.file_block_start").alias(BLOCK),
        F.monotonically_increasing_id().alias(LINE),
        "value",
    )
    text, is_text = decoded(F.col("value"), encoding)
    observed = read.observe(counted, F.count(F.lit(1)).alias(COUNTED))
    return observed.select(
        *PLACE,
        F.xxhash64("value").alias(LINE_HASH),
        bare(text).alias(TEXT),
        is_text.alias(IS_TEXT),
    )


def lines_of(spark: SparkSession, paths: Sequence[str], encoding: Encoding) -> DataFrame:
    """The physical lines of files as `value`, in bytes of their encoding."""
    # Folders named key=value above the files are no columns.
    return spark.read.option("recursiveFileLookup", "true").text(
        [literal(each) for each in paths], lineSep=encoding.line_break
    )


def decoded(value: Column, encoding: Encoding) -> tuple[Column, Column]:
    """A line's text, and whether all its bytes are text in the encoding; others become U+FFFD."""
    if encoding.charset == UTF_8.charset:
        is_text = F.is_valid_utf8(value)
        return F.when(is_text, value).otherwise(F.make_valid_utf8(value)), is_text
    text = F.decode(value.cast("binary"), encoding.charset)
    return text, ~F.contains(text, F.lit("\ufffd"))


def bare(text: Column) -> Column:
    """A line without the byte order mark before it and the carriage returns after it."""
    marked = F.when(F.startswith(text, F.lit(BYTE_ORDER_MARK)), F.substring(text, 2, 2**31 - 1))
    line = F.coalesce(marked, text)
    # Some programs of Windows write two of them.
    return F.when(F.endswith(line, F.lit("\r")), F.rtrim(line, F.lit("\r"))).otherwise(line)


def classified(lines: DataFrame, files: Sequence[LandingFile], grammar: Grammar) -> DataFrame:
    """The same with KIND, PARTS and QUOTED."""
    text = F.col(TEXT)
    has_quote = F.contains(text, F.lit('"'))
    preamble = [each for file in files for each in file.head[:-1]]
    header = [file.head[-1] for file in files if file.head]
    parts = lines.withColumn(PARTS, F.when(~has_quote, grammar.tidied_parts(text)))
    is_loan = F.when(has_quote, text.rlike(grammar.whole)).otherwise(F.size(PARTS) == grammar.width)
    kind = (
        F.when(_is_one_of(text, header), HEADER)
        # Above the header alone: further down, such a line is part of a quoted text.
        .when((F.col(BLOCK) == 0) & _is_one_of(text, preamble), PREAMBLE)
        .when(F.ltrim(text, F.lit(_blanks(grammar))) == "", BLANK)
        .when(is_loan, LOAN)
        .otherwise(PARTIAL)
    )
    return parsed(parts.withColumn(KIND, kind), grammar)


def parsed(records: DataFrame, grammar: Grammar) -> DataFrame:
    """Records with QUOTED: the fields of those with quotes, by Spark's CSV parser."""
    is_quoted = F.col(PARTS).isNull() & (F.col(KIND) == LOAN)
    quoted = F.from_csv(TEXT, grammar.schema, grammar.options)
    return records.withColumn(QUOTED, F.when(is_quoted, quoted))


def field(nth: int) -> Column:
    """A field of a parsed record; null where it is empty."""
    part = F.nullif(F.get(PARTS, F.lit(nth)), F.lit(""))
    return F.when(F.col(PARTS).isNull(), F.col(QUOTED)[f"f{nth}"]).otherwise(part)


def grammar_of(shape: Shape, layout: Layout) -> Grammar:
    """The grammar of files of a shape."""
    has_footer = layout.footer == "detect"
    return Grammar(len(shape.header), shape.delimiter, layout.escape, has_footer)


def _is_one_of(text: Column, given: Sequence[str]) -> Column:
    return text.isin(*dict.fromkeys(given)) if given else F.lit(False)


def _blanks(grammar: Grammar) -> str:
    """What a blank line is made of: a line of delimiters is no blank one."""
    return BLANKS if grammar.delimiter == " " else BLANKS.replace(grammar.delimiter, "")


def _name(files: Sequence[LandingFile]) -> Column:
    """The file's name; Spark gives it as in a URL, and leaves a plus sign as it is."""
    if len(files) == 1:
        return F.lit(files[0].name)
    name = F.col("_metadata.file_name")
    if all(PLAIN_NAME.fullmatch(file.name) for file in files):
        return name
    return F.url_decode(F.replace(name, F.lit("+"), F.lit("%2B")))
