"""Kinds of value that Spark compares with each other without a cast: number, text, date, boolean."""

from datetime import date
from typing import Any, Literal

Kind = Literal["number", "text", "date", "boolean", "other"]
OF_TYPE: dict[str, Kind] = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "float", "double"), "number"),
    "string": "text",
    **dict.fromkeys(("date", "timestamp", "timestamp_ntz"), "date"),
    "boolean": "boolean",
}
IN_WORDS: dict[Kind, str] = {
    "number": "a number", "text": "a text", "date": "a date", "boolean": "a boolean",
    "other": "no single value",
}  # fmt: skip


def kind_of_type(type_: str) -> Kind:
    """The kind of a column by its Spark type.

    >>> kind_of_type("decimal(10,2)"), kind_of_type("array<string>")
    ('number', 'other')
    """
    return "number" if type_.startswith("decimal") else OF_TYPE.get(type_, "other")


def kind_of_value(value: Any) -> Kind:
    """The kind of a Python value.

    >>> kind_of_value(True), kind_of_value(1), kind_of_value("1")
    ('boolean', 'number', 'text')
    """
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "date" if isinstance(value, date) else "other"


def in_words(kind: Kind) -> str:
    """A kind, to stand in a sentence."""
    return IN_WORDS[kind]
