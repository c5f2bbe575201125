"""One loan scored without Spark, with what each feature adds: the exported SQL, run by DuckDB.

The page, the JSON API and `explain` score single records. DuckDB runs in this process; the SQL is
that of the batch in DuckDB's dialect, so a feature has one meaning.
"""

from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

import duckdb

from credit_spark.config.expressions import quoted
from credit_spark.config.models import Kind
from credit_spark.config.tables import REASONS, TYPES
from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import check_columns, columns_read, record_sql


class Contribution(NamedTuple):
    """A feature's part of a score: its value, and its term of the log-odds of bad."""

    feature: str
    value: float | str | None
    term: float


class Score(NamedTuple):
    """A loan's score, as in the table `scores`, and its parts in the contract's order."""

    log_odds: float
    pd: float
    points: int
    band: str
    decision: str
    reasons: tuple[str, ...]
    contributions: tuple[Contribution, ...]


class RecordScorer:
    """A model and a policy ready to score single loans; several threads may use it."""

    def __init__(self, document: ModelDocument, policy: Policy, kinds: Mapping[str, Kind]) -> None:
        """Prepare the SQL; `kinds` are those of the contract's columns.

        Raises:
            InputError: the contract lacks a column that the model or the policy reads.
        """
        check_columns(document, kinds, policy)
        self._document = document
        self._columns = columns_read(document, policy)
        parameters = [
            f"cast(${nth} as {TYPES[kinds[name]]}) as {quoted(name, 'duckdb')}"
            for nth, name in enumerate(self._columns, start=1)
        ]
        loan = ", ".join(["cast(null as varchar) as loan_id", *parameters])
        scored = record_sql(document, policy, kinds, "duckdb")
        sql = f"with loans as (select {loan}) select * from (\n{scored})"  # noqa: S608
        # One row is no work for several threads, and takes longer to optimise than to compute.
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("pragma disable_optimizer")
        (self._statement,) = self._connection.extract_statements(sql)
        self._lock = Lock()

    def score(self, loan: Mapping[str, Any]) -> Score:
        """The score of one loan, given by the columns of `loans`; a column left out is null."""
        given = [loan.get(name) for name in self._columns]
        with self._lock:
            cursor = self._connection.execute(self._statement, given)
            names = [each[0] for each in cursor.description or ()]
            (values,) = cursor.fetchall()
        row = dict(zip(names, values, strict=True))
        contributions = tuple(
            Contribution(each.name, _known(row[f"v_{each.name}"]), row[f"f_{each.name}"])
            for each in self._document.features
        )
        reasons = tuple(row[name] for name in REASONS if row[name] is not None)
        scored = {name: row[name] for name in ("log_odds", "pd", "points", "band", "decision")}
        return Score(**scored, reasons=reasons, contributions=contributions)


def _known(value: float | str | None) -> float | str | None:
    return None if value == ABSENT else value
