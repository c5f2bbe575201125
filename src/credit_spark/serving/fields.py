"""The form for one applicant, made from the contract: fields, and how what is typed is read.

In come texts by field; out go values as they stand in `loans`, or a sentence at each field that
cannot be used.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from credit_spark.contract.expressions import columns_of
from credit_spark.contract.models import TEXT_KINDS, Contract, Promise
from credit_spark.contract.tables import MISSING
from credit_spark.scoring.document import Category, ModelDocument

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
# A comma stands between thousands and nowhere else: 1,5 is not 15.
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
LONGEST = 200
WHOLE = frozenset({"count", "months", "years"})
YES_NO: Mapping[str, bool] = {"yes": True, "no": False}
UNITS = {"rate": "percent", "money": "amount", "months": "months", "years": "years"}


class Field(NamedTuple):
    """A field of the form: the column, what to write in it, what it may hold."""

    name: str
    label: str
    hint: str
    choices: tuple[str, ...]
    is_required: bool
    promise: Promise


class Read(NamedTuple):
    """What was typed: values by column, and a sentence for each field that cannot be used."""

    values: dict[str, Any]
    faults: dict[str, str]


def fields_of(contract: Contract, document: ModelDocument) -> list[Field]:
    """A field for each column that a feature or hard rule reads, in the contract's order."""
    used = _used(document)
    return [
        Field(
            name,
            name.replace("_", " ").capitalize(),
            _hint(promise),
            _choices(name, promise, document),
            promise.required,
            promise,
        )
        for name, promise in contract.columns.items()
        if name in used
    ]


def read(fields: list[Field], typed: Mapping[str, Any]) -> Read:
    """Values of what was typed; a field left empty is null, where it may be."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for field in fields:
        given = typed.get(field.name)
        text = "" if given is None else str(given).strip()
        try:
            values[field.name] = _value(field, text)
        except ValueError as error:
            faults[field.name] = str(error)
    known = {field.name for field in fields}
    for name in typed.keys() - known:
        # A name that could be no field's is not said again.
        said = name if NAME.fullmatch(str(name)) else "(another field)"
        faults[said] = "there is no such field"
    return Read(values, faults)


def _used(document: ModelDocument) -> set[str]:
    read = [each.sql for each in (*document.features, *document.refusals)]
    return {column for sql in read for column in columns_of(sql)}


def _choices(name: str, promise: Promise, document: ModelDocument) -> tuple[str, ...]:
    """The texts that a category may have: the contract's, or those that the model knows."""
    if promise.kind == "flag":
        return tuple(YES_NO)
    if promise.kind not in TEXT_KINDS:
        return ()
    told = [str(each) for each in promise.one_of or ()] or list(promise.codes.values())
    for feature in document.features:
        if isinstance(feature, Category) and not told:
            told = _levels_of(name, feature)
    return tuple(dict.fromkeys(told))


def _levels_of(name: str, feature: Category) -> list[str]:
    """The texts of a column that a feature is, or whose bins it is; none of any other."""
    if feature.sql == name:
        texts = [level.text for level in feature.levels]
    elif columns_of(feature.sql) == {name}:
        texts = sorted(text for level in feature.levels for text in level.members)
    else:
        texts = []
    return [text for text in texts if text != MISSING]


def _hint(promise: Promise) -> str:
    unit = UNITS.get(promise.kind, "")
    if promise.kind == "date":
        return "as in 2012-01-31"
    if promise.range is None:
        return unit
    low, high = (_shown(bound, promise) for bound in promise.range)
    return f"{unit}, {low} to {high}".removeprefix(", ")


def _shown(value: float, promise: Promise) -> str:
    return f"{value * 100:,g}" if promise.kind == "rate" else f"{value:,.10g}"


def _value(field: Field, text: str) -> Any:
    """The value of a text.

    Raises:
        ValueError: it cannot be used; the text says why.
    """
    if not text:
        if field.is_required:
            raise ValueError("this field is needed")
        return None
    if len(text) > LONGEST:
        raise ValueError(f"at most {LONGEST} letters")
    reader = READERS.get(field.promise.kind, _number)
    return reader(field, text)


def _text(field: Field, text: str) -> str:
    if field.choices and text not in field.choices:
        raise ValueError(f"choose one of: {', '.join(field.choices)}")
    return text


def _flag(field: Field, text: str) -> bool:
    if text.lower() not in YES_NO:
        raise ValueError("write yes or no")
    return YES_NO[text.lower()]


def _day(field: Field, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("write a day as 2012-01-31") from None


def _number(field: Field, text: str) -> float:
    is_rate = field.promise.kind == "rate"
    plain = text.removesuffix("%").strip() if is_rate else text
    plain = plain.replace(",", "") if THOUSANDS.fullmatch(plain) else plain
    if not NUMBER.fullmatch(plain) or not math.isfinite(float(plain)):
        raise ValueError("write a number, such as 1234.5")
    promise = field.promise
    value = float(plain) / 100 if is_rate else float(plain)
    if promise.kind in WHOLE and value != int(value):
        raise ValueError("write a whole number")
    if promise.range and not promise.range[0] <= value <= promise.range[1]:
        low, high = (_shown(bound, promise) for bound in promise.range)
        raise ValueError(f"it must lie between {low} and {high}")
    if promise.one_of and value not in promise.one_of:
        raise ValueError(f"choose one of: {', '.join(f'{each:g}' for each in _numbers(promise))}")
    return value


def _numbers(promise: Promise) -> Iterator[float]:
    return (float(each) for each in promise.one_of or ())


READERS: Mapping[str, Callable[[Field, str], Any]] = {
    "text": _text,
    "category": _text,
    "flag": _flag,
    "date": _day,
}
