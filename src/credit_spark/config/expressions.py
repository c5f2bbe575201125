"""The small SQL in which features and row rules are written, and its one meaning everywhere.

SQL text comes in; out goes Spark SQL with nothing left open between engines: a ratio with zero
or null below is null, a logarithm of what is not positive is null, null in is null out, and
all arithmetic is in doubles. Only what ALLOWED lists may be written. `translated` gives the
same SQL in the dialects of other engines.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from math import isfinite
from typing import Literal, NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from credit_spark.config.errors import instead_of
from credit_spark.config.models import NUMBER_KINDS, TEXT_KINDS, Kind
from credit_spark.config.sql_types import DATE, TEXT, TRUTH, family_of, faults_at, typed
from credit_spark.config.tables import TYPES

Dialect = Literal["spark", "duckdb", "postgres"]


NUMERAL = re.compile(r"(?:(?P<whole>\d+)\.?(?P<part>\d*)|\.(?P<tail>\d+))(?P<power>[eE][+-]?\d+)?")
# Spark reads a number without a power of ten as a decimal of at most so many digits.
MAX_DIGITS = 38


def quoted(name: str, dialect: Dialect) -> str:
    """A column's name in SQL: it may be a key word of the engine."""
    return str(exp.to_identifier(name, quoted=True).sql(dialect=dialect))


def is_name(text: str) -> bool:
    """Whether SQL reads a name as a column, and not as a key word."""
    try:
        return isinstance(sqlglot.parse_one(text, dialect="spark"), exp.Column)
    except SqlglotError:
        return False


def translated(sql: str, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """A compiled feature in a dialect, where a flag counts as 1 or 0 by a case of its own.

    Names are quoted, since each engine has key words of its own; texts are in the order of their
    bytes.
    """
    tree = sqlglot.parse_one(sql, dialect="spark")
    # PostgreSQL sorts a text as the language of its database does.
    by_bytes = dialect == "postgres" and tree.find(*ORDERED) is not None
    tree = tree.transform(partial(_portable, kinds=kinds, by_bytes=by_bytes))
    return str(tree.sql(dialect=dialect, identify=dialect != "spark"))


def _portable(node: exp.Expr, kinds: Mapping[str, Kind], *, by_bytes: bool) -> exp.Expr:
    """A node without what a translation would leave open: a failing cast, zero as a divisor."""
    if by_bytes and isinstance(node, exp.Column) and kinds[node.name] in TEXT_KINDS:
        return exp.Collate(this=node.copy(), expression=exp.to_identifier("C", quoted=True))
    if isinstance(node, exp.Div):
        node.set("safe", False)
    if isinstance(node, exp.TryCast):
        value = node.this
        if isinstance(value, exp.Column) and kinds.get(value.name) == "flag":
            value = exp.Case().when(value.copy(), "1").when(exp.not_(value.copy()), "0")
        return exp.Cast(this=value, to=node.args["to"])
    return node


DATED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between)
CONDITIONS = (*DATED, exp.And, exp.Or, exp.Not, exp.Is)
ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.Least, exp.Greatest)
ALLOWED = (
    *CONDITIONS, exp.Least, exp.Greatest,
    exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Neg,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Case, exp.If, exp.Coalesce, exp.Nullif,
    exp.Ln, exp.Abs, exp.Year, exp.Month, exp.TsOrDsToDate,
)  # fmt: skip
FUNCTIONS = "ln, abs, least, greatest, coalesce, nullif, if, case, year, month"


# The types that a feature cannot have, and what to write instead.
NO_FEATURE: Mapping[str | None, str] = {
    DATE: "it is a date; take its year() or month()",
    TRUTH: "it yields true or false; write 1 and 0 instead",
}


class ExpressionError(ValueError):
    """SQL that cannot be used; the text says why."""


class Expression(NamedTuple):
    """A compiled expression: Spark SQL, the columns that it reads, and what it yields."""

    sql: str
    columns: frozenset[str]
    is_text: bool


def expression(sql: str, kinds: Mapping[str, Kind]) -> Expression:
    """Compile a feature: a text, or a number (a condition counts as 1 or 0).

    Raises:
        ExpressionError: it cannot be read, names an unknown column, uses what is not allowed, or
            mixes types so that Spark may not be able to compute it.
    """
    tree = _parsed(sql, kinds)
    if isinstance(tree.unnest(), CONDITIONS):
        tree = exp.Case().when(tree, "1").when(exp.not_(tree.copy()), "0")
    compiled = _compiled(tree, kinds, NO_FEATURE)
    if not compiled.columns:
        raise ExpressionError("it reads no column of the contract")
    return compiled


@lru_cache(maxsize=1024)
def columns_of(sql: str) -> frozenset[str]:
    """The columns that a compiled expression reads."""
    return _columns(sqlglot.parse_one(sql, dialect="spark"))


def valued(sql: str, kinds: Mapping[str, Kind]) -> str:
    """The same SQL as a value, to stand within another: a condition as 1 or 0."""
    is_condition = isinstance(_parsed(sql, kinds).unnest(), CONDITIONS)
    return f"case when ({sql}) then 1 when not ({sql}) then 0 end" if is_condition else sql


def condition(sql: str, kinds: Mapping[str, Kind]) -> Expression:
    """Compile a row rule, which is true or false.

    Raises:
        ExpressionError: as for `expression`, or where it yields no truth value.
    """
    tree = _parsed(sql, kinds)
    if not isinstance(tree.unnest(), CONDITIONS):
        raise ExpressionError("a rule is a comparison, such as 'funded <= asked'")
    return _compiled(tree, kinds, {})


def _parsed(sql: str, kinds: Mapping[str, Kind]) -> exp.Expr:
    try:
        tree = sqlglot.parse_one(sql, dialect="spark")
    except SqlglotError as error:
        raise ExpressionError(f"cannot be read as SQL: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ExpressionError("its brackets are nested too deeply") from None
    _refuse(_faults(tree, kinds))
    return tree


def _refuse(faults: Iterable[str]) -> None:
    if listed := list(dict.fromkeys(faults)):
        raise ExpressionError("; ".join(listed))


def _faults(tree: exp.Expr, kinds: Mapping[str, Kind]) -> Iterator[str]:
    for node in tree.walk():
        if not isinstance(node, ALLOWED):
            yield f"'{node.sql(dialect='spark')}' is not allowed; functions are: {FUNCTIONS}"
        elif isinstance(node, exp.Is) and not isinstance(node.expression, exp.Null):
            yield f"'{node.sql(dialect='spark')}' is not allowed; write 'is null' or a comparison"
        elif isinstance(node, exp.Column) and node.table:
            yield f"'{node.sql(dialect='spark')}': write the column's name without a table"
        elif isinstance(node, exp.Column) and node.name not in kinds:
            yield f"there is no column '{node.name}'; {instead_of(node.name, kinds)}"
        elif isinstance(node, exp.Literal) and not (node.is_string or _is_number(node.name)):
            yield f"'{node.name}' is not a number that Spark can read"
        elif isinstance(node, (exp.Least, exp.Greatest)) and not node.expressions:
            yield f"'{node.sql(dialect='spark')}' needs two values or more"
        elif _is_half(node):
            yield f"'{node.sql(dialect='spark')}' needs a third argument, such as null"


def _is_number(text: str) -> bool:
    match = NUMERAL.fullmatch(text)
    if not match or not isfinite(float(text)):
        return False
    digits = (match["whole"] or "").lstrip("0") + (match["part"] or match["tail"] or "")
    return bool(match["power"]) or len(digits) <= MAX_DIGITS


def _is_half(node: exp.Expr) -> bool:
    """A call of if() with two arguments."""
    is_call = isinstance(node, exp.If) and not isinstance(node.parent, exp.Case)
    return is_call and node.args.get("false") is None


def _columns(tree: exp.Expr) -> frozenset[str]:
    return frozenset(column.name for column in tree.find_all(exp.Column))


def _compiled(
    tree: exp.Expr, kinds: Mapping[str, Kind], refused: Mapping[str | None, str]
) -> Expression:
    """Spark SQL of a tree, each node with what engines leave open decided, the leaves first.

    `refused` has a sentence for each family of types that the tree may not yield.
    """
    columns, root = _columns(tree), exp.paren(tree)
    for node in reversed(list(root.walk())):
        decided = _decided(node, kinds)
        if decided is not node:
            node.replace(decided)
    checked = typed(root.this, {name: TYPES[kinds[name]] for name in columns})
    _refuse(fault for node in checked.walk() for fault in faults_at(node))
    family = family_of(checked)
    if family in refused:
        raise ExpressionError(refused[family])
    return Expression(str(root.this.sql(dialect="spark")), columns, family == TEXT)


def _decided(node: exp.Expr, kinds: Mapping[str, Kind]) -> exp.Expr:
    match node:
        case exp.Column() if kinds[node.name] == "flag" and _is_asked(node):
            return node
        case exp.Column() if kinds[node.name] in NUMBER_KINDS:
            return exp.cast(node, "double")
        case exp.Literal() if not node.is_string:
            return exp.cast(node, "double")
        case exp.Literal() if _is_beside_a_date(node, kinds):
            return exp.Date(this=node.copy())
        case exp.Div():
            below = exp.Nullif(
                this=node.expression.copy(), expression=exp.cast(exp.Literal.number(0), "double")
            )
            return exp.Div(this=node.this.copy(), expression=below)
        case exp.Ln():
            is_positive = exp.GT(
                this=exp.paren(node.this), expression=exp.cast(exp.Literal.number(0), "double")
            )
            return exp.paren(exp.Case().when(is_positive, node))
        case exp.Least() | exp.Greatest():
            operands = (node.this, *node.expressions)
            known = [exp.not_(exp.paren(each).is_(exp.null())) for each in operands]
            return exp.paren(exp.Case().when(exp.and_(*known), node))
    return node


def _is_asked(node: exp.Expr) -> bool:
    """A flag as a condition; anywhere else it counts as 1 or 0."""
    parent = node.parent
    return isinstance(parent, (exp.And, exp.Or, exp.Not)) or (
        isinstance(parent, exp.If) and parent.this is node
    )


def _is_beside_a_date(literal: exp.Expr, kinds: Mapping[str, Kind]) -> bool:
    """A text that is compared with a date: some engines would compare nothing but equal types."""
    parent = literal.parent
    if not isinstance(parent, DATED):
        return False
    others = [each for each in parent.find_all(exp.Column) if each.parent is parent]
    return any(kinds[each.name] == "date" for each in others)
