"""Faults of an expectation's arguments: what its columns are compared with, conditions, queries.

Spark casts a text that is compared with a number, and stops at the first that is none; so a value
of another family than its column is a fault. A `row_condition` is Spark SQL, or Great
Expectations' own language.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from math import inf
from typing import Any

import sqlglot
from great_expectations.execution_engine.util import is_valid_partition_object
from great_expectations.expectations import registry
from pyspark.sql import functions, types
from sqlglot import exp
from sqlglot.errors import SqlglotError

from credit_spark.config.errors import instead_of
from credit_spark.config.sql_types import (
    DATE,
    NUMBER,
    TEXT,
    TRUTH,
    day,
    family_of,
    faults_at,
    typed,
)

Kwargs = Mapping[str, Any]
Columns = Mapping[str, str]
ON_BOUNDED = re.compile(r"_(max|min)_|column_values_to_be_(between|decreasing|increasing)")
# The families of column that an expectation is computed of, by its type.
COMPUTED_OF: Mapping[re.Pattern[str], tuple[str, ...]] = {
    re.compile(r"_(mean|median|quantile_values|stdev|sum)_|z_scores|outliers"): (NUMBER,),
    ON_BOUNDED: (NUMBER, DATE),
    re.compile(r"regex|value_lengths"): (TEXT,),
}
ON_ONE_FAMILY = re.compile(r"pair_values_a_|values_to_be_equal|unique_within_record")
FAMILY_OF_VALUE = {bool: TRUTH, int: NUMBER, float: NUMBER, str: TEXT}
ONE_COLUMN = ("column", "column_A", "column_B")
# What a query has in the place of {batch}.
BATCH = "batch"
BOUNDS = ("min_value", "max_value")
TYPE_NAMES = [each for each in dir(types) if each.endswith("Type")]
# What Java's regular expressions do not take either; of other errors Java may know better.
BROKEN_REGEX = ("missing", "unterminated", "unbalanced", "nothing to repeat", "multiple repeat")


def value_faults(type_: str, kwargs: Kwargs, known: Kwargs, columns: Columns) -> Iterator[str]:
    """Faults of the values in `known`: the kwargs without those that are parameters."""
    yield from _wrong_families(type_, known, columns)
    yield from _sets(known, columns)
    yield from _quantiles(known.get("quantile_ranges"))
    yield from _partition(known.get("partition_object"))
    for name in _listed(known.get("type_")) + _listed(known.get("type_list")):
        if name not in TYPE_NAMES:
            yield f"Spark has no type '{name}'; {instead_of(name, TYPE_NAMES)}"
    if _needs_a_bound(type_, kwargs):
        yield "it has neither 'min_value' nor 'max_value'"
    yield from _bounds(type_, known, columns)
    yield from _patterns(known)


def columns_in(kwargs: Kwargs) -> list[str]:
    """The columns that an expectation names."""
    keys = (*ONE_COLUMN, "column_list", "column_set")
    return [each for key in keys for each in _listed(kwargs.get(key)) if isinstance(each, str)]


def family_of_column(name: str, columns: Columns) -> str | None:
    """The family of a column's type; None: there is no such column."""
    return family_of(typed(exp.column(name), columns))


def suits(value: Any, family: str | None) -> bool:
    """Whether Spark compares a value with a column of a family without a cast."""
    if family == DATE:
        return _date(value) is not None
    return FAMILY_OF_VALUE.get(type(value)) == family


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _wrong_families(type_: str, kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    known = [name for name in columns_in(kwargs) if name in columns]
    found = {name: family_of_column(name, columns) for name in known}
    taken = next((each for words, each in COMPUTED_OF.items() if words.search(type_)), ())
    for column, family in found.items():
        if taken and family not in taken:
            words = " or ".join(f"a {each}" for each in taken)
            yield f"column '{column}' is a {family}, and this is computed of {words}"
    if ON_ONE_FAMILY.search(type_) and len(set(found.values())) > 1:
        listed = ", ".join(f"'{name}' is a {family}" for name, family in found.items())
        yield f"these columns cannot be compared: {listed}"


def _sets(kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    """Values that a column of its family cannot have: Spark would cast one of both, and stop."""
    pairs, values = kwargs.get("value_pairs_set"), kwargs.get("value_set")
    if isinstance(pairs, list) and all(len(pair) == 2 for pair in pairs):
        for nth, key in enumerate(("column_A", "column_B")):
            yield from _in_column(kwargs.get(key), [pair[nth] for pair in pairs], columns)
    if isinstance(values, list):
        yield from _in_column(kwargs.get("column"), values, columns)
    if values is not None and (not values or isinstance(values, Mapping)):
        yield "'value_set' is a list of at least one value"


def _in_column(column: Any, values: list[Any], columns: Columns) -> Iterator[str]:
    if column not in columns:
        return
    family = family_of_column(column, columns)
    if None in values:
        yield f"null is a value of no set; a null of '{column}' is not evaluated anyway"
    wrong = [each for each in values if each is not None and not suits(each, family)]
    if wrong:
        shown = ", ".join(map(repr, wrong[:3]))
        yield f"column '{column}' is a {family}, and cannot be one of: {shown}"


def _quantiles(given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping):
        return
    quantiles, ranges = _listed(given.get("quantiles")), _listed(given.get("value_ranges"))
    if len(quantiles) != len(ranges):
        yield f"'quantile_ranges' has {len(quantiles)} quantiles and {len(ranges)} value ranges"
    if not all(0 <= _otherwise(_number(each), -1) <= 1 for each in quantiles):
        yield "a quantile is a number between 0 and 1"
    for each in ranges:
        ends = [_number(end) if end is not None else None for end in _listed(each)]
        is_pair = isinstance(each, list) and len(each) == 2 and ends.count(None) == each.count(None)
        if not is_pair or _otherwise(ends[0], -inf) > _otherwise(ends[1], inf):
            yield f"a value range has two numbers, the lower one first, and not {each!r}"


def _otherwise(number: float | None, other: float) -> float:
    return other if number is None else number


def _partition(given: Any) -> Iterator[str]:
    if isinstance(given, Mapping) and not _is_partition(given):
        yield (
            "'partition_object' has 'weights' that sum to 1, and as many 'values', or one more of "
            "'bins'"
        )


def _is_partition(given: Mapping[str, Any]) -> bool:
    try:
        return bool(is_valid_partition_object(given))
    except (TypeError, ValueError):
        return False


def _bounds(type_: str, kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    given = {key: kwargs[key] for key in BOUNDS if kwargs.get(key) is not None}
    family = family_of_column(kwargs.get("column", ""), columns)
    of_dates = family == DATE and ON_BOUNDED.search(type_)
    read: dict[str, Any] = {
        key: _date(each) if of_dates else _number(each) for key, each in given.items()
    }
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
    return day(value[:10]) if isinstance(value, str) else None


def _patterns(kwargs: Kwargs) -> Iterator[str]:
    """Regular expressions that are not well formed."""
    for regex in _listed(kwargs.get("regex")) + _listed(kwargs.get("regex_list")):
        try:
            re.compile(regex)
        except re.error as error:
            if str(error).startswith(BROKEN_REGEX):
                yield f"'{regex}' is no regular expression: {error}"


def condition_faults(kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    """What is wrong with the `row_condition` of an expectation, where it has one."""
    given, parser = kwargs.get("row_condition"), kwargs.get("condition_parser")
    if not isinstance(given, str) or parser == "great_expectations":
        yield from _of_object(_parsed_by_great_expectations(given, parser), columns)
    elif parser == "spark":
        yield from _of_sql(given, columns)
    else:
        found = "has no 'condition_parser'" if parser is None else f"is for '{parser}'"
        yield (
            f"'row_condition' {found}; give 'spark' where it is Spark SQL (amount > 1), "
            "'great_expectations' where it is as in col(\"amount\") > 1"
        )


def query_faults(kwargs: Kwargs, columns: Columns) -> Iterator[str]:
    """What is wrong with the query of an expectation, where it has one."""
    query = kwargs.get("unexpected_rows_query")
    if not isinstance(query, str):
        return
    tree = _parsed(query.replace("{batch}", BATCH))
    if isinstance(tree, str):
        yield tree
        return
    if not isinstance(tree, exp.Query):
        yield "'unexpected_rows_query' must be a SELECT"
        return
    read = {_name(each) for each in tree.find_all(exp.Table)}
    if BATCH not in read:
        yield "'unexpected_rows_query' does not read from {batch}, the table's placeholder"
    own = {each.alias.lower() for each in tree.find_all(exp.CTE)}
    for name in sorted(read - {BATCH, "", *own}):
        yield f"'unexpected_rows_query' reads '{name}'; it can read {{batch}} alone"
    yield from _names(tree, {*columns, *(each.alias for each in tree.find_all(exp.Alias))})


def _name(table: exp.Table) -> str:
    """A table's name, with its schema; empty for a function that yields rows."""
    return ".".join(part.name for part in table.parts if isinstance(part, exp.Identifier)).lower()


def _parsed(sql: str) -> exp.Expr | str:
    """The tree of a SQL text, or why there is none."""
    try:
        statements = sqlglot.parse(sql, dialect="spark")
    except SqlglotError as error:
        return f"'{sql}' cannot be read as Spark SQL: {str(error).splitlines()[0]}"
    except RecursionError:
        return "the brackets of its SQL are nested too deeply"
    found = [each for each in statements if each and not isinstance(each, exp.Semicolon)]
    return found[0] if len(found) == 1 else f"'{sql}' is not a single SQL statement"


def _of_sql(condition: str, columns: Columns) -> Iterator[str]:
    tree = _parsed(condition)
    if isinstance(tree, str):
        yield tree
        return
    yield from _names(tree, columns)
    for each in tree.find_all(exp.Column):
        if each.table:
            yield f"'{each.sql(dialect='spark')}': write the column's name without a table"
    for node in tree.find_all(exp.AggFunc, exp.Window):
        yield f"'{node.sql(dialect='spark')}' is computed of many rows, and a condition is of one"
    for many in (*tree.find_all(exp.UDTF), *tree.find_all(exp.Query)):
        yield f"'{many.sql(dialect='spark')}' yields rows, and a condition is of one"
    known = typed(_with_dates(typed(tree, columns)), columns)
    for node in known.find_all(exp.Predicate, exp.Date):
        yield from faults_at(node)
    if family_of(known) not in (TRUTH, None):
        yield f"'{condition}' is no condition, such as amount > 1"


def _with_dates(tree: exp.Expr) -> exp.Expr:
    """The tree, with each text that is compared with a date as a date, as Spark reads it."""
    for comparison in tree.find_all(exp.Predicate):
        operands = list(comparison.iter_expressions())
        for text in operands if DATE in map(family_of, operands) else ():
            if isinstance(text, exp.Literal) and text.is_string:
                text.replace(exp.Date(this=text.copy()))
    return tree


def _names(tree: exp.Expr, columns: Collection[str]) -> Iterator[str]:
    for name in dict.fromkeys(each.name for each in tree.find_all(exp.Column)):
        if name not in columns:
            yield f"there is no column '{name}'; {instead_of(name, columns)}"
    for function in tree.find_all(exp.Anonymous):
        if not hasattr(functions, function.name.lower()):
            close = get_close_matches(function.name.lower(), dir(functions), n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            yield f"Spark has no function '{function.name}'{hint}"


def _parsed_by_great_expectations(given: Any, parser: Any) -> Mapping[str, Any]:
    """A condition as a tree of Great Expectations; empty where there is none that it can read."""
    carrier = registry.get_expectation_impl("expect_table_row_count_to_be_between")
    try:
        condition = carrier(min_value=0, row_condition=given, condition_parser=parser).row_condition
    except Exception:
        return {}
    return dict(condition.dict()) if condition else {}


def _of_object(condition: Mapping[str, Any], columns: Columns) -> Iterator[str]:
    for each in condition.get("conditions", []):
        yield from _of_object(each, columns)
    if "column" not in condition:
        return
    name, value = condition["column"]["name"], condition.get("parameter")
    if name not in columns:
        yield f"there is no column '{name}'; {instead_of(name, columns)}"
        return
    family = family_of_column(name, columns)
    for each in value if isinstance(value, list) else [value]:
        if each is not None and not suits(each, family):
            yield f"'{name}' is a {family}, and cannot be compared with {each!r}"
