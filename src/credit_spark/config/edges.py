"""Values that vanish: a feature that has none although all its columns have one.

A logarithm of zero, or a ratio to zero, is null, and is scored as a missing value: the applicant at
the edge would look better than the one beside it. Edges are the ends of what a column may hold,
zero, the numbers that the feature's SQL names, and all values where a column has few.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import ceil, floor, isfinite, prod
from typing import Any

import duckdb
from sqlglot import exp, parse_one

from credit_spark.config.expressions import Expression, quoted, translated
from credit_spark.config.models import TEXT_KINDS, Contract, ContractColumn, Kind
from credit_spark.config.tables import TYPES

DATES = ("2000-01-31", "2020-02-29")
# A number with no range may be anything: also nothing, or less.
ANYTHING = (-1.0, 1e6)
LARGEST_INT = 2.0**31 - 1
# Rows of crossed ends: what a feature of a dozen columns has.
MAX_ROWS = 100_000
# A whole number of a shorter range is tried at each of its values.
FEW = 60
Ends = Mapping[str, Sequence[Any]]


def undefined_at_edge(compiled: Expression, contract: Contract) -> str | None:
    """Where a compiled feature has no value at an edge of its columns, in words; None: nowhere."""
    names = sorted(compiled.columns)
    if not names:
        return None
    named = _numbers_in(compiled.sql)
    ends = {name: [*_ends(contract.columns[name], named)] for name in names}
    columns = ", ".join(quoted(name, "duckdb") for name in names)
    value = translated(compiled.sql, contract.kinds, "duckdb")
    with duckdb.connect() as connection:
        for varied in _varied(ends):
            edges = ", ".join(
                _edges(name, contract.columns[name].kind, own) for name, own in varied.items()
            )
            sql = f"select {columns} from {edges} where ({value}) is null order by all limit 1"  # noqa: S608
            if found := connection.execute(sql).fetchone():
                pairs = zip(names, found, strict=True)
                return " and ".join(f"{name} is {_written(each)}" for name, each in pairs)
    return None


def _varied(ends: Ends) -> Iterator[Ends]:
    """What is crossed: all ends of all columns or, of many, those of each two beside a last end."""
    if prod(map(len, ends.values())) <= MAX_ROWS:
        yield ends
        return
    for pair in combinations(ends, 2):
        yield {name: own if name in pair else own[-1:] for name, own in ends.items()}


def _edges(name: str, kind: Kind, ends: Sequence[Any]) -> str:
    """A table of a column's edges, in DuckDB's SQL."""
    written = (exp.convert(each).sql(dialect="duckdb") for each in ends)
    rows = ", ".join(f"(cast({each} as {TYPES[kind]}))" for each in written)
    return f"(values {rows}) as {quoted(f'_{name}', 'duckdb')}({quoted(name, 'duckdb')})"


def _numbers_in(sql: str) -> set[float]:
    """The numbers that a feature's SQL names, and those of the other sign."""
    literals = parse_one(sql, dialect="spark").find_all(exp.Literal)
    found = {float(each.this) for each in literals if not each.is_string}
    return found | {-each for each in found}


def _ends(spec: ContractColumn, named: set[float]) -> Iterator[Any]:
    """The ends of what a column may hold, and what `named` numbers lie between; every text."""
    if spec.kind == "date":
        yield from DATES
    elif spec.kind == "flag":
        yield from (True, False)
    elif spec.kind in TEXT_KINDS:
        yield from (str(each) for each in spec.one_of or [*spec.codes.values()] or ["a text"])
    else:
        yield from _ends_of_number(spec, named)


def _ends_of_number(spec: ContractColumn, named: set[float]) -> list[float]:
    """Of a number: finite, and such as its type can hold."""
    if known := {float(each) for each in spec.one_of or () if not isinstance(each, str)}:
        return sorted(known)
    low, high = spec.range or ANYTHING
    low = low if isfinite(low) else min(ANYTHING[0], high)
    high = high if isfinite(high) else max(ANYTHING[1], low)
    if TYPES[spec.kind] == "int":
        low, high = (min(max(each, -LARGEST_INT), LARGEST_INT) for each in (low, high))
        named = {each for each in named if each.is_integer()}
        if high - low < FEW:
            named |= {*map(float, range(ceil(low), floor(high) + 1))}
    return sorted({low, high, *(each for each in (0.0, *named) if low <= each <= high)})


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
