"""Compiled SQL of a contract in the dialects of the engines that run it."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from credit_spark.config.models import Kind

Dialect = Literal["spark", "duckdb", "postgres"]


def quoted(name: str, dialect: Dialect) -> str:
    """A column's name in SQL, quoted where it is a key word."""
    (token,) = sqlglot.tokenize(name, read=dialect)
    is_plain = token.token_type == TokenType.VAR
    return str(exp.to_identifier(name, quoted=not is_plain).sql(dialect=dialect))


def translated(sql: str, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """A compiled feature in a dialect, where a flag counts as 1 or 0 by a case of its own."""
    tree = sqlglot.parse_one(sql, dialect="spark").transform(partial(_portable, kinds=kinds))
    return str(tree.sql(dialect=dialect))


def _portable(node: exp.Expr, kinds: Mapping[str, Kind]) -> exp.Expr:
    """A node without what a translation would leave open: a failing cast, zero as a divisor."""
    if isinstance(node, exp.Div):
        node.set("safe", False)
    if isinstance(node, exp.TryCast):
        value = node.this
        if isinstance(value, exp.Column) and kinds.get(value.name) == "flag":
            value = exp.Case().when(value.copy(), "1").when(exp.not_(value.copy()), "0")
        return exp.Cast(this=value, to=node.args["to"])
    return node
