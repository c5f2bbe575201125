"""Compiled SQL of a contract as expressions of PMML 4.4.

In PMML a comparison with a missing value is missing, and engines differ in what `and`, `or` and
`if` make of that. So a condition is asked in a way that is never missing: is it true, or is it
false? Where it is null in SQL, it is neither. Nor is a missing value given to a function, unless
the function is arithmetic, where missing in is missing out.

Source: Data Mining Group, PMML 4.4.1, Transformations and Built-in Functions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import sqlglot
from sqlglot import exp

from credit_spark.config.errors import InputError
from credit_spark.config.models import Kind
from credit_spark.config.sql_types import NUMBER, TEXT, TRUTH, family_of, typed
from credit_spark.config.tables import TYPES

Node = type[exp.Expr]
# A comparison and its opposite; both are false where an operand is missing.
COMPARISONS: Mapping[Node, tuple[str, str]] = {
    exp.EQ: ("equal", "notEqual"),
    exp.NEQ: ("notEqual", "equal"),
    exp.GT: ("greaterThan", "lessOrEqual"),
    exp.GTE: ("greaterOrEqual", "lessThan"),
    exp.LT: ("lessThan", "greaterOrEqual"),
    exp.LTE: ("lessOrEqual", "greaterThan"),
}
ARITHMETIC: Mapping[Node, str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
EXTREMES: Mapping[Node, tuple[str, str]] = {
    exp.Least: ("min", "lessOrEqual"), exp.Greatest: ("max", "greaterOrEqual")
}  # fmt: skip
# PMML has no function of a date's year or month: they are read from a text of the date.
DATE_PARTS: Mapping[Node, str] = {exp.Year: "%Y", exp.Month: "%m"}
DATA_TYPES = {str: "string", float: "double", bool: "boolean"}


def tree_of(sql: str, kinds: Mapping[str, Kind]) -> exp.Expr:
    """The tree of compiled SQL, whose parts know their types."""
    types = {name: TYPES[kind] for name, kind in kinds.items()}
    return typed(sqlglot.parse_one(sql, dialect="spark"), types)


def date_parts(trees: Iterable[exp.Expr]) -> dict[str, Element]:
    """The years and months in trees by the names of the fields that `value` reads them from.

    Each is a text of digits, which the field has to take for a number.
    """
    nodes = [node for tree in trees for node in tree.find_all(*DATE_PARTS)]
    return {_written(node): _date_part(node) for node in nodes}


def value(node: exp.Expr) -> Element:
    """What a part of a tree yields; missing where that is null in SQL.

    Raises:
        InputError: PMML cannot say it.
    """
    return _VALUES[type(node)](node)


def is_true(node: exp.Expr) -> Element:
    """Whether a condition is true; never missing."""
    return _is(node, True)


def is_false(node: exp.Expr) -> Element:
    """Whether a condition is false; never missing."""
    return _is(node, False)


def apply(function: str, *operands: Element) -> Element:
    """A function of operands."""
    made = Element("Apply", function=function)
    made.extend(operands)
    return made


def compare(function: str, *operands: Element) -> Element:
    """A comparison, false where an operand is missing."""
    made = apply(function, *operands)
    made.set("mapMissingTo", "false")
    return made


def if_(condition: Element, then: Element, *otherwise: Element) -> Element:
    """A choice; missing where the condition is false and nothing is given otherwise."""
    return apply("if", condition, then, *otherwise)


def constant(given: str | float | bool, data_type: str | None = None) -> Element:
    """A constant; a number to its last digit."""
    made = Element("Constant", dataType=data_type or DATA_TYPES[type(given)])
    made.text = str(given).lower() if isinstance(given, bool) else str(given)
    return made


def field(name: str) -> Element:
    """The value of a field."""
    return Element("FieldRef", field=name)


def _is(node: exp.Expr, wanted: bool) -> Element:
    match node:
        case exp.Paren():
            return _is(node.this, wanted)
        case exp.Not():
            return _is(node.this, not wanted)
        case exp.Is():
            return apply("isMissing" if wanted else "isNotMissing", value(node.this))
        case exp.And() | exp.Or():
            sides = _is(node.this, wanted), _is(node.expression, wanted)
            return apply(_both(isinstance(node, exp.And), wanted), *sides)
        case exp.In():
            options = [_compared(exp.EQ, node.this, each, wanted) for each in node.expressions]
            return apply(_both(False, wanted), *options) if options[1:] else options[0]
        case exp.Between():
            low = _compared(exp.GTE, node.this, node.args["low"], wanted)
            return apply(
                _both(True, wanted), low, _compared(exp.LTE, node.this, node.args["high"], wanted)
            )
    if type(node) in COMPARISONS:
        return _compared(type(node), node.this, node.expression, wanted)
    return compare("equal", value(node), constant(wanted))


def _both(is_and: bool, wanted: bool) -> str:
    """Joins what is asked of the sides of an `and` or `or`: either is false by its opposite."""
    return "and" if is_and is wanted else "or"


def _compared(kind: Node, left: exp.Expr, right: exp.Expr, wanted: bool) -> Element:
    if kind not in (exp.EQ, exp.NEQ):
        _refuse_texts(left, right)
    return compare(COMPARISONS[kind][0 if wanted else 1], value(left), value(right))


def _truth(node: exp.Expr) -> Element:
    return if_(is_true(node), constant(True), if_(is_false(node), constant(False)))


def _arithmetic(node: exp.Expr) -> Element:
    return apply(ARITHMETIC[type(node)], value(node.this), value(node.expression))


def _abs(node: exp.Expr) -> Element:
    number = value(node.this)
    return if_(apply("isNotMissing", number), apply("abs", number))


def _cast(node: exp.Expr) -> Element:
    """Casts of compiled SQL change a flag, to 1 or 0, and a text, to a date; no other value."""
    if family_of(node) == NUMBER and family_of(node.this) == TRUTH:
        zero = if_(is_false(node.this), constant(0.0))
        return if_(is_true(node.this), constant(1.0), zero)
    is_date = isinstance(node.this, exp.Literal) and node.this.is_string
    return constant(node.this.name, "date") if is_date else value(node.this)


def _literal(node: exp.Expr) -> Element:
    return constant(node.name if node.is_string else float(node.name))


def _coalesce(node: exp.Expr) -> Element:
    *others, last = [node.this, *node.expressions]
    made = value(last)
    for each in reversed(others):
        made = if_(apply("isNotMissing", value(each)), value(each), made)
    return made


def _nullif(node: exp.Expr) -> Element:
    is_equal = _compared(exp.EQ, node.this, node.expression, True)
    return if_(apply("not", is_equal), value(node.this))


def _case(node: exp.Expr) -> Element:
    return _chosen(node.args["ifs"], node.this, node.args.get("default"))


def _if(node: exp.Expr) -> Element:
    return _chosen([node], None, node.args.get("false"))


def _chosen(
    whens: Sequence[exp.Expr], operand: exp.Expr | None, default: exp.Expr | None
) -> Element:
    """What the first branch yields that is asked for; without a default, else missing."""
    made = [value(default)] if default else []
    for when in reversed(whens):
        question = _compared(exp.EQ, operand, when.this, True) if operand else is_true(when.this)
        made = [if_(question, value(when.args["true"]), *made)]
    return made[0]


def _extreme(node: exp.Expr) -> Element:
    """The least or the greatest of operands that are known; dates are compared one by one."""
    function, comparison = EXTREMES[type(node)]
    operands = [node.this, *node.expressions]
    first, *others = map(value, operands)
    if family_of(node) == NUMBER:
        return apply(function, first, *others)
    _refuse_texts(*operands)
    for each in others:
        first = if_(compare(comparison, first, each), first, each)
    return first


def _refuse_texts(*compared: exp.Expr) -> None:
    if TEXT in map(family_of, compared):
        raise InputError(
            f"PMML has no order of texts, by which {' and '.join(map(_written, compared))} are "
            "compared; write the feature with '=' or 'in', or export the model as SQL"
        )


def _date_part(node: exp.Expr) -> Element:
    day, pattern = value(node.this), constant(DATE_PARTS[type(node)])
    return if_(apply("isNotMissing", day), apply("formatDatetime", day, pattern))


def _written(node: exp.Expr) -> str:
    """A part as its author wrote it: without casts."""
    return str(node.transform(_without_casts).sql(dialect="spark", normalize_functions="lower"))


def _without_casts(node: exp.Expr) -> exp.Expr:
    return _without_casts(node.this) if isinstance(node, exp.Cast) else node


_VALUES: Mapping[Node, Callable[[Any], Element]] = {
    **dict.fromkeys((exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, *COMPARISONS), _truth),
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    **dict.fromkeys(EXTREMES, _extreme),
    **dict.fromkeys(DATE_PARTS, lambda node: field(_written(node))),
    **dict.fromkeys((exp.Cast, exp.TryCast, exp.TsOrDsToDate), _cast),
    exp.Paren: lambda node: value(node.this),
    exp.Column: lambda node: field(node.name),
    exp.Literal: _literal,
    exp.Boolean: lambda node: constant(bool(node.this)),
    exp.Null: lambda _: Element("Constant", missing="true"),
    exp.Neg: lambda node: apply("*", constant(-1.0), value(node.this)),
    # In compiled SQL it is asked for a positive number alone.
    exp.Ln: lambda node: apply("ln", value(node.this)),
    exp.Abs: _abs,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Case: _case,
    exp.If: _if,
}
