"""Each kind's parser: text in, a value or null out, and nothing raised under ANSI."""

from datetime import date

import pytest
from pyspark.sql import functions as F

from credit_spark.config.models import ContractColumn
from credit_spark.config.tables import TYPES
from credit_spark.ingest import parsers
from credit_spark.ingest.parsers import PARSERS, Notation, given, trimmed

COMMA = Notation(decimal=",")
FORMATS = ["MMM-yyyy", "yyyy-MM-dd", "yyyy-MM-dd HH:mm", "dd.MM.yyyy"]
SHORT_YEARS = ["MMM-yy", "dd/MM/yy"]
CASES = {
    "number": (parsers.number, [
        ("1,234.5", 1234.5), ("-3", -3.0), ("1e-05", 1e-05), ("10,50", None), ("1d", None), ("NaN", None),
        ("Infinity", None), ("0x1F", None), ("0x1p3", None), ("12..5", None), (".1065", 0.1065), (".", None),
        ("0,799", None), ("00,799", None), ("1,000,000", 1e6), ("1,00,000", None), ("1e400", None),
        ("9" * 400, None), ("+7", 7.0), ("5.", 5.0), ("", None), (None, None), ("1 000", None), ("\uff11", None),
    ]),
    "decimal comma": (lambda text: parsers.number(text, COMMA), [
        ("1.234,5", 1234.5), ("0,799", 0.799), ("1,5", 1.5), ("1.5", None), ("0.799", None), (",5", 0.5),
        ("1.234", 1234.0), ("1,234.5", None), ("1,5e3", 1500.0),
    ]),
    "whole": (parsers.whole, [
        ("3", 3), ("3.0", 3), ("3.5", None), ("-3", None), ("99999999999", None), ("+4", 4), ("3.", 3),
        ("999999999", 999_999_999), ("1,000", None),
    ]),
    "money": (parsers.money, [
        ("$12,000.50", 12_000.5), ("(1,200)", -1200.0), ("(1,200", None), ("lots", None), ("$ 5", 5.0),
        ("($5)", -5.0), ("0,799", None), ("$", None), ("()", None), ("5$", 5.0),
        ("€ 1,200", 1200.0), ("1,200£", 1200.0), ("(₹5)", -5.0), ("5 EUR", None), ("1$2", None),
        ("-$5", -5.0), ("-€ 5", -5.0), ("$-5", -5.0), ("(-500)", None), ("(+5)", None), ("--5", None), ("-(5)", None),
    ]),
    "money with a comma": (lambda text: parsers.money(text, COMMA), [("1.200,50 €", 1200.5), ("-5 €", -5.0), ("27.775,00\u00a0€", 27775.0), ("27.775,00\u202f€", 27775.0)]),
    "monthly": (lambda text: parsers.money(text, Notation("monthly")), [("1,000", 12_000.0)]),
    "percent": (lambda text: parsers.rate(text, Notation("percent")), [("10.65%", 0.1065), ("10.65", 0.1065)]),
    "fraction": (lambda text: parsers.rate(text, Notation("fraction")), [
        ("10.65%", 0.1065), ("10.65 %", 0.1065), ("0.1065", 0.1065), ("n.a. %", None), ("%", None),
    ]),
    "rate with a comma": (lambda text: parsers.rate(text, COMMA), [("10,65 %", 0.1065), ("10,65\u00a0%", 0.1065), ("0,1065", 0.1065)]),
    "months": (parsers.months, [("36 months", 36), ("60", 60), ("1 month", 1), ("soon", None), (" months", None)]),
    "years": (parsers.years, [("10+ years", 10), ("< 1 year", 0), ("1 year", 1), ("n/a", None)]),
    "range": (parsers.lower_bound, [
        ("735-739", 735.0), ("735 - 739", 735.0), ("735", 735.0), ("735-", None), ("-735", -735.0),
    ]),
    "flag": (parsers.flag, [("Yes", True), ("n", False), ("maybe", None), ("1", True), (None, None)]),
    "date": (lambda text: parsers.date(text, FORMATS), [
        ("Dec-2011", date(2011, 12, 1)), ("2011-12-29", date(2011, 12, 29)), ("1985-01-29 12:12", date(1985, 1, 29)),
        ("29.12.2011", date(2011, 12, 29)), ("2011-02-30", None), ("Dez-2011", None), ("DEC-2011", None),
        ("2011-1-02", None), ("29/12/2011", None), ("0", None), ("1985-01-29 25:12", None), ("29-12-2011", None),
        ("2012-02-29", date(2012, 2, 29)), ("2011-01-2T", None), ("2011-13-01", None), ("2011-12-29\n", None),
        ("0000-01-01", None), ("0001-01-01", date(1, 1, 1)),
    ]),
    "short years": (lambda text: parsers.date(text, SHORT_YEARS, 70), [
        ("Dec-11", date(2011, 12, 1)), ("Dec-69", date(2069, 12, 1)), ("Dec-70", date(1970, 12, 1)),
        ("31/01/99", date(1999, 1, 31)), ("31/02/99", None),
    ]),
}  # fmt: skip


@pytest.fixture(scope="module")
def parsed(spark) -> dict[str, list]:
    """Every case in one job a parser's texts: one frame of all texts, each read by every parser."""
    texts = sorted({text for _, cases in CASES.values() for text, _ in cases if text is not None})
    frame = spark.createDataFrame([(text,) for text in [*texts, None]], "text string").coalesce(1)
    columns = [read(F.col("text")).alias(name) for name, (read, _) in CASES.items()]
    return {row["text"]: row for row in frame.select("text", *columns).collect()}


@pytest.mark.parametrize("name", CASES)
def test_text_is_read_or_turns_null(parsed, name) -> None:
    wanted = CASES[name][1]

    assert [(text, parsed[text][name]) for text, _ in wanted] == wanted


def test_missing_codes_and_blanks_are_null(spark) -> None:
    fields = [(" 36 months",), ("NA",), ("  ",), ("\u00a0x\t",), (None,)]
    frame = spark.createDataFrame(fields, "field string").coalesce(1)

    found = frame.select(
        given(trimmed(F.col("field")), ["", "NA"]), trimmed(F.col("field"))
    ).collect()

    assert [row[0] for row in found] == ["36 months", None, None, "x", None]
    assert [row[1] for row in found] == ["36 months", "NA", "", "x", None]


def test_every_kind_has_the_type_of_its_table(spark) -> None:
    def spec(kind: str) -> ContractColumn:
        given = {"from": ["x"], "kind": kind, "known": "application", "formats": ["yyyy-MM"]}
        return ContractColumn.model_validate(given)

    nothing = spark.createDataFrame([], "x string")
    columns = [
        parser(F.col("x"), spec(kind), Notation()).alias(kind) for kind, parser in PARSERS.items()
    ]

    assert dict(nothing.select(columns).dtypes) == dict(TYPES)
