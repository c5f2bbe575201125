"""Values that vanish: a feature that has none although all its columns have one.

A logarithm of zero, or a ratio to zero, is null, and is scored as a missing value: the applicant at
the edge would look better than the one beside it.
"""

from collections.abc import Iterator
from typing import Any

import duckdb
from sqlglot import exp

from credit_spark.config.dialects import quoted, translated
from credit_spark.config.expressions import Expression
from credit_spark.config.models import TEXT_KINDS, Contract, Promise
from credit_spark.config.tables import TYPES

DATES = ("2000-01-31", "2020-02-29")
# A number with no range may be anything: also nothing, or less.
ANYTHING = (-1.0, 1e6)


def vanishing(compiled: Expression, contract: Contract) -> str | None:
    """Where a compiled feature has no value at an edge of its columns, in words; None: nowhere."""
    names = sorted(compiled.columns)
    if not names:
        return None
    columns = ", ".join(quoted(name, "duckdb") for name in names)
    edges = ", ".join(_edges(name, contract.columns[name]) for name in names)
    value = translated(compiled.sql, contract.kinds, "duckdb")
    sql = f"select {columns} from {edges} where ({value}) is null order by all limit 1"  # noqa: S608
    with duckdb.connect() as connection:
        found = connection.execute(sql).fetchone()
    if found is None:
        return None
    pairs = zip(names, found, strict=True)
    return " and ".join(f"{name} is {_written(each)}" for name, each in pairs)


def _edges(name: str, promise: Promise) -> str:
    """A table of a column's edges, in DuckDB's SQL."""
    ends = (exp.convert(each).sql(dialect="duckdb") for each in _ends(promise))
    rows = ", ".join(f"(cast({each} as {TYPES[promise.kind]}))" for each in ends)
    return f"(values {rows}) as {quoted(f'_{name}', 'duckdb')}({quoted(name, 'duckdb')})"


def _ends(promise: Promise) -> Iterator[Any]:
    """The ends of what a column may hold, and zero where that lies between; every text."""
    if promise.kind == "date":
        yield from DATES
    elif promise.kind == "flag":
        yield from (True, False)
    elif promise.kind in TEXT_KINDS:
        yield from (str(each) for each in promise.one_of or [*promise.codes.values()] or ["a text"])
    else:
        known = sorted(float(each) for each in promise.one_of or ())
        low, high = promise.range or ((known[0], known[-1]) if known else ANYTHING)
        yield from sorted({float(low), float(high), *([0.0] if low <= 0 <= high else [])})


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
