"""The tables of one portfolio, read with no Spark: for the page, and for a look at one loan.

A night that is being written is not seen: what is read is the newest night that is complete.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import METRICS, MODELS, RUNS, SCORE_COUNTS
from credit_spark.evaluation.cells import Cell
from credit_spark.modelling.document import ModelDocument

SCORES, LOANS = "scores", "loans"
COMPLETE = "complete"


class Rows(NamedTuple):
    """Some of a night's rows, as they stand together in a file, with the ids in their order."""

    fragment: Any
    ids: pa.ChunkedArray


class Lake:
    """A portfolio's tables in a folder or URL.

    A look-up reads the ids of a night once and keeps them: some 30 bytes a loan.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder.rstrip("/")
        self._ids = lru_cache(maxsize=4)(self._read_ids)

    def latest(self) -> date:
        """The newest night that is complete and has scores.

        Raises:
            InputError: there is none yet.
        """
        last: dict[date, str] = {}
        runs = self._rows(RUNS.name, ["as_of", "ended_at", "status"])
        for run in sorted(runs, key=lambda row: row["ended_at"]):
            last[run["as_of"]] = run["status"]
        scored = set(self._nights(SCORES))
        complete = [night for night, status in last.items() if status == COMPLETE]
        nights = sorted(scored.intersection(complete))
        if not nights:
            raise InputError(
                f"there is no complete night at {self.folder} yet; run 'credit-spark nightly'"
            )
        return nights[-1]

    def document(self, version: str) -> ModelDocument:
        """A model's document.

        Raises:
            InputError: there is no such model.
        """
        for row in self._rows(MODELS.name, ["model_version", "document"]):
            if row["model_version"] == version:
                return ModelDocument.of(row["document"])
        raise InputError(f"there is no model '{version}' at {self.folder}")

    def model_of(self, as_of: date) -> ModelDocument:
        """The model that scored a night.

        Raises:
            InputError: the night has no scores.
        """
        scores = self._dataset(SCORES, as_of)
        version = scores.head(1, columns=["model_version"]).to_pylist()
        if not version:
            raise InputError(f"there are no scores of {as_of} at {self.folder}")
        return self.document(version[0]["model_version"])

    def loan(self, loan_id: str, as_of: date) -> Mapping[str, Any] | None:
        """A loan as it was accepted that night; None: there is no such loan."""
        return self._row(LOANS, loan_id, as_of)

    def score(self, loan_id: str, as_of: date) -> Mapping[str, Any] | None:
        """A loan's score of a night; None: there is no such loan."""
        return self._row(SCORES, loan_id, as_of)

    def scores(self, as_of: date, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """A night's scores, batch by batch."""
        return iter(self._dataset(SCORES, as_of).to_batches(columns=list(columns)))

    def metrics(self, as_of: date, dataset: str) -> list[Mapping[str, Any]]:
        """A night's figures of one data set."""
        rows = self._dataset(METRICS.name, as_of).to_table(filter=pc.field("dataset") == dataset)
        return list(rows.to_pylist())

    def cells(self, as_of: date) -> list[Cell]:
        """A night's loans, counted by score.

        Raises:
            InputError: the night was not measured.
        """
        is_night = pc.field("dataset") == "night"
        rows = self._dataset(SCORE_COUNTS.name, as_of).to_table(filter=is_night).to_pylist()
        if not rows:
            raise InputError(f"the night of {as_of} was not measured; run 'credit-spark measure'")
        return [Cell(*[row[name] for name in Cell._fields]) for row in rows]

    def _row(self, table: str, loan_id: str, as_of: date) -> Mapping[str, Any] | None:
        for fragment, ids in self._ids(table, as_of, self._table(table).version()):
            place = pc.index(ids, pa.scalar(loan_id)).as_py()
            if place >= 0:
                return dict(fragment.to_table().slice(place, 1).to_pylist()[0])
        return None

    def _read_ids(self, table: str, as_of: date, version: int) -> list[Rows]:
        """The ids of a night's rows; `version` tells one state of the table from another."""
        return [
            Rows(part, part.to_table(columns=["loan_id"])["loan_id"])
            for file in self._dataset(table, as_of).get_fragments()
            for part in file.split_by_row_group()
        ]

    def _nights(self, table: str) -> list[date]:
        partitions = self._table(table).partitions()
        return [date.fromisoformat(each["as_of"]) for each in partitions]

    def _rows(self, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        return list(self._table(table).to_pyarrow_table(columns=list(columns)).to_pylist())

    def _dataset(self, table: str, as_of: date) -> Any:
        return self._table(table).to_pyarrow_dataset(partitions=[("as_of", "=", str(as_of))])

    def _table(self, name: str) -> DeltaTable:
        try:
            return DeltaTable(f"{self.folder}/{name}")
        except TableNotFoundError:
            raise InputError(
                f"there is no table '{name}' at {self.folder} yet; run 'credit-spark nightly' "
                "first, or name the right --warehouse"
            ) from None
