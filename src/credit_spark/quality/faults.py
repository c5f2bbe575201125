"""What is wrong with one expectation of a suite, found before a run, without data and without Spark.

In come an expectation's type, its kwargs and the columns of its table by name, with their Spark
types; out come faults as sentences. What Great Expectations would only report as an exception of
Spark, such as a text compared with a number, is a fault here.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from great_expectations.expectations import registry

from credit_spark.contract.names import instead_of
from credit_spark.quality.conditions import condition_faults, query_faults
from credit_spark.quality.kinds import Kind, in_words, kind_of_type, kind_of_value

Kwargs = Mapping[str, Any]
Columns = Mapping[str, str]
ON_NUMBERS = {
    "expect_column_mean_to_be_between",
    "expect_column_median_to_be_between",
    "expect_column_quantile_values_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_not_be_outliers",
    "expect_multicolumn_sum_to_equal",
}
ON_NUMBERS_AND_DATES = {
    "expect_column_max_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_decreasing",
    "expect_column_values_to_be_increasing",
}
ON_TEXTS = re.compile(r"regex|value_lengths")
ON_ONE_KIND = {
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_pair_values_to_be_equal",
    "expect_multicolumn_values_to_be_equal",
    "expect_select_column_values_to_be_unique_within_record",
}
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
COLUMN_KWARGS = ("column", "column_A", "column_B")
BOUNDS = ("min_value", "max_value")
# What Java's regular expressions do not take either; of other errors Java may know better.
BROKEN_REGEX = ("missing", "unterminated", "unbalanced", "nothing to repeat", "multiple repeat")


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
    yield from _wrong_kinds(type_, given, columns)
    yield from _values(type_, given, columns)
    yield from _bounds(type_, given, columns)
    yield from _texts(given)
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
        faults = getattr(error, "errors", lambda: [])()
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


def _columns_in(kwargs: Kwargs) -> list[str]:
    named = [kwargs[key] for key in COLUMN_KWARGS if key in kwargs]
    several = [kwargs.get("column_list") or [], kwargs.get("column_set") or []]
    return [each for each in [*named, *several[0], *several[1]] if isinstance(each, str)]


def _unknown_columns(kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    for column in _columns_in(kwargs):
        if column not in columns:
            yield f"there is no column '{column}'; {instead_of(column, columns)}"


def _kinds(kwargs: Kwargs, columns: Columns) -> dict[str, Kind]:
    return {
        each: kind_of_type(columns[each]) for each in _columns_in(kwargs) if each in columns
    }


def _wrong_kinds(type_: str, kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    kinds, taken = _kinds(kwargs, columns), _kinds_taken(type_, kwargs)
    for column, kind in kinds.items():
        if taken and kind not in taken:
            words = " or ".join(map(in_words, taken))
            yield f"column '{column}' is {in_words(kind)}, and this is computed of {words}"
    if type_ in ON_ONE_KIND and len(set(kinds.values())) > 1:
        listed = ", ".join(f"'{each}' is {in_words(kind)}" for each, kind in kinds.items())
        yield f"these columns cannot be compared: {listed}"


def _kinds_taken(type_: str, kwargs: Kwargs) -> tuple[Kind, ...]:
    """The kinds of column that an expectation is computed of; none: of any."""
    if type_ in ON_NUMBERS or "bins" in kwargs.get("partition_object", {}):
        return ("number",)
    if type_ in ON_NUMBERS_AND_DATES:
        return ("number", "date")
    return ("text",) if ON_TEXTS.search(type_) else ()


def _values(type_: str, kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    """Values that a column of its kind cannot have: Spark would cast one of both, and stop."""
    pairs = kwargs.get("value_pairs_set")
    if isinstance(pairs, list) and all(len(pair) == 2 for pair in pairs):
        for nth, key in enumerate(("column_A", "column_B")):
            yield from _in_column(kwargs.get(key), [pair[nth] for pair in pairs], columns)
    values = kwargs.get("value_set")
    if isinstance(values, list):
        yield from _in_column(kwargs.get("column"), values, columns)
    if values is not None and (not values or isinstance(values, Mapping)):
        yield "'value_set' is a list of at least one value"
    yield from _quantiles(kwargs.get("quantile_ranges"))
    for key in ("type_", "type_list"):
        given = kwargs.get(key) or []
        for name in [given] if isinstance(given, str) else given:
            yield from _type_name(name)


def _quantiles(given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping):
        return
    quantiles, ranges = given.get("quantiles") or [], given.get("value_ranges") or []
    if len(quantiles) != len(ranges):
        yield f"'quantile_ranges' has {len(quantiles)} quantiles and {len(ranges)} value ranges"
    if not all((_number(each) or 0) <= 1 and (_number(each) or 0) >= 0 for each in quantiles):
        yield "a quantile lies between 0 and 1"


def _in_column(column: Any, values: list[Any], columns: Columns) -> Iterator[str]:
    if column not in columns:
        return
    kind = kind_of_type(columns[column])
    if None in values:
        yield f"null is a value of no set; a null of '{column}' is not judged anyway"
    wrong = [each for each in values if each is not None and not _suits(each, kind)]
    if wrong:
        shown = ", ".join(map(repr, wrong[:3]))
        yield f"column '{column}' is {in_words(kind)}, and cannot be one of: {shown}"


def _suits(value: Any, kind: Kind) -> bool:
    if kind == "date":
        return _date(value) is not None
    return kind_of_value(value) == kind


def _type_name(name: str) -> Iterator[str]:
    from pyspark.sql import types

    known = [each for each in dir(types) if each.endswith("Type")]
    if name not in known:
        yield f"Spark has no type '{name}'; {instead_of(name, known)}"


def _bounds(type_: str, kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    given = {key: kwargs[key] for key in BOUNDS if kwargs.get(key) is not None}
    kind = kind_of_type(columns.get(kwargs.get("column", ""), ""))
    of_dates = kind == "date" and type_ in ON_NUMBERS_AND_DATES
    read = {key: _date(each) if of_dates else _number(each) for key, each in given.items()}
    for key, value in read.items():
        if value is None:
            yield f"'{key}' is {given[key]!r}, which is no {'date' if of_dates else 'number'}"
    takes_bounds = set(BOUNDS) <= set(registry.get_expectation_impl(type_).__fields__)
    if takes_bounds and not given and not set(BOUNDS) & set(kwargs):
        if "partition_object" not in kwargs:
            yield "it has neither 'min_value' nor 'max_value'"
    low, high = read.get("min_value"), read.get("max_value")
    if low is not None and high is not None and low > high:
        yield f"'min_value' {given['min_value']} lies above 'max_value' {given['max_value']}"


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _date(value: Any) -> date | None:
    if not isinstance(value, str | date):
        return None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _texts(kwargs: Kwargs) -> Iterator[str]:
    """Regular expressions that are not well formed."""
    for regex in [kwargs.get("regex"), *(kwargs.get("regex_list") or [])]:
        if not isinstance(regex, str):
            continue
        try:
            re.compile(regex)
        except re.error as error:
            if str(error).startswith(BROKEN_REGEX):
                yield f"'{regex}' is no regular expression: {error}"
