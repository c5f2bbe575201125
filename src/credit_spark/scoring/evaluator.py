"""One loan scored without Spark, with what each feature adds: the exported SQL, run by DuckDB.

The page, the JSON API and `explain` score single records. DuckDB runs in this process; the SQL is
that of the batch in DuckDB's dialect, so a feature has one meaning.
"""

from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

import duckdb

from credit_spark.contract.models import Kind
from credit_spark.contract.tables import REASONS, TYPES
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.sql import columns_read, quoted, record_sql


class Contribution(NamedTuple):
    """A feature's part of a score: its value, its term of the log-odds of bad, the reason.

    `cost` is the term less that of the contract's reference.
    """

    feature: str
    value: float | str | None
    term: float
    cost: float
    reason: str


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
    """A model document ready to score single loans; several threads may use it."""

    def __init__(self, document: ModelDocument, kinds: Mapping[str, Kind]) -> None:
        """Prepare the SQL of a document; `kinds` are those of the contract's columns."""
        self._document = document
        self._columns = columns_read(document)
        parameters = [
            f"cast(${nth} as {TYPES[kinds[name]]}) as {quoted(name, 'duckdb')}"
            for nth, name in enumerate(self._columns, start=1)
        ]
        loan = ", ".join(["cast(null as varchar) as loan_id", *parameters])
        scored = record_sql(document, kinds, "duckdb")
        sql = f"with loans as (select {loan}) select * from (\n{scored})"  # noqa: S608
        # One row is no work for several threads.
        self._connection = duckdb.connect(config={"threads": 1})
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
        held = zip(self._document.features, self._document.references, strict=True)
        contributions = []
        for each, reference in held:
            value, term = row[f"v_{each.name}"], row[f"f_{each.name}"]
            part = Contribution(each.name, value, term, term - reference, each.reason)
            contributions.append(part)
        reasons = tuple(row[name] for name in REASONS if row[name] is not None)
        scored = {name: row[name] for name in ("log_odds", "pd", "points", "band", "decision")}
        return Score(**scored, reasons=reasons, contributions=tuple(contributions))
