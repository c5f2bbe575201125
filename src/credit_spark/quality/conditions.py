"""Faults of a `row_condition` (Spark SQL, or Great Expectations' own language) and of a query."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import sqlglot
from great_expectations.expectations import registry
from pyspark.sql import functions
from sqlglot import exp
from sqlglot.errors import SqlglotError

from credit_spark.config.errors import instead_of
from credit_spark.config.sql_types import DATE, TRUTH, family_of, faults_at, typed
from credit_spark.quality.values import family_of_column, suits

Columns = Mapping[str, str]


def condition_faults(kwargs: Mapping[str, Any], columns: Columns) -> Iterator[str]:
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


def query_faults(kwargs: Mapping[str, Any], columns: Columns) -> Iterator[str]:
    """What is wrong with the query of an expectation, where it has one."""
    query = kwargs.get("unexpected_rows_query")
    if not isinstance(query, str):
        return
    if "{batch}" not in query:
        yield "'unexpected_rows_query' does not read from {batch}, which stands for the table"
    tree = _parsed(query.replace("{batch}", "batch"))
    if isinstance(tree, str):
        yield tree
        return
    yield from _names(tree, {*columns, *(each.alias for each in tree.find_all(exp.Alias))})


def _parsed(sql: str) -> exp.Expr | str:
    """The tree of a SQL text, or why there is none."""
    try:
        return sqlglot.parse_one(sql, dialect="spark")
    except SqlglotError as error:
        return f"'{sql}' cannot be read as Spark SQL: {str(error).splitlines()[0]}"


def _of_sql(condition: str, columns: Columns) -> Iterator[str]:
    tree = _parsed(condition)
    if isinstance(tree, str):
        yield tree
        return
    yield from _names(tree, columns)
    for node in tree.find_all(exp.AggFunc, exp.Window):
        yield f"'{node.sql(dialect='spark')}' is computed of many rows, and a condition is of one"
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
