"""The tables of one portfolio, read with no Spark: for the page, and for a look at one loan.

A night that is being written is not seen: what is read is the newest night that is complete.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from credit_spark.adapters.places import local_folder
from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import DECISIONS, METRICS, MODELS, RUNS
from credit_spark.evaluation.cells import PER_LOG_ODDS, WIDEST_LOG_ODDS, Cell
from credit_spark.modelling.document import ModelDocument

SCORES, LOANS = "scores", "loans"
COMPLETE = "complete"
OUTCOMES = ("good", "bad", "open")
# What writes a night's rows: the others neither complete a night nor break it.
WRITING = ("nightly", "clean", "score", "measure")
RUN_FACTS = (
    "as_of", "command", "status", "started_at", "ended_at", "rows_read", "rows_accepted",
    "rows_quarantined", "model_version", "message",
)  # fmt: skip


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
        complete: set[date] = {
            run["as_of"] for run in self.last_runs() if run["status"] == COMPLETE
        }
        nights = sorted(complete.intersection(self._nights(SCORES)))
        if not nights:
            raise InputError(
                f"there is no complete night at {self.folder} yet; run 'credit-spark nightly'"
            )
        return nights[-1]

    def last_runs(self) -> list[Mapping[str, Any]]:
        """The last attempt at each night's rows, the earliest night first."""
        every = self._rows(RUNS.name, RUN_FACTS)
        writing = [run for run in every if run["command"] in WRITING]
        runs = sorted(writing, key=lambda row: row["ended_at"])
        last = {run["as_of"]: run for run in runs}
        return [last[night] for night in sorted(last)]

    def state(self) -> tuple[int, ...]:
        """The Delta versions of what a night's glance is made of: another state, another glance."""
        names = (RUNS.name, SCORES, METRICS.name, MODELS.name)
        return tuple(self._table(name).version() for name in names)

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

    def metrics(self, as_of: date) -> list[Mapping[str, Any]]:
        """A night's figures; none where it was not measured."""
        return list(self._dataset(METRICS.name, as_of).to_table().to_pylist())

    def night_figures(
        self, nights: Collection[date], names: Collection[str]
    ) -> dict[date, dict[str, float | None]]:
        """Figures of all loans of several nights, by their champions; none where not measured."""
        if not DeltaTable.is_deltatable(f"{self.folder}/{METRICS.name}"):
            return {}
        asked = (
            (pc.field("dataset") == "night")
            & pc.field("metric").isin(list(names))
            & (pc.field("segment") == "all")
            & (pc.field("label") == "all")
        )
        rows = self._dataset(METRICS.name).to_table(filter=asked).to_pylist()
        found: dict[date, dict[str, float | None]] = {night: {} for night in nights}
        for row in rows:
            if row["as_of"] in found:
                found[row["as_of"]][row["metric"]] = row["value"]
        return found

    def bands(self, as_of: date, names: Sequence[str]) -> list[dict[str, Any]]:
        """A night's loans, good and bad, by band, in the contract's order."""
        rows = self._dataset(SCORES, as_of).to_table(columns=["band", "outcome", "pd"])
        loans = rows.group_by(["band", "outcome"]).aggregate([("pd", "count"), ("pd", "sum")])
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            own = [row for row in loans.to_pylist() if row["band"] == name]
            counts = {row["outcome"]: row["pd_count"] for row in own}
            total = sum(counts.values())
            found[name] = {
                "band": name,
                "loans": total,
                "mean_pd": sum(row["pd_sum"] for row in own) / total if total else None,
                "good": counts.get("good", 0),
                "bad": counts.get("bad", 0),
                "open": total - counts.get("good", 0) - counts.get("bad", 0),
            }
        return list(found.values())

    def cells(self, as_of: date, decline_from: float) -> list[Cell]:
        """A night's loans, counted by score.

        What a hard rule declined, whatever its PD, stands in the riskiest cell.
        """
        columns = ["pd", "decision", "points", "outcome"]
        found: Counter[tuple[int, int, str]] = Counter()
        for batch in self._dataset(SCORES, as_of).to_batches(columns=columns):
            rows = batch.to_pandas()
            cell = (np.log(rows["pd"] / (1 - rows["pd"])) * PER_LOG_ODDS).round()
            is_refused = (rows["decision"] == DECISIONS[-1]) & (rows["pd"] < decline_from)
            rows["cell"] = cell.mask(is_refused, WIDEST_LOG_ODDS * PER_LOG_ODDS).astype(int)
            rows["outcome"] = rows["outcome"].fillna("open")
            sizes = rows.groupby(["cell", "points", "outcome"]).size()
            found.update({key: int(count) for key, count in sizes.items()})
        return [
            Cell(cell, points, *[count if outcome == each else 0 for each in OUTCOMES])
            for (cell, points, outcome), count in sorted(found.items())
        ]

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
        return list(self._dataset(table).to_table(columns=list(columns)).to_pylist())

    def _dataset(self, table: str, as_of: date | None = None) -> Any:
        """A table's rows of one night, or of all, as they stand now."""
        partitions = None if as_of is None else [("as_of", "=", str(as_of))]
        return self._table(table).to_pyarrow_dataset(partitions, filesystem=self._files(table))

    def _files(self, table: str) -> SubTreeFileSystem | None:
        """Arrow's own files of this machine.

        Deltalake's are read through Python, which may be gone while a thread still asks for it:
        the process would then end with an abort.
        """
        folder = local_folder(self.folder)
        if folder is None:
            return None
        return SubTreeFileSystem(str(folder.resolve() / table), LocalFileSystem())

    def _table(self, name: str) -> DeltaTable:
        try:
            return DeltaTable(f"{self.folder}/{name}")
        except TableNotFoundError:
            raise InputError(
                f"there is no table '{name}' at {self.folder} yet; run 'credit-spark nightly' "
                "first, or name the right --warehouse"
            ) from None
        except (DeltaError, OSError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"the table '{name}' at {self.folder} cannot be read: {first}. Check the address, "
                "and that this user may read it"
            ) from error
