"""Read a lender's text as typed values.

Every parser takes and gives a Column; its text is trimmed, and null where it is missing. Text
that cannot be read becomes null; what a null means is for rules.py to say. So no parser raises
and none guesses.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from pyspark.sql import Column
from pyspark.sql import functions as F

from credit_spark.contract.models import Kind, Promise, Unit

PLAIN_NUMBER = r"^[+-]?(\d+(\.\d*)?|\d{1,3}(,\d{3})+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
WHOLE_NUMBER = r"^[+]?\d{1,9}(\.0*)?$"
SPACES = " \t\r\n\u00a0"
Parser = Callable[[Column, Promise, Unit | None], Column]


def given(field: Column, missing: Sequence[str]) -> Column:
    """A field's text without the spaces around it; null where it is one of the missing codes."""
    bare = F.btrim(field, F.lit(SPACES))
    return F.when(~bare.isin(*missing), bare)


def number(text: Column) -> Column:
    """Read a plain decimal number, with or without thousands separators.

    The pattern stands before the cast because a cast alone takes 'NaN', 'Infinity' and '1d' for
    numbers, and because every text that it refuses costs an exception.
    """
    is_plain = text.rlike(PLAIN_NUMBER)
    return F.when(is_plain, F.replace(text, F.lit(","), F.lit("")).try_cast("double"))


def whole(text: Column) -> Column:
    """Read a count: '3', '3.0'; not '3.5', which counts nothing."""
    return F.when(text.rlike(WHOLE_NUMBER), text.try_cast("double").try_cast("int"))


def money(text: Column, unit: Unit | None = None) -> Column:
    """Read an amount in the book's currency, yearly where `unit` is 'monthly'.

    Accountants' brackets are a minus sign.
    """
    bare = F.btrim(text, F.lit("$ "))
    in_brackets = bare.startswith("(") & bare.endswith(")")
    owed = -number(F.btrim(bare, F.lit("()$ ")))
    amount = F.when(in_brackets, owed).otherwise(number(bare))
    return amount * 12 if unit == "monthly" else amount


def rate(text: Column, unit: Unit | None) -> Column:
    """Read a rate as a fraction of one.

    A percent sign settles what the text is in; `unit` is for text without one.
    """
    share = number(F.rtrim(F.rtrim(text, F.lit("%"))))
    return F.when(text.endswith("%"), share / 100).otherwise(
        share / 100 if unit == "percent" else share
    )


def months(text: Column) -> Column:
    """Read a term: '36 months', '36'."""
    return whole(_without(text, " months", " month"))


def years(text: Column) -> Column:
    """Read a length in full years: '10+ years' is 10, '< 1 year' is 0."""
    bare = _without(text, "+ years", " years", " year")
    return F.when(bare == "< 1", F.lit(0)).otherwise(whole(bare))


def _without(text: Column, *endings: str) -> Column:
    """The text without the first of the endings that it has; dearer by a regular expression."""
    bare = text
    for ending in reversed(endings):
        length = F.length(text) - len(ending)
        bare = F.when(text.endswith(ending), text.substr(F.lit(1), length)).otherwise(bare)
    return bare


def date(text: Column, formats: Sequence[str]) -> Column:
    """Read a calendar day in the first of the formats, all of a fixed width, that fits.

    A text of another length than the format cannot fit it, and trying costs an exception.
    """
    fits = [
        F.when(F.length(text) == len(pattern), F.try_to_timestamp(text, F.lit(pattern)))
        for pattern in formats
    ]
    return F.coalesce(*fits).cast("date")


def lower_bound(text: Column) -> Column:
    """Read a range by its lower bound: '735-739' is 735; a single number is itself."""
    is_range = text.rlike(r"^\d+ ?- ?\d+$")
    return F.when(is_range, number(F.rtrim(F.substring_index(text, "-", 1)))).otherwise(
        number(text)
    )


def flag(text: Column) -> Column:
    """Read yes or no, in the words that files have for it."""
    lowered = F.lower(text)
    return F.when(lowered.isin("y", "yes", "true", "t", "1"), F.lit(True)).when(
        lowered.isin("n", "no", "false", "f", "0"), F.lit(False)
    )


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
