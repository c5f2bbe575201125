"""The form for one applicant, made from the contract: fields, and how what is typed is read.

In come texts by field; out go values as they stand in `loans`, or a sentence at each field that
cannot be used.
"""

import re
from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Any, NamedTuple

from credit_spark.config.expressions import columns_of
from credit_spark.config.models import TEXT_KINDS, Contract, ContractColumn
from credit_spark.config.tables import LARGEST_INT
from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import Category, ModelDocument
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import columns_read

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
# A comma separates thousands and nothing else: 1,5 is not 15.
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
SURROGATE = re.compile("[\ud800-\udfff]")
LONGEST = 200
WHOLE = frozenset({"count", "months", "years"})
# Typed in a form as yes and no, in JSON as true and false.
YES_NO: Mapping[str, bool] = {"yes": True, "no": False}
FLAGS = {**YES_NO, "true": True, "false": False}
UNITS = {"rate": "percent", "money": "amount", "months": "months", "years": "years"}


class FormField(NamedTuple):
    """A field of the form: the column, what to write in it, what it may hold."""

    name: str
    hint: str
    choices: tuple[str, ...]
    spec: ContractColumn

    @property
    def schema(self) -> dict[str, Any]:
        """The values as JSON schema, as they are typed: a rate in percent."""
        kind, bounds = self.spec.kind, self.spec.range
        described = {"description": self.hint} if self.hint else {}
        if kind == "flag":
            return {"type": "boolean", **described}
        if kind in TEXT_KINDS:
            choices = {"enum": self.choices} if self.choices else {}
            return {"type": "string", **choices, **described}
        if kind == "date":
            return {"type": "string", "format": "date", **described}
        times = 100 if kind == "rate" else 1
        ends = zip(("minimum", "maximum"), bounds or (), strict=False)
        # JSON has no infinite number.
        limits = {name: end * times for name, end in ends if isfinite(end)}
        return {"type": "number", **limits, **described}


def fields_of(contract: Contract, document: ModelDocument, policy: Policy) -> list[FormField]:
    """A field for each column that a feature or hard rule reads, in the contract's order."""
    used = columns_read(document, policy)
    return [
        FormField(name, _hint(spec), _choices(name, spec, document), spec)
        for name, spec in contract.columns.items()
        if name in used
    ]


def read(
    fields: list[FormField], typed: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of what was typed, by column, and a sentence for each field that cannot be used.

    A field left empty is null, where it may be. A form has texts; JSON may have numbers, too, and
    true or false for a flag.
    """
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for field in fields:
        try:
            values[field.name] = _value(field, _text(field, typed.get(field.name)))
        except ValueError as error:
            faults[field.name] = str(error)
    for name in typed.keys() - {field.name for field in fields}:
        # A name that could be no field's is not shown again.
        shown = name if NAME.fullmatch(str(name)) else "(another field)"
        faults[shown] = "there is no such field"
    return values, faults


def _text(field: FormField, given: object) -> str:
    """What was typed, as a text; ValueError: its JSON type does not suit the field."""
    if given is None:
        return ""
    is_flag = isinstance(given, bool) and field.spec.kind == "flag"
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not (isinstance(given, str) or is_flag or is_number):
        raise ValueError("give one value, as a text or a number")
    if SURROGATE.search(text := str(given).strip()):
        raise ValueError("it contains an incomplete character")
    return text


def _choices(name: str, spec: ContractColumn, document: ModelDocument) -> tuple[str, ...]:
    """The texts that a category may have: the contract's, or those that the model knows."""
    if spec.kind == "flag":
        return tuple(YES_NO)
    if spec.kind not in TEXT_KINDS:
        return ()
    texts = [str(each) for each in spec.one_of or ()] or list(spec.codes.values())
    for feature in document.features:
        if texts or not isinstance(feature, Category):
            continue
        # A feature that is the column, or bins of its texts.
        if feature.sql == name:
            texts = [level.text for level in feature.levels]
        elif columns_of(feature.sql) == {name}:
            texts = sorted(text for level in feature.levels for text in level.members)
    return tuple(dict.fromkeys(text for text in texts if text != ABSENT))


def _hint(spec: ContractColumn) -> str:
    unit = UNITS.get(spec.kind, "")
    if spec.kind == "date":
        return "as in 2012-01-31"
    if spec.range is None:
        return unit
    return ", ".join(filter(None, (unit, _between(spec.range, spec, "{} to {}"))))


def _between(bounds: tuple[float, float], spec: ContractColumn, words: str) -> str:
    """Both ends of a range in words, or the one that it has."""
    low, high = (f"{x * 100:,g}" if spec.kind == "rate" else f"{x:,.10g}" for x in bounds)
    match [isfinite(end) for end in bounds]:
        case [True, True]:
            return words.format(low, high)
        case [True, False]:
            return f"at least {low}"
        case [False, True]:
            return f"at most {high}"
    return ""


def _value(field: FormField, text: str) -> Any:
    """The value of a text; ValueError: it cannot be used, and why."""
    kind = field.spec.kind
    if not text:
        if field.spec.required:
            raise ValueError("this field is needed")
        return None
    if len(text) > LONGEST:
        raise ValueError(f"at most {LONGEST} letters")
    if kind == "flag":
        if text.lower() not in FLAGS:
            raise ValueError("write yes or no")
        return FLAGS[text.lower()]
    if kind == "date":
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError("write a day as 2012-01-31") from None
    if kind not in TEXT_KINDS:
        return _number(field.spec, text)
    if field.choices and text not in field.choices:
        raise ValueError(f"choose one of: {', '.join(field.choices)}")
    return text


def _number(spec: ContractColumn, text: str) -> float:
    is_rate = spec.kind == "rate"
    plain = text.removesuffix("%").strip() if is_rate else text
    plain = plain.replace(",", "") if THOUSANDS.fullmatch(plain) else plain
    if not NUMBER.fullmatch(plain) or not isfinite(float(plain)):
        raise ValueError("write a number, such as 1234.5")
    value = float(plain) / 100 if is_rate else float(plain)
    if spec.kind in WHOLE and value != int(value):
        raise ValueError("write a whole number")
    if spec.kind in WHOLE and abs(value) > LARGEST_INT:
        raise ValueError(f"write at most {LARGEST_INT:,}")
    if spec.range and not spec.range[0] <= value <= spec.range[1]:
        raise ValueError(f"it must be {_between(spec.range, spec, 'between {} and {}')}")
    if spec.one_of and value not in spec.one_of:
        choices = ", ".join(f"{float(each):g}" for each in spec.one_of)
        raise ValueError(f"choose one of: {choices}")
    return value
