"""What an expectation compares its columns with: kinds of column, values, bounds, patterns.

Spark casts a text that is compared with a number, and stops at the first that is none; so a value
of another kind than its column is a fault.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from great_expectations.expectations import registry

from credit_spark.contract.errors import instead_of
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
COLUMN_KWARGS = ("column", "column_A", "column_B")
BOUNDS = ("min_value", "max_value")
# What Java's regular expressions do not take either; of other errors Java may know better.
BROKEN_REGEX = ("missing", "unterminated", "unbalanced", "nothing to repeat", "multiple repeat")


def value_faults(type_: str, kwargs: Kwargs, known: Kwargs, columns: Columns) -> Iterator[str]:
    """Faults of the values in `known`: the kwargs without those that are parameters."""
    yield from _wrong_kinds(type_, known, columns)
    yield from _values(type_, known, columns)
    if _needs_a_bound(type_, kwargs):
        yield "it has neither 'min_value' nor 'max_value'"
    yield from _bounds(type_, known, columns)
    yield from _patterns(known)


def columns_in(kwargs: Kwargs) -> list[str]:
    """The columns that an expectation names."""
    named = [kwargs[key] for key in COLUMN_KWARGS if key in kwargs]
    several = [kwargs.get("column_list") or [], kwargs.get("column_set") or []]
    return [each for each in [*named, *several[0], *several[1]] if isinstance(each, str)]


def _kinds(kwargs: Kwargs, columns: Columns) -> dict[str, Kind]:
    return {each: kind_of_type(columns[each]) for each in columns_in(kwargs) if each in columns}


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
    read = {key: _ordinal(each) if of_dates else _number(each) for key, each in given.items()}
    for key, value in read.items():
        if value is None:
            yield f"'{key}' is {given[key]!r}, which is no {'date' if of_dates else 'number'}"
    low, high = read.get("min_value"), read.get("max_value")
    if low is not None and high is not None and low > high:
        yield f"'min_value' {given['min_value']} lies above 'max_value' {given['max_value']}"


def _needs_a_bound(type_: str, kwargs: Kwargs) -> bool:
    """Whether it takes bounds, and has none."""
    takes_bounds = set(BOUNDS) <= set(registry.get_expectation_impl(type_).__fields__)
    present = {key for key, value in kwargs.items() if value is not None}
    return takes_bounds and not {*BOUNDS, "partition_object"} & present


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


def _ordinal(value: Any) -> int | None:
    """The number of a day."""
    day = _date(value)
    return day.toordinal() if day else None


def _patterns(kwargs: Kwargs) -> Iterator[str]:
    """Regular expressions that are not well formed."""
    for regex in [kwargs.get("regex"), *(kwargs.get("regex_list") or [])]:
        if not isinstance(regex, str):
            continue
        try:
            re.compile(regex)
        except re.error as error:
            if str(error).startswith(BROKEN_REGEX):
                yield f"'{regex}' is no regular expression: {error}"
