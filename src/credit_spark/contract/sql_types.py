"""The types of a contract's SQL: what is compared, added or chosen between has to be of one kind.

DuckDB tells the type of each part of a compiled expression over the contract's columns. It casts
more than Spark does, so operands are held against each other here: a text that is compared with
a number ends a Spark job, and it may do so in the middle of a run.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

import duckdb
import sqlglot
from sqlglot import exp

from credit_spark.contract.errors import InputError, listed
from credit_spark.contract.expressions import condition, expression
from credit_spark.contract.guards import judged_kinds
from credit_spark.contract.models import Contract, Kind
from credit_spark.contract.tables import TYPES

DUCKDB_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "string": "varchar",
        "int": "integer",
        "double": "double",
        "date": "date",
        "boolean": "boolean",
    }
)
TEXT, NUMBER, DATE, TRUTH = "text", "number", "date", "truth value"
FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(["VARCHAR", "STRING_LITERAL"], TEXT),
        **dict.fromkeys(["DOUBLE", "INTEGER", "BIGINT", "INTEGER_LITERAL"], NUMBER),
        "DATE": DATE,
        "BOOLEAN": TRUTH,
    }
)
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Nullif)
CHOICES = (exp.In, exp.Coalesce, exp.Least, exp.Greatest)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Abs, exp.Ln)
LOGIC = (exp.And, exp.Or, exp.Not)


class Demand(NamedTuple):
    """Operands that have to be of one family, `family` where it is given."""

    operands: list[exp.Expr]
    family: str | None = None


def duckdb_type(kind: Kind) -> str:
    """DuckDB's type of a column of a kind."""
    return DUCKDB_TYPES[TYPES[kind]]


def check_sql(contract: Contract) -> None:
    """Make sure that Spark can compute a contract's SQL on its columns.

    Raises:
        InputError: with every fault and its path in the file.
    """
    kinds = judged_kinds(contract)
    with _no_loans(kinds) as loans:
        faults = [
            f"{path}.sql: {fault}"
            for path, sql in _stated(contract)
            for fault in dict.fromkeys(_faults(sql, loans))
        ]
    if faults:
        raise InputError(listed("this SQL cannot be computed; nothing was touched", faults))


def faults_of(sql: str, kinds: Mapping[str, Kind]) -> list[str]:
    """What is wrong with a compiled expression over columns of such kinds."""
    with _no_loans(kinds) as loans:
        return [*dict.fromkeys(_faults(sql, loans))]


@contextmanager
def _no_loans(kinds: Mapping[str, Kind]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with an empty table `loans`."""
    columns = ", ".join(f'"{name}" {duckdb_type(kind)}' for name, kind in kinds.items())
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"create table loans ({columns})")
        yield connection


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


def _faults(sql: str, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    tree = sqlglot.parse_one(sql, dialect="spark")
    found = [fault for node in tree.walk() for fault in _faults_at(node, connection)]
    yield from found
    try:
        family = _family(tree, connection)
    except duckdb.Error as error:
        if not found:
            yield str(error).splitlines()[0]
        return
    if family == DATE:
        yield "it is a date; take its year() or month()"


def _faults_at(node: exp.Expr, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What is wrong with a node's own operands."""
    if _is_to_date(node) and isinstance(node.this, exp.Literal):
        yield from _faults_of_date(node.this.name)
    for operands, needed in _demands(node):
        try:
            families = [_family(each, connection) for each in operands]
        except duckdb.Error:
            # An operand within is at fault, and is named there.
            continue
        found = dict.fromkeys(each for each in families if each)
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
            yield from _demands_of_case(node)
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


def _demands_of_case(node: exp.Case) -> Iterator[Demand]:
    cases = node.args["ifs"]
    conditions = [each.this for each in cases]
    if node.this is None:
        yield Demand(conditions, TRUTH)
    else:
        yield Demand([node.this, *conditions])
    yield Demand(_given(*[each.args["true"] for each in cases], node.args.get("default")))


def _given(*nodes: exp.Expr | None) -> list[exp.Expr]:
    return [each for each in nodes if each is not None]


def _family(node: exp.Expr, connection: duckdb.DuckDBPyConnection) -> str | None:
    """What a part yields; None for null.

    Raises:
        duckdb.Error: DuckDB cannot compute it.
    """
    sql = node.transform(_as_date).sql(dialect="duckdb")
    described = connection.execute(f"select {sql} from loans").description  # noqa: S608
    assert described
    return FAMILIES.get(str(described[0][1]).strip('"'))


def _as_date(node: exp.Expr) -> exp.Expr:
    """What year() and month() read, as a date in DuckDB, too."""
    return exp.cast(node.this, "date") if isinstance(node, exp.TsOrDsToDate) else node


def _written(node: exp.Expr) -> str:
    """A part as its author wrote it: without the casts that compiling adds."""
    plain = node.transform(lambda each: each.this if isinstance(each, exp.Cast) else each)
    return f"`{plain.sql(dialect='spark')}`"
