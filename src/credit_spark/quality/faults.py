"""Faults of one expectation of a suite, as sentences, found without data and without Spark.

What Great Expectations would only report as an exception of Spark, such as a text compared with a
number, is a fault here. The columns of its table are given with their Spark types.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from great_expectations.expectations import registry

from credit_spark.config.errors import instead_of
from credit_spark.quality.arguments import (
    ONE_COLUMN,
    columns_in,
    condition_faults,
    query_faults,
    value_faults,
)

Kwargs = Mapping[str, Any]
Columns = Mapping[str, str]
# Registered, and of no use on executors of Spark that have no Python: why, and what to take.
INSTEAD = "take expect_column_values_to_match_regex"
NOT_ON_SPARK = {
    "dateutil_parseable|like_pattern": f"the library does not compute it on Spark; {INSTEAD}",
    "strftime_format": f"it runs Python on every executor; {INSTEAD}",
    "json_parseable|json_schema": "it runs Python on every executor",
    "query_results": "it compares two SQL databases",
    "row_count_to_equal_other_table": "it needs the tables of a SQL database",
}
# What an expectation can have in a suite's file.
BESIDE = ("type", "kwargs", "meta", "notes", "description", "severity")
CRITICAL = "critical"
# Fields of every expectation, which are no kwargs of its own.
OF_ALL = {"id", "meta", "notes", "description", "rendered_content", "windows", "batch_id"}


def faults_beside(expectation: Mapping[str, Any]) -> Iterator[str]:
    """Faults of what an expectation has beside its type and its kwargs."""
    for key in expectation:
        if key not in BESIDE:
            yield f"it has no '{key}'; {instead_of(key, BESIDE)}"
    if expectation.get("severity", CRITICAL) != CRITICAL:
        yield f"'severity' must be '{CRITICAL}' or left out: each failed expectation stops a run"
    if not isinstance(expectation.get("meta") or {}, Mapping):
        yield "'meta' is an object of keys and values"
    if not isinstance(expectation.get("description") or "", str):
        yield "'description' is a text"


def faults_of(type_: str, kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    """Every fault of one expectation on a table with these columns."""
    known = registry.list_registered_expectation_implementations()
    if type_ not in known:
        # A suite that is built with an unknown type leaves it out without a word.
        yield f"there is no such expectation; {instead_of(type_, known)}"
        return
    for words, why in NOT_ON_SPARK.items():
        if re.search(words, type_):
            yield f"it cannot be used here: {why}"
            return
    yield from _parameters(kwargs)
    given = {key: value for key, value in kwargs.items() if not _is_parameter(value)}
    if wrong := [key for key in ONE_COLUMN if not isinstance(given.get(key, ""), str)]:
        yield f"'{wrong[0]}' is the name of one column, as a text"
        return
    yield from _shape(type_, given, missing_is_known=len(given) < len(kwargs))
    for column in columns_in(given):
        if column not in columns:
            yield f"there is no column '{column}'; {instead_of(column, columns)}"
    yield from value_faults(type_, kwargs, given, columns)
    yield from condition_faults(given, columns)
    yield from query_faults(given, columns)


def _is_parameter(value: Any) -> bool:
    is_text = isinstance(value, str) and value.startswith("$")
    return is_text or (isinstance(value, Mapping) and "$PARAMETER" in value)


def _parameters(kwargs: Kwargs) -> Iterator[str]:
    for key, value in kwargs.items():
        if _is_parameter(value):
            name = value["$PARAMETER"] if isinstance(value, Mapping) else value
            yield f"'{key}' is the parameter '{name}', which a run does not fill in; give a value"


def _shape(type_: str, kwargs: Kwargs, *, missing_is_known: bool) -> Iterator[str]:
    """What Great Expectations' own model of the expectation refuses: once a kwarg."""
    model = registry.get_expectation_impl(type_)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model(**kwargs)
    except Exception as error:
        faults: list[dict[str, Any]] = getattr(error, "errors", list)()
        if not faults:
            # A condition in its own language that it cannot parse.
            yield str(error).strip().splitlines()[0]
        messages: dict[str, list[str]] = {}
        for fault in faults:
            # Of two bounds that are both missing, `_bounds` reports.
            if "cannot both be None" in fault["msg"]:
                continue
            messages.setdefault(str(fault["loc"][0]), []).append(fault["msg"])
        for key, texts in messages.items():
            if texts != ["field required"] or not missing_is_known:
                yield _sentence(model, key, texts)


def _sentence(model: Any, key: str, messages: list[str]) -> str:
    if messages == ["field required"]:
        return f"'{key}' is missing"
    if messages == ["extra fields not permitted"]:
        return f"it has no '{key}'; {instead_of(key, model.__fields__.keys() - OF_ALL)}"
    if key == "__root__":
        return "; ".join(messages)
    return f"'{key}' has a value that it cannot have: {'; '.join(dict.fromkeys(messages))}"
