"""The same loans scored by each engine that a model can be taken to, and how they differ."""

from collections.abc import Mapping, Sequence
from math import exp, floor, inf, isfinite, isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from pyspark.sql import SparkSession

from credit_spark.contract.models import Contract
from credit_spark.contract.tables import MISSING, REASONS
from credit_spark.scoring.document import ModelDocument, Number
from credit_spark.scoring.evaluator import RecordScorer, Score
from credit_spark.scoring.frames import scores_of
from credit_spark.scoring.scale import scale_of
from credit_spark.scoring.sql import column_of, scoring_sql
from tests.postgres import Server

DECIDED = ("points", "band", "decision", *REASONS)
# So many loans are scored one by one, as the page does.
RECORDS = 40
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
Scores = Mapping[str, Mapping[str, Any]]


class Parity(NamedTuple):
    """How an engine's scores differ from those of the run: loans, PDs at most, loans unequal."""

    rows: int
    pd: float
    decided_else: int


def parity(ours: Scores, theirs: Scores) -> Parity:
    """What two engines make of the loans that the second has scored."""
    assert theirs.keys() <= ours.keys()
    pairs = [(ours[loan_id], row) for loan_id, row in theirs.items()]
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


def by_spark(
    spark: SparkSession, folder: Path, book: pa.Table, model: ModelDocument, contract: Contract
) -> Scores:
    """As the run scores."""
    pq.write_table(book, folder / "loans.parquet")
    loans = spark.read.parquet(str(folder / "loans.parquet"))
    rows = scores_of(loans, model, contract.kinds, ("loan_id",)).collect()
    return by_id([row.asDict() for row in rows])


def by_duckdb(book: pa.Table, model: ModelDocument, contract: Contract) -> Scores:
    """As DuckDB scores by the exported SELECT."""
    return by_id(rows_of(book, scoring_sql(model, contract.kinds, "duckdb")))


def by_postgres(server: Server, book: pa.Table, model: ModelDocument, contract: Contract) -> Scores:
    """As PostgreSQL scores by the exported SELECT."""
    columns = ", ".join(
        f"{field.name} {POSTGRES_TYPES.get(str(field.type), 'text')}" for field in book.schema
    )
    server.run(f"drop table if exists loans; create table loans ({columns})")
    server.copy("loans", book)
    rows = server.rows(scoring_sql(model, contract.kinds, "postgres"))
    return by_id([{**row, "pd": float(row["pd"]), "points": int(row["points"])} for row in rows])


def by_record(book: pa.Table, model: ModelDocument, contract: Contract) -> Scores:
    """As the page scores: some of the loans, one by one."""
    scorer = RecordScorer(model, contract.kinds)
    some = book.take([*range(0, len(book), -(-len(book) // RECORDS))]).to_pylist()
    return {loan["loan_id"]: as_row(scorer.score(loan)) for loan in some}


def by_arithmetic(book: pa.Table, model: ModelDocument, contract: Contract) -> Scores:
    """As plain Python adds up what the document says of each feature's value."""
    values = [f"{in_duckdb(each.sql)} as {column_of(each)}" for each in model.terms]
    rules = [f"{in_duckdb(each.sql)} as r{nth}" for nth, each in enumerate(model.refusals)]
    rows = rows_of(book, f"select {', '.join(['loan_id', *values, *rules])} from loans")
    return {row["loan_id"]: arithmetic(row, model) for row in rows}


def in_duckdb(sql: str) -> str:
    """Spark SQL in DuckDB's dialect, where a flag is a number by a cast already."""
    return sqlglot.transpile(sql, read="spark", write="duckdb")[0]


def arithmetic(row: Mapping[str, Any], model: ModelDocument) -> dict[str, Any]:
    """The score of a loan whose features' values are known."""
    parts = [added(row[column_of(each)], each) for each in model.terms]
    log_odds = model.constant
    for each in parts:
        log_odds += each
    log_odds = 25.0 if isnan(log_odds) else max(-25.0, min(25.0, log_odds))
    pd, plan, scale = 1 / (1 + exp(-log_odds)), model.score, scale_of(model.score)
    refused = [each.reason for nth, each in enumerate(model.refusals) if row[f"r{nth}"]]
    costs = [each - held for each, held in zip(parts, model.references, strict=True)]
    highest = sorted(range(len(costs)), key=lambda nth: (-costs[nth], nth))
    costly = [model.terms[nth].reason for nth in highest[:4] if costs[nth] > 0]
    decided = (
        "approve" if pd < plan.decisions.approve_below
        else "decline" if pd >= plan.decisions.decline_from else "review"
    )  # fmt: skip
    reasons = [*refused, *costly, None, None, None, None][:4]
    return {
        "pd": pd,
        "points": floor(scale.at_even_odds - scale.a_unit * log_odds + 0.5),
        "band": next(name for name, below in plan.bands.items() if pd < below or below == 1),
        "decision": "decline" if refused else decided,
        **dict(zip(REASONS, reasons, strict=True)),
    }


def added(value: Any, term: Any) -> float:
    """What a feature adds to the log-odds."""
    if isinstance(term, Number):
        known = term.imputed if value is None or not isfinite(value) else value
        return float((known - term.mean) * term.slope)
    slopes = {level.text: level.slope for level in term.levels}
    unseen = -sum(level.slope * level.mean for level in term.levels)
    return float(unseen + slopes.get(MISSING if value is None else value, 0.0))


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
        "Spark SQL": by_spark(spark, folder, book, model, contract),
        "plain arithmetic": by_arithmetic(book, model, contract),
        "the page": by_record(book, model, contract),
        "DuckDB": by_duckdb(book, model, contract),
        "PostgreSQL": by_postgres(server, book, model, contract),
    }


def rows_of(loans: pa.Table, sql: str) -> list[dict[str, Any]]:
    """What DuckDB answers of a table `loans`."""
    with duckdb.connect() as connection:
        connection.register("loans", loans)
        return connection.sql(sql).fetch_arrow_table().to_pylist()


def as_row(score: Score) -> dict[str, Any]:
    """A record's score as a row of the table `scores`."""
    given = [*score.reasons, *[None] * (len(REASONS) - len(score.reasons))]
    return {**score._asdict(), **dict(zip(REASONS, given, strict=True))}


def by_id(rows: Sequence[Mapping[str, Any]]) -> Scores:
    """Rows by their loan."""
    return {row["loan_id"]: row for row in rows}
