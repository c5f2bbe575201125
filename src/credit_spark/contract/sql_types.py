"""The types of SQL: what is compared, added or chosen between has to be of one family.

A text that is compared with a number is cast by Spark, and the first that is no number ends the
run in the middle; so such operands are faults, found here on sqlglot's types of each part.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

TEXT, NUMBER, DATE, TRUTH = "text", "number", "date", "truth value"
FAMILIES = {
    TEXT: exp.DataType.TEXT_TYPES,
    NUMBER: exp.DataType.NUMERIC_TYPES,
    DATE: exp.DataType.TEMPORAL_TYPES,
    TRUTH: {exp.DType.BOOLEAN},
}
COMPARISONS = (
    exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Nullif
)  # fmt: skip
CHOICES = (exp.In, exp.Coalesce, exp.Least, exp.Greatest)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Abs, exp.Ln)
LOGIC = (exp.And, exp.Or, exp.Not)


class Demand(NamedTuple):
    """Operands that have to be of one family, `family` where it is given."""

    operands: list[exp.Expr]
    family: str | None = None


def typed(tree: exp.Expr, types: Mapping[str, str]) -> exp.Expr:
    """A copy of a tree that knows its parts' types, over columns of these Spark types."""

    def with_type(node: exp.Expr) -> exp.Expr:
        is_known = isinstance(node, exp.Column) and node.name in types
        return exp.cast(node, types[node.name], dialect="spark") if is_known else node

    return annotate_types(tree.transform(with_type), dialect="spark")


def family_of(node: exp.Expr) -> str | None:
    """What a part of a typed tree yields; None for null, and for what sqlglot does not know."""
    type_ = node.type and node.type.this
    return next((name for name, types in FAMILIES.items() if type_ in types), None)


def faults_at(node: exp.Expr) -> Iterator[str]:
    """What is wrong with a node's own operands, of a typed tree."""
    if _is_to_date(node) and isinstance(node.this, exp.Literal):
        yield from _faults_of_date(node.this.name)
    for operands, needed in _demands(node):
        families = [family_of(each) for each in operands]
        found = list(dict.fromkeys(each for each in families if each))
        if needed:
            for operand, family in zip(operands, families, strict=True):
                if family not in (None, needed):
                    yield f"{_written(operand)} is a {family}, and a {needed} is needed"
        elif len(found) > 1:
            yield f"{', '.join(map(_written, operands))}: a {' and a '.join(found)}"


def _faults_of_date(text: str) -> Iterator[str]:
    try:
        date.fromisoformat(text)
    except ValueError:
        yield f"'{text}' is no date; write it as 2012-01-31"


def _is_to_date(node: exp.Expr) -> bool:
    is_cast = isinstance(node, exp.Cast) and node.args["to"].this == exp.DType.DATE
    return is_cast or isinstance(node, (exp.Date, exp.TsOrDsToDate))


def _demands(node: exp.Expr) -> Iterator[Demand]:
    match node:
        case exp.Case():
            conditions = [each.this for each in node.args["ifs"]]
            yield Demand([node.this, *conditions]) if node.this else Demand(conditions, TRUTH)
            results = [each.args["true"] for each in node.args["ifs"]]
            yield Demand(_given(*results, node.args.get("default")))
        case exp.If() if not isinstance(node.parent, exp.Case):
            yield Demand([node.this], TRUTH)
            yield Demand(_given(node.args["true"], node.args.get("false")))
        case exp.Between():
            yield Demand([node.this, node.args["low"], node.args["high"]])
        case exp.TsOrDsToDate() if not isinstance(node.this, exp.Literal):
            yield Demand([node.this], DATE)
        case _ if isinstance(node, COMPARISONS):
            yield Demand([node.this, node.expression])
        case _ if isinstance(node, CHOICES):
            yield Demand([node.this, *node.expressions])
        case _ if isinstance(node, (*ARITHMETIC, *LOGIC)):
            family = TRUTH if isinstance(node, LOGIC) else NUMBER
            yield Demand(_given(node.this, node.args.get("expression")), family)


def _given(*nodes: exp.Expr | None) -> list[exp.Expr]:
    return [each for each in nodes if each is not None]


def _written(node: exp.Expr) -> str:
    """A part as its author wrote it: without the casts that compiling adds."""
    return f"`{node.transform(_without_casts).sql(dialect='spark')}`"


def _without_casts(node: exp.Expr) -> exp.Expr:
    return _without_casts(node.this) if isinstance(node, exp.Cast) else node
