"""Values that vanish: a feature that has none although all its columns have one.

A logarithm of zero, or a ratio to zero, is null, and is scored as a missing value: the applicant at
the edge would look better than the one beside it.
"""

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import duckdb

from credit_spark.contract.dialects import quoted, translated
from credit_spark.contract.expressions import Expression
from credit_spark.contract.models import TEXT_KINDS, Contract, Promise
from credit_spark.contract.tables import TYPES

# Of combinations of the columns' edges.
MOST_POINTS = 4096
DATES = ("2000-01-31", "2020-02-29")


def vanishing(compiled: Expression, contract: Contract) -> str | None:
    """Where a compiled feature has no value at an edge of its columns, in words; None: nowhere."""
    columns = sorted(compiled.columns)
    if not columns:
        return None
    edges = (_edges(contract.columns[name]) for name in columns)
    points = list(islice(product(*edges), MOST_POINTS))
    kinds = contract.kinds
    given = ", ".join(
        f"cast({quoted(name, 'duckdb')} as {TYPES[kinds[name]]}) as {quoted(name, 'duckdb')}"
        for name in columns
    )
    named = ", ".join(quoted(name, "duckdb") for name in columns)
    rows = ", ".join(f"({', '.join(map(repr, point))})" for point in points)
    value = translated(compiled.sql, kinds, "duckdb")
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select ({value}) from (select {given} from (values {rows}) as points({named}))"  # noqa: S608
        ).fetchall()
    for point, (result,) in zip(points, found, strict=True):
        if result is None:
            pairs = zip(columns, point, strict=True)
            return " and ".join(f"{name} is {each:g}" if isinstance(each, float)
                                else f"{name} is {each}" for name, each in pairs)  # fmt: skip
    return None


def _edges(promise: Promise) -> Iterator[Any]:
    """The ends of what a column may hold, and zero where that lies between."""
    if promise.kind == "date":
        yield from DATES
    elif promise.kind == "flag":
        yield from (True, False)
    elif promise.kind in TEXT_KINDS:
        yield from (str(each) for each in promise.one_of or [*promise.codes.values()] or ["a text"])
    else:
        low, high = promise.range or _numbers(promise)
        yield from sorted({float(low), float(high), *([0.0] if low <= 0 <= high else [])})


def _numbers(promise: Promise) -> tuple[float, float]:
    """Whole numbers of one_of, else what a number without a range may be."""
    known = [float(each) for each in promise.one_of or ()]
    return (min(known), max(known)) if known else (-1.0, 1e6)
