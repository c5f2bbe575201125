"""What is wrong with one expectation of a suite, found without data and without Spark.

In come an expectation's type, its kwargs and the columns of its table by name, with their Spark
types; out come faults as sentences. What Great Expectations would only report as an exception of
Spark, such as a text compared with a number, is a fault here.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from great_expectations.expectations import registry

from credit_spark.contract.errors import instead_of
from credit_spark.quality.conditions import condition_faults, query_faults
from credit_spark.quality.values import columns_in, value_faults

Kwargs = Mapping[str, Any]
Columns = Mapping[str, str]
# Registered, and of no use on executors of Spark that have no Python: why, and what to take.
NO_PROVIDER = "Great Expectations does not compute it on Spark"
BY_PYTHON = "it runs Python on every executor"
INSTEAD = "take expect_column_values_to_match_regex"
NOT_ON_SPARK = {
    "expect_column_values_to_be_dateutil_parseable": f"{NO_PROVIDER}; {INSTEAD}",
    "expect_column_values_to_be_json_parseable": BY_PYTHON,
    "expect_column_values_to_match_json_schema": BY_PYTHON,
    "expect_column_values_to_match_strftime_format": f"{BY_PYTHON}; {INSTEAD}",
    "expect_column_values_to_match_like_pattern": f"{NO_PROVIDER}; {INSTEAD}",
    "expect_column_values_to_match_like_pattern_list": f"{NO_PROVIDER}; {INSTEAD}",
    "expect_column_values_to_not_match_like_pattern": f"{NO_PROVIDER}; {INSTEAD}",
    "expect_column_values_to_not_match_like_pattern_list": f"{NO_PROVIDER}; {INSTEAD}",
    "expect_query_results_to_match_comparison": "it compares two SQL databases",
    "expect_table_row_count_to_equal_other_table": "it needs the tables of a SQL database",
}


def faults_of(type_: str, kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    """Every fault of one expectation on a table with these columns."""
    known = registry.list_registered_expectation_implementations()
    if type_ not in known:
        # A suite that is built with an unknown type leaves it out without a word.
        yield f"there is no such expectation; {instead_of(type_, known)}"
        return
    if type_ in NOT_ON_SPARK:
        yield f"it cannot be used here: {NOT_ON_SPARK[type_]}"
        return
    yield from _parameters(kwargs)
    given = {key: value for key, value in kwargs.items() if not _is_parameter(value)}
    yield from _shape(type_, given, missing_is_known=len(given) < len(kwargs))
    yield from _unknown_columns(given, columns)
    yield from value_faults(type_, kwargs, given, columns)
    yield from condition_faults(given, columns)
    yield from query_faults(given, columns)


def _is_parameter(value: Any) -> bool:
    return (isinstance(value, Mapping) and "$PARAMETER" in value) or (
        isinstance(value, str) and value.startswith("$")
    )


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
        for key, said in messages.items():
            if said != ["field required"] or not missing_is_known:
                yield _sentence(model, key, said)


def _sentence(model: Any, key: str, messages: list[str]) -> str:
    if messages == ["field required"]:
        return f"'{key}' is missing"
    if messages == ["extra fields not permitted"]:
        return f"it has no '{key}'; {instead_of(key, _names(model))}"
    if key == "__root__":
        return "; ".join(messages)
    return f"'{key}' has a value that it cannot have: {'; '.join(dict.fromkeys(messages))}"


def _names(model: Any) -> list[str]:
    """The kwargs that an expectation takes."""
    of_all = {"id", "meta", "notes", "description", "rendered_content", "windows", "batch_id"}
    return [name for name in model.__fields__ if name not in of_all]


def _unknown_columns(kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    for column in columns_in(kwargs):
        if column not in columns:
            yield f"there is no column '{column}'; {instead_of(column, columns)}"
