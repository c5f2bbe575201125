"""Faults of the SQL within a suite: `row_condition`, the query of `unexpected_rows_expectation`.

A condition is Spark SQL (`condition_parser: spark`), the small language of Great Expectations
(`col("x") > 1`), or its JSON form.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

import sqlglot
from pyspark.sql import functions
from sqlglot import exp
from sqlglot.errors import SqlglotError

from credit_spark.contract.errors import instead_of
from credit_spark.quality.kinds import Kind, in_words, kind_of_type, kind_of_value

Columns = Mapping[str, str]
COMPARISONS = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.NullSafeEQ,
)  # fmt: skip
NO_CONDITION = (exp.Literal, exp.Binary, exp.Neg)
CONDITIONS = (exp.Predicate, exp.And, exp.Or, exp.Xor)
# Of the language of Great Expectations, what Spark SQL writes otherwise.
AS_SQL = (
    (re.compile(r'col\("([^"]+)"\)\.notnull\(\)', re.I), r"`\1` is not null"),
    (re.compile(r'col\("([^"]+)"\)', re.I), r"`\1`"),
    (re.compile(r'"([^"]*)"'), r"'\1'"),
)


def condition_faults(kwargs: Mapping[str, Any], columns: Columns) -> Iterator[str]:
    """What is wrong with the `row_condition` of an expectation, where it has one."""
    given, parser = kwargs.get("row_condition"), kwargs.get("condition_parser")
    if isinstance(given, Mapping):
        yield from _of_json(given, columns)
    if not isinstance(given, str):
        return
    if parser is None:
        yield (
            "'row_condition' has no 'condition_parser'; give 'spark' where it is Spark SQL "
            "(amount > 1), 'great_expectations' where it is as in col(\"amount\") > 1"
        )
    elif parser == "pandas":
        yield "'condition_parser' is 'pandas'; on Spark, give 'spark', and Spark SQL"
    elif parser == "spark":
        yield from _of_sql(given, columns)
    else:
        yield from _of_sql(_as_sql(given), columns)


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
    made = {each.alias for each in tree.find_all(exp.Alias)}
    yield from _names(tree, {**columns, **dict.fromkeys(made, "other")})


def _as_sql(condition: str) -> str:
    for pattern, sql in AS_SQL:
        condition = pattern.sub(sql, condition)
    return condition


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
    yield from _comparisons(tree, columns)
    if _is_no_condition(tree, columns):
        yield f"'{condition}' is no condition, such as amount > 1"


def _names(tree: exp.Expr, columns: Columns) -> Iterator[str]:
    for name in dict.fromkeys(each.name for each in tree.find_all(exp.Column)):
        if name not in columns:
            yield f"there is no column '{name}'; {instead_of(name, columns)}"
    for function in tree.find_all(exp.Anonymous):
        if not hasattr(functions, function.name.lower()):
            close = get_close_matches(function.name.lower(), dir(functions), n=1)
            yield f"Spark has no function '{function.name}'" + (
                f"; did you mean '{close[0]}'?" if close else ""
            )


def _is_no_condition(tree: exp.Expr, columns: Columns) -> bool:
    bare = tree.unnest()
    if isinstance(bare, exp.Column):
        return kind_of_type(columns.get(bare.name, "boolean")) != "boolean"
    return isinstance(bare, NO_CONDITION) and not isinstance(bare, CONDITIONS)


def _comparisons(tree: exp.Expr, columns: Columns) -> Iterator[str]:
    for node in tree.find_all(*COMPARISONS):
        sides = [each for each in node.iter_expressions() if _kind(each, columns) is not None]
        kinds = {str(_kind(each, columns)) for each in sides}
        if "date" in kinds and all(_is_date(each, columns) for each in sides):
            continue
        if len(kinds) > 1:
            words = " with ".join(in_words(each) for each in sorted(kinds))  # type: ignore[arg-type]
            yield f"'{node.sql(dialect='spark')}' compares {words}"


def _is_date(side: exp.Expr, columns: Columns) -> bool:
    """Whether it is a date, or a text that Spark reads as one."""
    if isinstance(side, exp.Literal) and side.is_string:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", side.name))
    return _kind(side, columns) == "date"


def _kind(side: exp.Expr, columns: Columns) -> Kind | None:
    """The kind of a column or a literal; None: not known without Spark."""
    match side.unnest():
        case exp.Column() as column:
            return kind_of_type(columns[column.name]) if column.name in columns else None
        case exp.Literal() as literal:
            return "text" if literal.is_string else "number"
        case exp.Boolean():
            return "boolean"
    return None


def _of_json(condition: Mapping[str, Any], columns: Columns) -> Iterator[str]:
    """Faults of a condition as Great Expectations writes it into JSON."""
    for each in condition.get("conditions") or []:
        yield from _of_json(each, columns)
    column = condition.get("column")
    name = column.get("name") if isinstance(column, Mapping) else column
    if name is None:
        return
    if name not in columns:
        yield f"there is no column '{name}'; {instead_of(name, columns)}"
        return
    kind, value = kind_of_type(columns[name]), condition.get("parameter")
    if value is not None and not isinstance(value, list) and not _compares(kind, value):
        yield f"'{name}' is {in_words(kind)}, and cannot be compared with {value!r}"


def _compares(kind: Kind, value: Any) -> bool:
    return kind_of_value(value) == kind or (kind == "date" and isinstance(value, str | date))
