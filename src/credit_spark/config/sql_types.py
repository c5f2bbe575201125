"""The types of SQL: what is compared, added or chosen between has to be of one family.

A text that is compared with a number is cast by Spark, and the first that is no number ends the
run in the middle; so such operands are faults, found here on sqlglot's types of each part.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

TEXT, NUMBER, DATE, TRUTH = "text", "number", "date", "truth value"
FAMILIES = {
    TEXT: exp.DataType.TEXT_TYPES,
    NUMBER: exp.DataType.NUMERIC_TYPES,
    DATE: exp.DataType.TEMPORAL_TYPES,
    TRUTH: {exp.DType.BOOLEAN},
}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
COMPARISONS = (
    exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Nullif
)  # fmt: skip
CHOICES = (exp.In, exp.Coalesce, exp.Least, exp.Greatest)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Abs, exp.Ln)
LOGIC = (exp.And, exp.Or, exp.Not)


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


def day(text: str) -> date | None:
    """The day that a text is, written as Spark and Python both read it; None: it is not.

    >>> day("2012-01-31"), day("20120131")
    (datetime.date(2012, 1, 31), None)
    """
    try:
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None


def faults_at(node: exp.Expr) -> Iterator[str]:
    """What is wrong with a node's own operands, of a typed tree."""
    is_cast = isinstance(node, exp.Cast) and node.args["to"].this == exp.DType.DATE
    is_date = is_cast or isinstance(node, (exp.Date, exp.TsOrDsToDate))
    if is_date and isinstance(node.this, exp.Literal) and day(node.this.name) is None:
        yield f"'{node.this.name}' is no date; write it as 2012-01-31"
    for given, needed in _demands(node):
        operands = [each for each in given if each is not None]
        families = [family_of(each) for each in operands]
        found = list(dict.fromkeys(each for each in families if each))
        if needed:
            for operand, family in zip(operands, families, strict=True):
                if family not in (None, needed):
                    yield f"{_written(operand)} is a {family}, and a {needed} is needed"
        elif len(found) > 1:
            yield f"{', '.join(map(_written, operands))}: a {' and a '.join(found)}"


def _demands(node: exp.Expr) -> Iterator[tuple[list[exp.Expr | None], str | None]]:
    """Operands that have to be of one family, which is given or any."""
    match node:
        case exp.Case():
            conditions = [each.this for each in node.args["ifs"]]
            yield ([node.this, *conditions], None) if node.this else (conditions, TRUTH)
            yield (
                [*[each.args["true"] for each in node.args["ifs"]], node.args.get("default")],
                None,
            )
        case exp.If() if not isinstance(node.parent, exp.Case):
            yield [node.this], TRUTH
            yield [node.args["true"], node.args.get("false")], None
        case exp.Between():
            yield [node.this, node.args["low"], node.args["high"]], None
        case exp.TsOrDsToDate() if not isinstance(node.this, exp.Literal):
            yield [node.this], DATE
        case _ if isinstance(node, COMPARISONS):
            yield [node.this, node.expression], None
        case _ if isinstance(node, CHOICES):
            yield [node.this, *node.expressions], None
        case _ if isinstance(node, (*ARITHMETIC, *LOGIC)):
            family = TRUTH if isinstance(node, LOGIC) else NUMBER
            yield [node.this, node.args.get("expression")], family


def _written(node: exp.Expr) -> str:
    """A part as its author wrote it: without the casts that compiling adds."""
    return f"`{node.transform(_without_casts).sql(dialect='spark')}`"


def _without_casts(node: exp.Expr) -> exp.Expr:
    return _without_casts(node.this) if isinstance(node, exp.Cast) else node
