"""Compiled SQL as a Polars expression: the meaning that Spark gives it, a column at a time.

In comes the text that expressions.py has compiled; out goes an expression over a frame's columns.
It means what evaluation.py says of one loan. Polars already compares NaN as Spark does, joins
truth values with a null as Spark does, and takes a null condition as false.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import lru_cache, reduce
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub
from types import MappingProxyType
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp

from credit_spark.contract.errors import InputError, listed
from credit_spark.contract.expressions import condition, expression
from credit_spark.contract.guards import judged_kinds
from credit_spark.contract.logarithms import ln
from credit_spark.contract.models import Contract, Kind
from credit_spark.contract.tables import TYPES

# Spark's types as Polars has them.
DTYPES: Mapping[str, type[pl.DataType]] = MappingProxyType(
    {
        "string": pl.String,
        "int": pl.Int32,
        "double": pl.Float64,
        "date": pl.Date,
        "boolean": pl.Boolean,
    }
)
Maker = Callable[[Any], pl.Expr]
Operation = Callable[[Any, Any], Any]


def dtype_of(kind: Kind) -> type[pl.DataType]:
    """The type of a column of a kind."""
    return DTYPES[TYPES[kind]]


def check_sql(contract: Contract) -> None:
    """Make sure that a contract's SQL can be computed on its columns.

    Raises:
        InputError: with each that compares, or adds, what cannot be.
    """
    dtypes = {name: dtype_of(promise.kind) for name, promise in contract.columns.items()}
    nothing, faults = pl.DataFrame(schema=dtypes | {"as_of": pl.Date}), []
    for path, sql in _stated(contract):
        try:
            value = nothing.with_columns(column(sql).alias("value"))["value"]
            if path.startswith("analyses") and value.dtype == pl.Date:
                faults.append(f"{path}.sql: it is a date; take its year() or month()")
        except pl.exceptions.PolarsError as error:
            faults.append(f"{path}.sql: {str(error).splitlines()[0]}")
    if faults:
        raise InputError(listed("this SQL cannot be computed; nothing was touched", faults))


def _stated(contract: Contract) -> Iterator[tuple[str, str]]:
    """All SQL of a contract, compiled, with its path in the file."""
    kinds = judged_kinds(contract)
    for name, rule in contract.rules.items():
        yield f"rules.{name}", condition(rule.sql, kinds).sql
    for name, feature in contract.features.items():
        yield f"features.{name}", expression(feature.sql, kinds).sql
    for name, refusal in contract.decline_if.items():
        yield f"decline_if.{name}", condition(refusal.sql, kinds).sql
    for name, analysis in contract.analyses.items():
        yield f"analyses.{name}", expression(analysis.sql, kinds).sql


@lru_cache(maxsize=1024)
def column(sql: str) -> pl.Expr:
    """The column that a compiled expression stands for.

    Every column that it reads must be in the frame. One that reads none is one value, for Polars
    to set beside other columns.

    >>> pl.DataFrame({"a": [None, 0.0, 3.0]}).select(column("NOT a > 1")).to_series().to_list()
    [None, True, False]

    Raises:
        NotImplementedError: it holds what expressions.py does not compile.
    """
    return _of(sqlglot.parse_one(sql, dialect="spark"))


def _of(node: exp.Expr) -> pl.Expr:
    make = next((made for kind, made in MAKERS.items() if isinstance(node, kind)), None)
    if make is None:
        raise NotImplementedError(f"no column for '{node.sql(dialect='spark')}'")
    return make(node)


def _literal(node: exp.Expr) -> pl.Expr:
    return pl.lit(node.name if node.args["is_string"] else float(node.name))


def _of_one(operation: Callable[[pl.Expr], pl.Expr]) -> Maker:
    return lambda node: operation(_of(node.this))


def _of_two(operation: Operation) -> Maker:
    return lambda node: operation(_of(node.this), _of(node.expression))


def _cast(node: exp.Expr) -> pl.Expr:
    """To double or to date, the two that are compiled."""
    if node.args["to"].this == exp.DType.DATE:
        return _date(node)
    return _of(node.this).cast(pl.Float64)


def _date(node: exp.Expr) -> pl.Expr:
    if isinstance(node.this, exp.Literal):
        return pl.lit(date.fromisoformat(node.this.name))
    return _of(node.this).map_batches(_dates, return_dtype=pl.Date)


def _dates(given: pl.Series) -> pl.Series:
    """Dates as they are, texts read as year-month-day, which alone is compiled."""
    return given.str.to_date("%Y-%m-%d") if given.dtype == pl.String else given


def _divided(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    """Null where zero is below.

    By what is one number for all rows Polars multiplies with its inverse, which may differ in the
    last digit; so what is below is given a value a row.
    """
    each = below + 0.0 * pl.int_range(pl.len())
    return above / _unequal(each, pl.lit(0.0))


def _unequal(value: pl.Expr, other: pl.Expr) -> pl.Expr:
    """The value, or null where it equals the other."""
    return pl.when(value == other).then(None).otherwise(value)


def _choices(node: exp.Expr) -> list[pl.Expr]:
    return [_of(each) for each in (node.this, *node.expressions)]


def _extreme(is_before: Operation) -> Maker:
    """The least or greatest of what is known; of equals, the first."""

    def either(first: pl.Expr, second: pl.Expr) -> pl.Expr:
        is_second = is_before(second, first) | first.is_null()
        return pl.when(is_second).then(second).otherwise(first)

    return lambda node: reduce(either, _choices(node))


def _between(node: exp.Expr) -> pl.Expr:
    value, low, high = (_of(node.args[name]) for name in ("this", "low", "high"))
    return (value >= low) & (value <= high)


def _in(node: exp.Expr) -> pl.Expr:
    value = _of(node.this)
    return reduce(or_, [value == _of(each) for each in node.expressions])


def _case(node: exp.Expr) -> pl.Expr:
    """The result of the first condition that is true; a simple case compares with its subject."""
    subject = [] if node.this is None else [_of(node.this)]
    cases = [
        (reduce(eq, [*subject, _of(each.this)]), _of(each.args["true"]))
        for each in node.args["ifs"]
    ]
    return _first(cases, node.args.get("default"))


def _if(node: exp.Expr) -> pl.Expr:
    return _first([(_of(node.this), _of(node.args["true"]))], node.args.get("false"))


def _first(cases: list[tuple[pl.Expr, pl.Expr]], default: exp.Expr | None) -> pl.Expr:
    otherwise = pl.lit(None) if default is None else _of(default)
    for holds, result in reversed(cases):
        otherwise = pl.when(holds.cast(pl.Boolean)).then(result).otherwise(otherwise)
    return otherwise


MAKERS: Mapping[type[exp.Expr], Maker] = MappingProxyType({
    exp.Column: lambda node: pl.col(node.name),
    exp.Literal: _literal,
    exp.Null: lambda node: pl.lit(None),
    exp.Boolean: lambda node: pl.lit(bool(node.this)),
    exp.Paren: lambda node: _of(node.this),
    exp.Cast: _cast,
    exp.Date: _date,
    exp.TsOrDsToDate: _date,
    exp.Neg: _of_one(lambda given: -given),
    exp.Abs: _of_one(lambda given: given.abs()),
    exp.Ln: _of_one(ln),
    exp.Year: _of_one(lambda given: given.dt.year().cast(pl.Float64)),
    exp.Month: _of_one(lambda given: given.dt.month().cast(pl.Float64)),
    exp.Add: _of_two(add),
    exp.Sub: _of_two(sub),
    exp.Mul: _of_two(mul),
    exp.Div: _of_two(_divided),
    exp.Nullif: _of_two(_unequal),
    exp.Coalesce: lambda node: pl.coalesce(*_choices(node)),
    exp.Least: _extreme(lt),
    exp.Greatest: _extreme(gt),
    exp.EQ: _of_two(eq),
    exp.NEQ: _of_two(ne),
    exp.GT: _of_two(gt),
    exp.GTE: _of_two(ge),
    exp.LT: _of_two(lt),
    exp.LTE: _of_two(le),
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _of_one(lambda given: given.is_null()),
    exp.Not: _of_one(lambda given: ~given),
    exp.And: _of_two(and_),
    exp.Or: _of_two(or_),
    exp.Case: _case,
    exp.If: _if,
})  # fmt: skip
