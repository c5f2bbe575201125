"""Read a lender's text as typed values, a column of a block at a time.

Every parser takes and gives a Polars series of the same length; its text is trimmed, and null
where it is missing (`given`). Text that cannot be read becomes null; what a null means is for
rules.py to say. So no parser raises and none guesses. Nearly all text is plain: it is read the
short way, and only what that leaves is looked at closely.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import polars as pl

from credit_spark.contract.models import Kind, Promise, Unit

PLAIN_NUMBER = r"^[+-]?(\d+(\.\d*)?|\d{1,3}(,\d{3})+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
WHOLE_NUMBER = r"^[+]?\d{1,9}(\.0*)?$"
LARGEST_WHOLE = 999_999_999
RANGE = r"^\d+ ?- ?\d+$"
SPACES = " \t\r\n\u00a0"
YES, NO = ("yes", "y", "true", "t", "1"), ("no", "n", "false", "f", "0")
# How Java's letters for a part of a date are written in strftime's.
STRFTIME = {"yyyy": "%Y", "MMM": "%b", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
Read = Callable[[pl.Series], pl.Series]
Parser = Callable[[pl.Series, Promise, Unit | None], pl.Series]


def given(field: pl.Series, missing: Sequence[str]) -> pl.Series:
    """A field's text without the spaces around it; null where it is one of the missing codes."""
    bare = field.str.strip_chars(SPACES)
    is_missing = bare.is_in(pl.Series(missing, dtype=pl.String).implode())
    return bare.set(is_missing, None) if is_missing.any() else bare


def number(text: pl.Series) -> pl.Series:
    """Read a plain decimal number, with or without thousands separators.

    A cast alone takes 'NaN' and 'Infinity' for numbers, and '1,000' for none.
    """
    return _read(text, _finite, _number_closely)


def whole(text: pl.Series) -> pl.Series:
    """Read a count: '3', '3.0'; not '3.5', which counts nothing."""
    return _read(text, _count, _whole_closely)


def money(text: pl.Series, unit: Unit | None = None) -> pl.Series:
    """Read an amount in the book's currency, yearly where `unit` is 'monthly'.

    Accountants' brackets are a minus sign.
    """
    amount = _read(text, _finite, _money_closely)
    return amount * 12 if unit == "monthly" else amount


def rate(text: pl.Series, unit: Unit | None) -> pl.Series:
    """Read a rate as a fraction of one.

    A percent sign settles what the text is in; `unit` is for text without one.
    """
    share = number(text.str.strip_chars_end("%").str.strip_chars_end(" "))
    # By a single number Polars multiplies with its inverse, which may differ in the last digit.
    hundredth = share / pl.repeat(100.0, len(share), eager=True)
    if unit == "percent":
        return hundredth
    return hundredth.zip_with(text.str.ends_with("%").fill_null(False), share)


def months(text: pl.Series) -> pl.Series:
    """Read a term: '36 months', '36'."""
    return _once_each(text, lambda few: whole(_without(few, " months", " month")), pl.Int32)


def years(text: pl.Series) -> pl.Series:
    """Read a length in full years: '10+ years' is 10, '< 1 year' is 0."""

    def read(few: pl.Series) -> pl.Series:
        bare = _without(few, "+ years", " years", " year")
        return whole(bare).set(bare == "< 1", 0)

    return _once_each(text, read, pl.Int32)


def date(text: pl.Series, formats: Sequence[str]) -> pl.Series:
    """Read a calendar day in the first of the formats, all of a fixed width, that fits.

    A text fits a format where it is what that format would write for the day.
    """

    def read(few: pl.Series) -> pl.Series:
        day = pl.Series([None] * len(few), dtype=pl.Date)
        for pattern in formats:
            day = day.zip_with(day.is_not_null(), _day(few, pattern))
        return day

    return _once_each(text, read, pl.Date)


def lower_bound(text: pl.Series) -> pl.Series:
    """Read a range by its lower bound: '735-739' is 735; a single number is itself."""
    return _read(text, _finite, _bound_closely)


def flag(text: pl.Series) -> pl.Series:
    """Read yes or no, in the words that files have for it."""

    def read(few: pl.Series) -> pl.Series:
        word = few.str.to_lowercase()
        said = word.is_in([*YES, *NO])
        return word.is_in(YES).set(~said, None)

    return _once_each(text, read, pl.Boolean)


def _read(text: pl.Series, plainly: Read, closely: Read) -> pl.Series:
    """Values read the short way, and closely where that gives none."""
    values = plainly(text)
    odd = values.is_null() & text.is_not_null()
    if not odd.any():
        return values
    return values.scatter(odd.arg_true(), closely(text.filter(odd)))


def _once_each(text: pl.Series, read: Read, dtype: type[pl.DataType]) -> pl.Series:
    """Values of a column that has few different texts: each text is read once."""
    different = text.drop_nulls().unique()
    if different.is_empty():
        return pl.Series([None] * len(text), dtype=dtype)
    return text.replace_strict(different, read(different), return_dtype=dtype)


def _finite(text: pl.Series) -> pl.Series:
    values = text.cast(pl.Float64, strict=False)
    return values.set(~values.is_finite(), None)


def _count(text: pl.Series) -> pl.Series:
    values = text.cast(pl.Int32, strict=False)
    return values.set((values < 0) | (values > LARGEST_WHOLE), None)


def _number_closely(text: pl.Series) -> pl.Series:
    plain = text.set(~text.str.contains(PLAIN_NUMBER), None)
    return plain.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False)


def _whole_closely(text: pl.Series) -> pl.Series:
    plain = text.set(~text.str.contains(WHOLE_NUMBER), None)
    return plain.cast(pl.Float64, strict=False).cast(pl.Int32)


def _money_closely(text: pl.Series) -> pl.Series:
    bare = text.str.strip_chars("$ ")
    in_brackets = bare.str.starts_with("(") & bare.str.ends_with(")")
    owed = -number(bare.str.strip_chars("()$ "))
    return owed.zip_with(in_brackets, number(bare))


def _bound_closely(text: pl.Series) -> pl.Series:
    lower = text.str.split("-").list.first().str.strip_chars_end(" ")
    return number(lower.zip_with(text.str.contains(RANGE), text))


def _without(text: pl.Series, *endings: str) -> pl.Series:
    """The text without the first of the endings that it has."""
    bare = text
    for ending in reversed(endings):
        bare = text.str.strip_suffix(ending).zip_with(text.str.ends_with(ending), bare)
    return bare


def _day(text: pl.Series, pattern: str) -> pl.Series:
    """Days of texts in one format; a month alone stands for its first day."""
    form = pattern
    for java, letters in STRFTIME.items():
        form = form.replace(java, letters)
    whole_day = ("", "") if "dd" in pattern else (" 01", " %d")
    read = (text + whole_day[0]).str.to_datetime(form + whole_day[1], strict=False)
    return read.dt.date().set(read.dt.strftime(form) != text, None)


PARSERS: Mapping[Kind, Parser] = MappingProxyType(
    {
        "text": lambda text, _, __: text,
        "category": lambda text, _, __: text,
        "count": lambda text, _, __: whole(text),
        "number": lambda text, _, __: number(text),
        "money": lambda text, _, unit: money(text, unit),
        "rate": lambda text, _, unit: rate(text, unit),
        "months": lambda text, _, __: months(text),
        "years": lambda text, _, __: years(text),
        "date": lambda text, promise, _: date(text, promise.formats),
        "range": lambda text, _, __: lower_bound(text),
        "flag": lambda text, _, __: flag(text),
    }
)
