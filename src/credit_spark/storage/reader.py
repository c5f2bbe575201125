"""The tables of one portfolio, read with no Spark: for the page, and for a look at one loan.

A night that is being written is not seen: what is read is what its last complete runs have left.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from math import ceil, log
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from numpy.typing import NDArray
from pyarrow.dataset import ParquetReadOptions
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from credit_spark.adapters.staging import BLOCK_ROWS
from credit_spark.contract.errors import InputError
from credit_spark.contract.models import Decisions
from credit_spark.contract.tables import (
    DECISIONS,
    DRIFT,
    EXPECTED_LOSS,
    METRICS,
    MODELS,
    MOVEMENTS,
    PROFILES,
    QUARANTINE,
    RUNS,
    SCORE_COUNTS,
)
from credit_spark.evaluation.cells import PER_LOG_ODDS, WIDEST_LOG_ODDS, Cell
from credit_spark.evaluation.figures import ALL
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.paths import local_folder
from credit_spark.storage.runs import COMPLETE, WRITING, complete_nights

SCORES, LOANS = "scores", "loans"
OUTCOMES = ("good", "bad", "open")
RUN_FACTS = (
    "as_of", "command", "status", "started_at", "ended_at", "rows_read", "rows_accepted",
    "rows_quarantined", "rows_superseded", "model_version", "table_versions", "message", "files",
    "replaced",
    "run_id", "code_version", "contract_hash", "suite_hash",
)  # fmt: skip
SUMS = [("pd", "count"), ("pd", "sum")]
SUMS_OF_SUMS = [("pd_count", "sum"), ("pd_sum", "sum")]


class Index(NamedTuple):
    """Where a night's rows are found: hashes of their ids, in order, and each one's place.

    A place is a number among all rows; `begins` are those at which the `fragments` begin.
    """

    hashes: NDArray[np.uint64]
    places: NDArray[np.int64]
    fragments: Sequence[Any]
    begins: NDArray[np.int64]

    def found(self, loan_id: str) -> Iterator[tuple[Any, int]]:
        """The fragments and rows in them that may have an id: nearly always one or none."""
        asked = np.uint64(pl.Series([loan_id]).hash()[0])
        low = np.searchsorted(self.hashes, asked, "left")
        high = np.searchsorted(self.hashes, asked, "right")
        for place in self.places[low:high]:
            nth = int(np.searchsorted(self.begins, place, "right")) - 1
            yield self.fragments[nth], int(place - self.begins[nth])


# Of batches that are counted as they come: the library's own reads half a gigabyte ahead.
A_LITTLE_AHEAD = {"batch_readahead": 2, "fragment_readahead": 1}


class TableReader:
    """A portfolio's tables in a folder or URL.

    Runs, models and where the rows of a night are (16 bytes each) are read once and kept for as
    long as their tables stay as they are, at which is looked once a second.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder.rstrip("/")
        self.document = lru_cache(maxsize=8)(self._read_document)
        self._runs = lru_cache(maxsize=1)(self._read_runs)
        self._runs_at = lru_cache(maxsize=1)(self._look_at_runs)
        self._latest_at = lru_cache(maxsize=1)(self._look_for_latest)
        self._model = lru_cache(maxsize=8)(self._read_model)
        self._index = lru_cache(maxsize=4)(self._read_index)

    def latest(self) -> date:
        """The newest night that is complete and has scores.

        Raises:
            InputError: there is none yet.
        """
        return self._latest_at(_moment())

    def _look_for_latest(self, _: int) -> date:
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
        last = {run["as_of"]: run for run in self._every_run() if run["command"] in WRITING}
        return [last[night] for night in sorted(last)]

    def complete_nights(self) -> Mapping[date, Mapping[str, Any]]:
        """What complete runs know of each night together."""
        return complete_nights(self._every_run())

    def versions(self, as_of: date) -> dict[str, int]:
        """The Delta version of each table that a night's complete runs have left.

        What an attempt has written that broke off, or that is still under way, is not in them.
        """
        complete = [run for run in self._every_run() if run["status"] == COMPLETE]
        found: dict[str, int] = {}
        for run in complete:
            if run["as_of"] == as_of:
                found |= json.loads(run["table_versions"])
        return found

    def model_of(self, as_of: date) -> ModelDocument:
        """The model that scored a night.

        Raises:
            InputError: the night has no scores.
        """
        return self._model(as_of, self.versions(as_of).get(SCORES))

    def _read_model(self, as_of: date, version: int | None) -> ModelDocument:
        night = self._dataset(SCORES, as_of, version)
        first = night.head(1, columns=["model_version"]).to_pylist()
        if not first:
            raise InputError(f"there are no scores of {as_of} at {self.folder}")
        return self.document(first[0]["model_version"])

    def loan(self, loan_id: str, as_of: date, columns: Collection[str]) -> Mapping[str, Any] | None:
        """Columns of a loan as it was accepted that night; None: there is no such loan."""
        return self._row(LOANS, loan_id, as_of, columns)

    def score(self, loan_id: str, as_of: date) -> Mapping[str, Any] | None:
        """A loan's score of a night; None: there is no such loan."""
        return self._row(SCORES, loan_id, as_of)

    def sums(self, as_of: date, *by: str) -> list[Mapping[str, Any]]:
        """How many `loans` a night scored, and their `pd` added up, for each value of columns."""
        batches = self._night(SCORES, as_of).to_batches(columns=[*by, "pd"], **A_LITTLE_AHEAD)
        parts = [part.group_by(list(by)).aggregate(SUMS) for part in _together(batches)]
        if not parts:
            return []
        together = pa.concat_tables(parts).group_by(list(by)).aggregate(SUMS_OF_SUMS)
        return list(together.rename_columns([*by, "loans", "pd"]).to_pylist())

    def metrics(self, as_of: date) -> list[Mapping[str, Any]]:
        """A night's figures; none where it was not measured."""
        return list(self._night(METRICS.name, as_of).to_table().to_pylist())

    def drift(self, as_of: date) -> list[Mapping[str, Any]]:
        """A night's figures that are watched, as they were judged; none where it was not."""
        return self._rows_of(DRIFT.name, as_of)

    def profiles(self, as_of: date) -> list[Mapping[str, Any]]:
        """A night's bins of what is watched; none where it was not measured."""
        return self._rows_of(PROFILES.name, as_of)

    def movements(self, as_of: date) -> list[Mapping[str, Any]]:
        """What moved the points of loans that stood in the last night, too; none where none did."""
        return self._rows_of(MOVEMENTS.name, as_of)

    def _rows_of(self, table: str, as_of: date) -> list[Mapping[str, Any]]:
        if not DeltaTable.is_deltatable(f"{self.folder}/{table}"):
            return []
        return list(self._night(table, as_of).to_table().to_pylist())

    def fits(self, fitted_as_of: date) -> list[Mapping[str, Any]]:
        """The models that were fitted on a night, whole."""
        asked = pc.field("fitted_as_of") == fitted_as_of
        return list(self._dataset(MODELS.name).to_table(filter=asked).to_pylist())

    def cells_of(self, as_of: date, model_version: str, dataset: str) -> list[Cell]:
        """Loans of a data set by a model's score, as they were counted, in no order."""
        asked = (pc.field("dataset") == dataset) & (pc.field("model_version") == model_version)
        rows = self._night(SCORE_COUNTS.name, as_of).to_table(list(Cell._fields), filter=asked)
        return [Cell(**row) for row in rows.to_pylist()]

    def broken_rules(self, as_of: date) -> dict[str, int]:
        """A night's quarantined lines by the rule that they break; one line can break several."""
        found: Counter[str] = Counter()
        for batch in self._night(QUARANTINE.name, as_of).to_batches(columns=["reasons"]):
            texts = pl.Series(batch.column("reasons")).explode().drop_nulls()
            rules = texts.str.split(": ").list.first().value_counts()
            found.update(dict(rules.iter_rows()))
        return dict(found)

    def night_statuses(self) -> dict[date, Counter[str]]:
        """How many figures of each night have which status of drift."""
        found: dict[date, Counter[str]] = defaultdict(Counter)
        if DeltaTable.is_deltatable(f"{self.folder}/{DRIFT.name}"):
            columns = ["as_of", "status"]
            for row in self._dataset(DRIFT.name).to_table(columns=columns).to_pylist():
                found[row["as_of"]][row["status"]] += 1
        return found

    def night_figures(self, names: Collection[str]) -> dict[date, dict[str, float | None]]:
        """Figures of all loans of every night, by their champions; none where not measured."""
        if not DeltaTable.is_deltatable(f"{self.folder}/{METRICS.name}"):
            return {}
        asked = (
            (pc.field("dataset") == "night")
            & pc.field("metric").isin(list(names))
            & (pc.field("segment") == ALL)
            & (pc.field("label") == ALL)
        )
        found: dict[date, dict[str, float | None]] = defaultdict(dict)
        for row in self._dataset(METRICS.name).to_table(filter=asked).to_pylist():
            found[row["as_of"]][row["metric"]] = row["value"]
        return found

    def cells(self, as_of: date, decisions: Decisions) -> list[Cell]:
        """A night's loans, counted by score.

        What a hard rule declined, whatever its PD, stands in the riskiest cell. A cell lies on one
        side of `approve_below` with all its loans.
        """
        found: Counter[tuple[int, int, str]] = Counter()
        for rows in self._celled(as_of, decisions, "points", "outcome"):
            rows["outcome"] = rows["outcome"].fillna("open")
            sizes = rows.groupby(["cell", "points", "outcome"]).size()
            found.update({key: int(count) for key, count in sizes.items()})
        return [
            Cell(cell, points, *[count if outcome == each else 0 for each in OUTCOMES])
            for (cell, points, outcome), count in sorted(found.items())
        ]

    def losses(self, as_of: date, decisions: Decisions) -> dict[int, float] | None:
        """The expected loss of a night's loans, added up by the cells of `cells`.

        None: the night's scores do not tell it, since the contract did not name it then.
        """
        if EXPECTED_LOSS not in self._night(SCORES, as_of).schema.names:
            return None
        found: dict[int, float] = defaultdict(float)
        for rows in self._celled(as_of, decisions, EXPECTED_LOSS):
            for cell, loss in rows.groupby("cell")[EXPECTED_LOSS].sum().items():
                found[int(cell)] += float(loss)
        return found

    def _celled(self, as_of: date, decisions: Decisions, *columns: str) -> Iterator[Any]:
        """Columns of a night's scores with their `cell`, a part of them at a time."""
        needed = ["pd", "decision", *columns]
        bound = decisions.approve_below
        first_above = ceil(log(bound / (1 - bound)) * PER_LOG_ODDS)
        for batch in self._night(SCORES, as_of).to_batches(columns=needed):
            rows = batch.to_pandas()
            cell = (np.log(rows["pd"] / (1 - rows["pd"])) * PER_LOG_ODDS).round()
            is_below = rows["pd"] < bound
            cell = cell.clip(upper=first_above - 1).where(is_below, cell.clip(lower=first_above))
            is_refused = (rows["decision"] == DECISIONS[-1]) & (rows["pd"] < decisions.decline_from)
            rows["cell"] = cell.mask(is_refused, WIDEST_LOG_ODDS * PER_LOG_ODDS).astype(int)
            yield rows

    def _row(
        self, table: str, loan_id: str, as_of: date, columns: Collection[str] | None = None
    ) -> Mapping[str, Any] | None:
        needed = None if columns is None else [*{"loan_id": None, **dict.fromkeys(columns)}]
        index = self._index(table, as_of, self.versions(as_of).get(table))
        for fragment, nth in index.found(loan_id):
            group = fragment.to_table(columns=needed, use_threads=False)
            (row,) = group.slice(nth, 1).to_pylist()
            if row["loan_id"] == loan_id:
                return dict(row)
        return None

    def _read_index(self, table: str, as_of: date, version: int | None) -> Index:
        schema = self._dataset(table, as_of, version).schema
        texts = [each.name for each in schema if pa.types.is_string(each.type)]
        # Of a row group's texts one row's are asked for: the others stay codes.
        coded = self._dataset(table, as_of, version, coded={*texts} - {"loan_id"})
        fragments = [part for file in coded.get_fragments() for part in file.split_by_row_group()]
        hashes = [np.empty(0, np.uint64)]
        for part in fragments:
            ids = pl.Series(part.to_table(columns=["loan_id"])["loan_id"])
            hashes.append(ids.hash().to_numpy())
        everything = np.concatenate(hashes)
        places = np.argsort(everything, kind="stable")
        begins = np.cumsum([len(each) for each in hashes])[:-1]
        return Index(everything[places], places, fragments, begins)

    def _read_document(self, version: str) -> ModelDocument:
        """A model's document.

        Raises:
            InputError: there is no such model.
        """
        is_asked = pc.field("model_version") == version
        rows = self._dataset(MODELS.name).to_table(columns=["document"], filter=is_asked)
        if not rows.num_rows:
            raise InputError(f"there is no model '{version}' at {self.folder}")
        return ModelDocument.of(rows["document"][0].as_py())

    def _every_run(self) -> list[Mapping[str, Any]]:
        """Every attempt, in the order in which they ended."""
        return self._runs_at(_moment())

    def _look_at_runs(self, _: int) -> list[Mapping[str, Any]]:
        return self._runs(self._table(RUNS.name).version())

    def _read_runs(self, version: int) -> list[Mapping[str, Any]]:
        runs = self._dataset(RUNS.name, version=version).to_table(columns=list(RUN_FACTS))
        return sorted(runs.to_pylist(), key=lambda run: run["ended_at"])

    def _nights(self, table: str) -> list[date]:
        partitions = self._table(table).partitions()
        return [date.fromisoformat(each["as_of"]) for each in partitions]

    def _night(self, table: str, as_of: date) -> Any:
        """A night's rows of a table, as its complete runs have left them."""
        return self._dataset(table, as_of, self.versions(as_of).get(table))

    def _dataset(
        self,
        table: str,
        as_of: date | None = None,
        version: int | None = None,
        coded: Collection[str] = (),
    ) -> Any:
        """A table's rows, of one night or of all, at a version or as they stand now.

        The fragments' texts in `coded` columns are codes of a dictionary.
        """
        partitions = None if as_of is None else [("as_of", "=", str(as_of))]
        return self._at(table, version).to_pyarrow_dataset(
            partitions,
            filesystem=self._files(table),
            parquet_read_options=ParquetReadOptions(dictionary_columns={*coded}),
        )

    def _files(self, table: str) -> SubTreeFileSystem | None:
        """Arrow's own files of this machine.

        Deltalake's are read through Python, which may be gone while a thread still asks for it:
        the process would then end with an abort.
        """
        folder = local_folder(self.folder)
        if folder is None:
            return None
        return SubTreeFileSystem(str(folder.resolve() / table), LocalFileSystem())

    def _at(self, name: str, version: int | None) -> DeltaTable:
        """A table at a version; as it stands now where its log no longer reaches back so far.

        Delta forgets a version after a month. A night that was rewritten since has a newer one.
        """
        try:
            return self._table(name) if version is None else self._table(name, version)
        except InputError:
            return self._table(name)

    def _table(self, name: str, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(f"{self.folder}/{name}", version=version)
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


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches, which are as small as row groups, as tables of so many rows that grouping pays."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(each.num_rows for each in held) >= BLOCK_ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _moment() -> int:
    """What is looked at once in a moment is the same until the next: a second."""
    return int(monotonic())
