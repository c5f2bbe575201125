"""Text columns to typed columns, one function a kind: Column in, Column out.

Text comes in trimmed, and null where it is missing (`given`). Text that cannot be read becomes
null; what a null means is for rules.py to decide. No parser guesses, and none raises under ANSI: a
pattern decides what is a number before the cast, which would take 'NaN', '1d' and '0x1p3' for
numbers.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from credit_spark.config.models import NO, YES, ContractColumn, DecimalMark, Kind, Unit

# No more digits and no larger exponent than a double holds: no text becomes infinite.
PLAIN = r"^[+-]?\d{1,200}(?:\.\d{0,200})?\z"
NUMBER = (
    r"^[+-]?(?:\d{1,200}(?:\.\d*)?|[1-9]\d{0,2}(?:,\d{3}){1,60}(?:\.\d*)?|\.\d+)"
    r"(?:[eE](?:\+?\d{1,2}|-\d{1,3}))?\z"
)
WHOLE = r"^[+]?\d{1,9}(?:\.0*)?\z"
RANGE = r"^\d+ ?- ?\d+\z"
CURRENCIES = "$€£¥₹"
# Figures may have a no-break space before their sign.
SPACES = " \t\r\n\u00a0\u2007\u202f"
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
MONTH_NUMBERS = " 01 02 03 04 05 06 07 08 09 10 11 12"
# The parts of a date's format, and what text fits each.
DATE_PARTS: Mapping[str, str] = MappingProxyType({
    "yyyy": r"(?!0000)\d{4}", "yy": r"\d{2}", "MMM": f"(?:{'|'.join(re.findall('...', MONTHS))})",
    "MM": r"\d{2}", "dd": r"\d{2}", "HH": r"(?:[01]\d|2[0-3])", "mm": r"[0-5]\d", "ss": r"[0-5]\d",
})  # fmt: skip
DATE_PART = re.compile("|".join(DATE_PARTS))


class Notation(NamedTuple):
    """How files of a layout write a column: its unit, and the decimal mark of numbers."""

    unit: Unit | None = None
    decimal: DecimalMark = "."


DECIMAL_POINT = Notation()


def trimmed(field: Column) -> Column:
    """A field's text without the spaces around it."""
    return F.btrim(field, F.lit(SPACES))


def given(text: Column, missing: Sequence[str]) -> Column:
    """A trimmed text; null where it is one of the missing codes."""
    return F.when(~text.isin(*missing), text) if missing else text


def number(text: Column, notation: Notation = DECIMAL_POINT) -> Column:
    """A decimal number, with or without grouped digits.

    '1,234.5' is 1234.5. '0,799' is unreadable: the first group of a grouped number is not 0.
    """
    plain, loose = _written(PLAIN, notation), _written(NUMBER, notation)
    group, mark = (",", ".") if notation.decimal == "." else (".", ",")
    pointed = F.replace(text, F.lit(mark), F.lit(".")) if mark != "." else text
    ungrouped = F.replace(text, F.lit(group), F.lit(""))
    ungrouped = F.replace(ungrouped, F.lit(mark), F.lit(".")) if mark != "." else ungrouped
    return F.when(text.rlike(plain), pointed.try_cast("double")).when(
        text.rlike(loose), ungrouped.try_cast("double")
    )


def whole(text: Column, notation: Notation = DECIMAL_POINT) -> Column:
    """A count: '3', '3.0'; '3.5' counts nothing and is unreadable."""
    digits = F.substring_index(text, notation.decimal, 1)
    return F.when(text.rlike(_written(WHOLE, notation)), digits.try_cast("int"))


def money(text: Column, notation: Notation = DECIMAL_POINT) -> Column:
    """An amount in the portfolio's currency, yearly where the unit is 'monthly'.

    A currency's sign may stand at either end, before or after a minus sign. Accountants' brackets
    are a minus sign: a second one within them is unreadable.
    """
    bare = _without_currency(text)
    in_brackets = bare.startswith("(") & bare.endswith(")")
    inner = F.when(in_brackets, F.btrim(bare, F.lit("()"))).when(
        bare.startswith("-"), F.substring(bare, 2, 2**31 - 1)
    )
    owed = _without_currency(inner)
    owed = F.when(~F.left(owed, F.lit(1)).isin("-", "+"), -number(owed, notation))
    amount = F.coalesce(
        number(text, notation), F.when(inner.isNotNull(), owed).otherwise(number(bare, notation))
    )
    return amount * 12 if notation.unit == "monthly" else amount


def _without_currency(text: Column) -> Column:
    return F.btrim(text, F.lit(f"{CURRENCIES}{SPACES}"))


def rate(text: Column, notation: Notation = DECIMAL_POINT) -> Column:
    """A rate as a fraction of one.

    A percent sign decides; the unit of the layout is for text without one.
    """
    bare = F.rtrim(F.rtrim(text, F.lit("%")), F.lit(SPACES))
    in_percent = number(bare, notation) / 100
    without_sign = number(text, notation)
    if notation.unit == "percent":
        without_sign = without_sign / 100
    return F.when(text.endswith("%"), in_percent).otherwise(without_sign)


def months(text: Column, notation: Notation = DECIMAL_POINT) -> Column:
    """A term in months: '36 months', '36'."""
    return whole(_without(text, " months", " month"), notation)


def years(text: Column, notation: Notation = DECIMAL_POINT) -> Column:
    """A length in full years: '10+ years' is 10, '< 1 year' is 0."""
    is_below_one = text.isin("< 1", "< 1 year", "< 1 years")
    return F.when(is_below_one, F.lit(0)).otherwise(
        whole(_without(text, "+ years", " years", " year"), notation)
    )


def lower_bound(text: Column, notation: Notation = DECIMAL_POINT) -> Column:
    """A range by its lower bound: '735-739' is 735; a single number is itself."""
    lower = F.rtrim(F.substring_index(text, "-", 1))
    return F.when(text.rlike(RANGE), number(lower, notation)).otherwise(number(text, notation))


def date(text: Column, formats: Sequence[str], pivot: int | None = None) -> Column:
    """A calendar day in the first of the formats, all of a fixed width, that fits.

    A format with no day stands for the first of the month. Two-digit years from `pivot` on are
    19yy, those below it 20yy.
    """
    return F.coalesce(*[_day(text, each, pivot) for each in formats])


def flag(text: Column) -> Column:
    """Yes or no, in the words that files have for it."""
    lowered = F.lower(text)
    return F.when(lowered.isin(*YES), F.lit(True)).when(lowered.isin(*NO), F.lit(False))


def _written(pattern: str, notation: Notation) -> str:
    """A pattern of numbers in the notation's own decimal mark."""
    if notation.decimal == ".":
        return pattern
    return pattern.replace(r"\.", "\0").replace(",\\d", r"\.\d").replace("\0", ",")


def _without(text: Column, *endings: str) -> Column:
    """The text without the first of the endings that it has."""
    bare = text
    for ending in reversed(endings):
        length = F.length(text) - len(ending)
        bare = F.when(text.endswith(ending), text.substr(F.lit(1), length)).otherwise(bare)
    return bare


def _day(text: Column, pattern: str, pivot: int | None) -> Column:
    """Days of texts that one format fits: checked by a pattern, cut out, put together as ISO."""
    parts = {each.group(): each.start() + 1 for each in DATE_PART.finditer(pattern)}
    fits = f"^{DATE_PART.sub(lambda each: DATE_PARTS[each.group()], _escaped(pattern))}\\z"

    def part(name: str) -> Column:
        return F.substring(text, parts[name], len(name))

    day = part("dd") if "dd" in parts else F.lit("01")
    iso = F.concat(_year(part, parts, pivot), F.lit("-"), _month(part, parts), F.lit("-"), day)
    return F.when(text.rlike(fits), iso.try_cast("date"))


def _escaped(pattern: str) -> str:
    return pattern.replace(".", r"\.")


def _year(part: Callable[[str], Column], parts: Mapping[str, int], pivot: int | None) -> Column:
    if "yyyy" in parts:
        return part("yyyy")
    if "yy" not in parts:
        return F.lit(None).cast("string")
    short = part("yy")
    century = F.when(short < f"{pivot or 0:02d}", F.lit("20")).otherwise(F.lit("19"))
    return F.concat(century, short)


def _month(part: Callable[[str], Column], parts: Mapping[str, int]) -> Column:
    if "MM" in parts:
        return part("MM")
    if "MMM" not in parts:
        return F.lit("01")
    return F.substr(F.lit(MONTH_NUMBERS), F.instr(F.lit(MONTHS), part("MMM")) + 1, F.lit(2))


PARSERS: Mapping[Kind, Callable[[Column, ContractColumn, Notation], Column]] = MappingProxyType(
    {
        "text": lambda text, _, __: text,
        "category": lambda text, _, __: text,
        "count": lambda text, _, notation: whole(text, notation),
        "number": lambda text, _, notation: number(text, notation),
        "money": lambda text, _, notation: money(text, notation),
        "rate": lambda text, _, notation: rate(text, notation),
        "months": lambda text, _, notation: months(text, notation),
        "years": lambda text, _, notation: years(text, notation),
        "date": lambda text, spec, _: date(text, spec.formats, spec.pivot),
        "range": lambda text, _, notation: lower_bound(text, notation),
        "flag": lambda text, _, __: flag(text),
    }
)
