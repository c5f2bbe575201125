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

from credit_spark.config.models import Contract
from credit_spark.config.tables import REASONS
from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import ModelDocument, Number
from credit_spark.scoring.evaluator import RecordScorer, Score
from credit_spark.scoring.frames import scores_of
from credit_spark.scoring.policy import Policy, Reasons, scale_of
from credit_spark.scoring.sql import scoring_sql, term_column
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
    spark: SparkSession,
    folder: Path,
    data: pa.Table,
    model: ModelDocument,
    contract: Contract,
    policy: Policy | None = None,
) -> Scores:
    """As the run scores."""
    pq.write_table(data, folder / "loans.parquet")
    loans = spark.read.parquet(str(folder / "loans.parquet"))
    rows = scores_of(
        loans, model, policy or Policy.of(contract), contract.kinds, ("loan_id",)
    ).collect()
    return by_id([row.asDict() for row in rows])


def by_duckdb(
    data: pa.Table, model: ModelDocument, contract: Contract, policy: Policy | None = None
) -> Scores:
    """As DuckDB scores by the exported SELECT."""
    sql = scoring_sql(model, policy or Policy.of(contract), contract.kinds, "duckdb")
    return by_id(rows_of(data, sql))


def by_postgres(
    server: Server,
    data: pa.Table,
    model: ModelDocument,
    contract: Contract,
    policy: Policy | None = None,
) -> Scores:
    """As PostgreSQL scores by the exported SELECT."""
    columns = ", ".join(
        f"{field.name} {POSTGRES_TYPES.get(str(field.type), 'text')}" for field in data.schema
    )
    server.run(f"drop table if exists loans; create table loans ({columns})")
    server.copy("loans", data)
    rows = server.rows(
        scoring_sql(model, policy or Policy.of(contract), contract.kinds, "postgres")
    )
    return by_id([{**row, "pd": float(row["pd"]), "points": int(row["points"])} for row in rows])


def by_record(
    data: pa.Table, model: ModelDocument, contract: Contract, policy: Policy | None = None
) -> Scores:
    """As the page scores: some of the loans, one by one."""
    scorer = RecordScorer(model, policy or Policy.of(contract), contract.kinds)
    some = data.take([*range(0, len(data), -(-len(data) // RECORDS))]).to_pylist()
    return {loan["loan_id"]: as_row(scorer.score(loan)) for loan in some}


def by_arithmetic(
    data: pa.Table, model: ModelDocument, contract: Contract, policy: Policy | None = None
) -> Scores:
    """As plain Python adds up what the document says of each feature's value."""
    policy = policy or Policy.of(contract)
    values = [f"{in_duckdb(each.sql)} as {term_column(each)}" for each in model.terms]
    rules = [f"{in_duckdb(each.sql)} as r{nth}" for nth, each in enumerate(policy.refusals)]
    rows = rows_of(data, f"select {', '.join(['loan_id', *values, *rules])} from loans")
    return {row["loan_id"]: arithmetic(row, model, policy) for row in rows}


def in_duckdb(sql: str) -> str:
    """Spark SQL in DuckDB's dialect, where a flag is a number by a cast already."""
    return sqlglot.transpile(sql, read="spark", write="duckdb")[0]


def arithmetic(row: Mapping[str, Any], model: ModelDocument, policy: Policy) -> dict[str, Any]:
    """The score of a loan whose features' values are known."""
    parts = [added(row[term_column(each)], each) for each in model.terms]
    log_odds = model.constant
    for each in parts:
        log_odds += each
    log_odds = 25.0 if isnan(log_odds) else max(-25.0, min(25.0, log_odds))
    pd, plan, scale = 1 / (1 + exp(-log_odds)), policy.score, scale_of(policy.score)
    refused = [each.reason for nth, each in enumerate(policy.refusals) if row[f"r{nth}"]]
    costs: dict[str, float] = {}
    for term, part in zip(model.terms, parts, strict=True):
        value, (_, held_against) = row[term_column(term)], term.reference(plan.reference)
        for text in stated(value, term, policy):
            costs[text] = costs.get(text, 0.0) + max(part - held_against, 0.0)
    refused = list(dict.fromkeys(refused))
    order = [text for term in model.terms for text in texts_of(term, policy)]
    highest = sorted(
        costs, key=lambda text: (-floor(min(costs[text], 1e4) * 1e9), order.index(text))
    )
    costly = [text for text in highest if costs[text] > 0 and text not in refused]
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


def texts_of(term: Any, policy: Policy) -> list[str]:
    """The reason texts of a feature, in the order of equal costs."""
    own = policy.reasons.get(term.name, Reasons())
    return [text for text in (own.above, own.below, own.either, own.missing) if text]


def stated(value: Any, term: Any, policy: Policy) -> list[str]:
    """The texts that are true of a feature's value."""
    own = policy.reasons.get(term.name, Reasons())
    against, _ = term.reference(policy.score.reference)
    if isinstance(term, Number):
        is_missing = value is None or not isfinite(value)
        place = None if is_missing else value
    else:
        is_missing = value is None or value == ABSENT
        place = next((each.place for each in term.levels if each.text == value), None)
    is_placed = place is not None and against is not None
    found = [
        (own.above, is_placed and place > against),
        (own.below, is_placed and place < against),
        (own.either, not is_missing),
        (own.missing, is_missing),
    ]
    return [text for text, is_true in found if text and is_true]


def added(value: Any, term: Any) -> float:
    """What a feature adds to the log-odds."""
    if isinstance(term, Number):
        if value is None or not isfinite(value):
            return term.of_missing
        return float((value - term.mean) * term.slope - term.shift)
    slopes = {level.text: level.slope for level in term.levels}
    unseen = -sum(level.slope * level.mean for level in term.levels)
    return float(unseen + slopes.get(ABSENT if value is None else value, 0.0))


def by_every_engine(
    spark: SparkSession,
    server: Server,
    folder: Path,
    data: pa.Table,
    model: ModelDocument,
    contract: Contract,
) -> dict[str, Scores]:
    """Every engine's scores, by its name."""
    return {
        "Spark SQL": by_spark(spark, folder, data, model, contract),
        "plain arithmetic": by_arithmetic(data, model, contract),
        "the page": by_record(data, model, contract),
        "DuckDB": by_duckdb(data, model, contract),
        "PostgreSQL": by_postgres(server, data, model, contract),
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
