"""Values that vanish: a feature that has none although all its columns have one.

A logarithm of zero, or a ratio to zero, is null, and is scored as a missing value: the applicant at
the edge would look better than the one beside it. Edges are the ends of what a column may hold,
zero, the numbers that the feature's SQL names, and all values where a column has few.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from math import ceil, floor, inf, isfinite, prod
from typing import Any

import duckdb
from sqlglot import exp, parse_one

from credit_spark.config.expressions import Expression, quoted, translated
from credit_spark.config.models import (
    NUMBER_KINDS,
    TEXT_KINDS,
    Contract,
    ContractColumn,
    Kind,
)
from credit_spark.config.tables import LARGEST_INT, TYPES

DATES = ("2000-01-31", "2020-02-29")
# A number with no range may be anything: also nothing, or less.
ANYTHING = (-1.0, 1e6)
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
    ends = {name: [*_ends(contract.columns[name])] for name in names}
    every = {
        name: [*own, *_between(contract.columns[name], own, named)] for name, own in ends.items()
    }
    columns = ", ".join(quoted(name, "duckdb") for name in names)
    value = translated(compiled.sql, contract.kinds, "duckdb")
    with duckdb.connect() as connection:
        for varied in _varied(ends, every):
            edges = ", ".join(
                _edges(name, contract.columns[name].kind, own) for name, own in varied.items()
            )
            sql = f"select {columns} from {edges} where ({value}) is null order by all limit 1"  # noqa: S608
            if found := connection.execute(sql).fetchone():
                pairs = zip(names, found, strict=True)
                return " and ".join(f"{name} is {_written(each)}" for name, each in pairs)
    return None


def _varied(ends: Ends, every: Ends) -> Iterator[Ends]:
    """What is crossed: `every` value of all columns.

    Of many, the ends of all, where they are few enough; then every value of each two columns beside
    the others' last end.
    """
    if _rows(every) <= MAX_ROWS:
        yield every
        return
    if _rows(ends) <= MAX_ROWS:
        yield ends
    for pair in combinations(ends, 2):
        yield {name: every[name] if name in pair else own[-1:] for name, own in ends.items()}


def _rows(ends: Ends) -> int:
    return prod(map(len, ends.values()))


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


def _ends(spec: ContractColumn) -> Iterator[Any]:
    """The ends of what a column may hold, and zero where that lies between; every text."""
    if spec.kind == "date":
        yield from DATES
    elif spec.kind == "flag":
        yield from (True, False)
    elif spec.kind in TEXT_KINDS:
        yield from (str(each) for each in spec.one_of or [*spec.codes.values()] or ["a text"])
    else:
        yield from _ends_of_number(spec)


def _ends_of_number(spec: ContractColumn) -> list[float]:
    """Of a number: finite, and such as its type can hold; all of `one_of`."""
    if known := {float(each) for each in spec.one_of or () if not isinstance(each, str)}:
        return sorted(known)
    low, high = spec.range or ANYTHING
    low = low if isfinite(low) else min(ANYTHING[0], high)
    high = high if isfinite(high) else max(ANYTHING[1], low)
    largest = LARGEST_INT if TYPES[spec.kind] == "int" else inf
    low, high = (float(min(max(each, -largest), largest)) for each in (low, high))
    return sorted({low, high, *([0.0] if low <= 0 <= high else [])})


def _between(spec: ContractColumn, ends: Sequence[Any], named: Collection[float]) -> list[float]:
    """What else a number without `one_of` may be: `named` numbers, every one of few whole ones."""
    if spec.one_of or spec.kind not in NUMBER_KINDS - {"flag"}:
        return []
    low, high = ends[0], ends[-1]
    found = {each for each in named if low < each < high}
    if TYPES[spec.kind] == "int":
        few = range(ceil(low), floor(high) + 1) if high - low < FEW else ()
        found = {each for each in {*found, *map(float, few)} if each.is_integer()}
    return sorted(found - {*ends})


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
