"""The same loans scored by each engine that a model can be taken to, and how they differ."""

from collections.abc import Mapping
from math import inf, isnan, nan
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from credit_spark.contract.models import Contract
from credit_spark.contract.tables import REASONS
from credit_spark.modelling.scoring import scored
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.plain import PlainScorer
from credit_spark.scoring.sql import scoring_sql
from tests.postgres import Server

DECIDED = ("points", "band", "decision", *REASONS)
STRANGE = {
    "double": [None, inf, -inf, nan, 0.0, 1e300, -1e300],
    "string": [None, "", "never seen", "it's"],
}
POSTGRES_TYPES = {
    "double": "double precision",
    "int32": "integer",
    "date32[day]": "date",
    "bool": "boolean",
}
Scores = Mapping[str, Mapping]


class Parity(NamedTuple):
    """How an engine's scores differ from the night's: loans, PDs at most, loans decided else."""

    rows: int
    pd: float
    decided_else: int


def parity(ours: Scores, theirs: Scores) -> Parity:
    """What two engines make of the same loans."""
    assert ours.keys() == theirs.keys()
    pairs = [(row, theirs[loan_id]) for loan_id, row in ours.items()]
    # A PD that is no number is as far off as can be, whatever stands beside it.
    differences = [abs(row["pd"] - other["pd"]) for row, other in pairs]
    apart = [inf if isnan(each) else each for each in differences]
    unequal = [any(row[each] != other[each] for each in DECIDED) for row, other in pairs]
    return Parity(len(pairs), max(apart), sum(unequal))


def with_strange(loans: pa.Table, strange: int) -> pa.Table:
    """Loans, and generated ones with nulls, unseen and empty texts, extremes and infinities."""
    generated = loans.slice(0, strange).to_pylist()
    for nth, row in enumerate(generated):
        row["loan_id"] = f"strange {nth}"
        for place, field in enumerate(loans.schema):
            is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
            choices = STRANGE.get("string" if is_text else str(field.type), [None])
            is_own = field.name in ("loan_id", "source_file", "as_of", "run_id")
            if not is_own and (nth + place) % 3:
                row[field.name] = choices[(nth * 7 + place) % len(choices)]
    return pa.concat_tables([loans, pa.Table.from_pylist(generated, schema=loans.schema)])


def by_night(book: pa.Table, model: ModelDocument) -> Scores:
    """As a night's tasks score."""
    return _by_id(scored(pl.DataFrame(book), model, "loan_id").to_dicts())


def by_python(book: pa.Table, model: ModelDocument) -> Scores:
    """As the page scores."""
    scorer, found = PlainScorer(model), {}
    for loan in book.to_pylist():
        score = scorer.score(loan)
        given = [*score.reasons, *[None] * (len(REASONS) - len(score.reasons))]
        found[loan["loan_id"]] = {**score._asdict(), **dict(zip(REASONS, given, strict=True))}
    return found


def by_duckdb(book: pa.Table, model: ModelDocument, contract: Contract) -> Scores:
    """As DuckDB scores by the exported SELECT."""
    with duckdb.connect() as connection:
        connection.register("loans", book)
        rows = connection.sql(scoring_sql(model, kinds_of(contract), "duckdb"))
        return _by_id(rows.fetch_arrow_table().to_pylist())


def by_spark(
    spark: SparkSession, folder: Path, book: pa.Table, model: ModelDocument, contract: Contract
) -> Scores:
    """As Spark's SQL scores by the exported SELECT."""
    pq.write_table(book, folder / "loans.parquet")
    spark.read.parquet(str(folder / "loans.parquet")).createOrReplaceTempView("loans")
    rows = spark.sql(scoring_sql(model, kinds_of(contract), "spark")).collect()
    return _by_id([row.asDict() for row in rows])


def by_postgres(server: Server, book: pa.Table, model: ModelDocument, contract: Contract) -> Scores:
    """As PostgreSQL scores by the exported SELECT."""
    columns = ", ".join(
        f"{field.name} {POSTGRES_TYPES.get(str(field.type), 'text')}" for field in book.schema
    )
    server.run(f"drop table if exists loans; create table loans ({columns})")
    server.copy("loans", book)
    rows = server.rows(scoring_sql(model, kinds_of(contract), "postgres"))
    return _by_id([{**row, "pd": float(row["pd"]), "points": int(row["points"])} for row in rows])


def by_every_engine(
    spark: SparkSession,
    server: Server,
    folder: Path,
    book: pa.Table,
    model: ModelDocument,
    contract: Contract,
) -> dict[str, Scores]:
    """Every engine's scores, by its name."""
    return {
        "plain Python": by_python(book, model),
        "DuckDB": by_duckdb(book, model, contract),
        "Spark SQL": by_spark(spark, folder, book, model, contract),
        "PostgreSQL": by_postgres(server, book, model, contract),
    }


def kinds_of(contract: Contract) -> dict:
    """The kinds of a contract's columns."""
    return {name: promise.kind for name, promise in contract.columns.items()}


def _by_id(rows: list[dict]) -> Scores:
    return {row["loan_id"]: row for row in rows}
