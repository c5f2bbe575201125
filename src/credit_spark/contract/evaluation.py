"""Compiled SQL evaluated for one loan, in plain Python: the meaning that Spark gives it.

In comes the text that expressions.py has compiled; out goes a function of a loan's values. Null in
is None, numbers are doubles, and NaN is equal to itself and above every other number, as in Spark.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache, reduce
from types import MappingProxyType
from typing import Any

import sqlglot
from sqlglot import exp

from credit_spark.contract.logarithms import ln_of

Loan = Mapping[str, Any]
Function = Callable[[Loan], Any]


def evaluated(sql: str) -> Function:
    """The function of a loan that a compiled expression stands for."""
    return _function(sqlglot.parse_one(sql, dialect="spark"))


@lru_cache(maxsize=1024)
def columns_of(sql: str) -> frozenset[str]:
    """The columns that a compiled expression reads."""
    tree = sqlglot.parse_one(sql, dialect="spark")
    return frozenset(column.name for column in tree.find_all(exp.Column))


def _function(node: exp.Expr) -> Function:
    make = next((made for kind, made in MAKERS.items() if isinstance(node, kind)), None)
    if make is None:
        raise NotImplementedError(f"no meaning for '{node.sql(dialect='spark')}'")
    return make(node)


def _column(node: exp.Expr) -> Function:
    name = node.name
    return lambda loan: loan.get(name)


def _literal(node: exp.Expr) -> Function:
    value: str | float = node.name if node.args["is_string"] else float(node.name)
    return lambda loan: value


def _constant(value: Any) -> Callable[[exp.Expr], Function]:
    return lambda node: lambda loan: value


def _boolean(node: exp.Expr) -> Function:
    value = bool(node.this)
    return lambda loan: value


def _inside(node: exp.Expr) -> Function:
    return _function(node.this)


def _of_one(operation: Callable[[Any], Any]) -> Callable[[exp.Expr], Function]:
    """An operation on one value; null in is null out."""

    def make(node: exp.Expr) -> Function:
        inner = _function(node.this)

        def value(loan: Loan) -> Any:
            given = inner(loan)
            return None if given is None else operation(given)

        return value

    return make


def _of_two(operation: Callable[[Any, Any], Any]) -> Callable[[exp.Expr], Function]:
    """An operation on two values; null in either is null out."""

    def make(node: exp.Expr) -> Function:
        left, right = _function(node.this), _function(node.expression)

        def value(loan: Loan) -> Any:
            pair = left(loan), right(loan)
            return None if None in pair else operation(*pair)

        return value

    return make


def _cast(node: exp.Expr) -> Function:
    """To double or to date, the two that are compiled."""
    if node.args["to"].this == exp.DType.DATE:
        return _of_one(_as_date)(node)
    return _of_one(float)(node)


def _as_date(given: Any) -> date:
    return given if isinstance(given, date) else date.fromisoformat(given)


def _divided(above: float, below: float) -> float | None:
    return above / below if below else None


def _nullif(node: exp.Expr) -> Function:
    value, other = _function(node.this), _function(node.expression)

    def unequal(loan: Loan) -> Any:
        given = value(loan)
        return None if _compared(given, other(loan)) == 0 else given

    return unequal


def _coalesce(node: exp.Expr) -> Function:
    choices = [_function(each) for each in (node.this, *node.expressions)]
    return lambda loan: next((value for each in choices if (value := each(loan)) is not None), None)


def _extreme(
    choose: Callable[[Iterable[Any]], Any],
) -> Callable[[exp.Expr], Function]:
    """The least or greatest of what is known."""

    def make(node: exp.Expr) -> Function:
        choices = [_function(each) for each in (node.this, *node.expressions)]

        def value(loan: Loan) -> Any:
            known = [given for each in choices if (given := each(loan)) is not None]
            return choose(known) if known else None

        return value

    return make


def _rank(value: Any) -> Any:
    """What numbers are ordered by: NaN above all."""
    return (_is_nan(value), value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _compared(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; None where either is null."""
    if left is None or right is None:
        return None
    if _is_nan(left) or _is_nan(right):
        return int(_is_nan(left)) - int(_is_nan(right))
    return int(left > right) - int(left < right)


def _comparison(holds: Callable[[int], bool]) -> Callable[[exp.Expr], Function]:
    return _of_two(lambda left, right: holds(_compared(left, right) or 0))


def _between(node: exp.Expr) -> Function:
    value, low, high = (_function(node.args[name]) for name in ("this", "low", "high"))

    def within(loan: Loan) -> bool | None:
        given = value(loan)
        above, below = _compared(given, low(loan)), _compared(given, high(loan))
        return _and(None if above is None else above >= 0, None if below is None else below <= 0)

    return within


def _in(node: exp.Expr) -> Function:
    value, choices = _function(node.this), [_function(each) for each in node.expressions]

    def among(loan: Loan) -> bool | None:
        given = value(loan)
        found = [_compared(given, each(loan)) for each in choices]
        return True if 0 in found else None if None in found else False

    return among


def _is_null(node: exp.Expr) -> Function:
    value = _function(node.this)
    return lambda loan: value(loan) is None


def _not(node: exp.Expr) -> Function:
    return _of_one(lambda given: not given)(node)


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False


def _logic(join: Callable[[Any, Any], Any]) -> Callable[[exp.Expr], Function]:
    def make(node: exp.Expr) -> Function:
        parts = [_function(each) for each in (node.this, node.expression)]
        return lambda loan: reduce(join, (each(loan) for each in parts))

    return make


def _case(node: exp.Expr) -> Function:
    """The result of the first condition that is true; a simple case compares with its subject."""
    subject = node.this
    cases = [
        (
            _function(exp.EQ(this=subject.copy(), expression=each.this) if subject else each.this),
            _function(each.args["true"]),
        )
        for each in node.args["ifs"]
    ]
    otherwise = _function(node.args["default"]) if node.args.get("default") else lambda loan: None

    def first(loan: Loan) -> Any:
        return next((result for holds, result in cases if holds(loan)), otherwise)(loan)

    return first


def _if(node: exp.Expr) -> Function:
    condition, result = _function(node.this), _function(node.args["true"])
    otherwise = _function(node.args["false"]) if node.args.get("false") else lambda loan: None
    return lambda loan: (result if condition(loan) else otherwise)(loan)


MAKERS: Mapping[type[exp.Expr], Callable[[Any], Function]] = MappingProxyType({
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Null: _constant(None),
    exp.Boolean: _boolean,
    exp.Paren: _inside,
    exp.Cast: _cast,
    exp.Date: _of_one(_as_date),
    exp.TsOrDsToDate: _of_one(_as_date),
    exp.Neg: _of_one(lambda given: -given),
    exp.Abs: _of_one(abs),
    exp.Ln: _of_one(ln_of),
    exp.Year: _of_one(lambda given: float(given.year)),
    exp.Month: _of_one(lambda given: float(given.month)),
    exp.Add: _of_two(lambda left, right: left + right),
    exp.Sub: _of_two(lambda left, right: left - right),
    exp.Mul: _of_two(lambda left, right: left * right),
    exp.Div: _of_two(_divided),
    exp.Nullif: _nullif,
    exp.Coalesce: _coalesce,
    exp.Least: _extreme(lambda known: min(known, key=_rank)),
    exp.Greatest: _extreme(lambda known: max(known, key=_rank)),
    exp.EQ: _comparison(lambda order: order == 0),
    exp.NEQ: _comparison(lambda order: order != 0),
    exp.GT: _comparison(lambda order: order > 0),
    exp.GTE: _comparison(lambda order: order >= 0),
    exp.LT: _comparison(lambda order: order < 0),
    exp.LTE: _comparison(lambda order: order <= 0),
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is_null,
    exp.Not: _not,
    exp.And: _logic(_and),
    exp.Or: _logic(_or),
    exp.Case: _case,
    exp.If: _if,
})  # fmt: skip
