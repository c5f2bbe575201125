"""The tables of one portfolio, read without Spark: for the page, the look-ups and the reports.

Tables are read by deltalake on their current snapshot. A batch date counts from its first complete
run on: a rerun that is under way or was stopped does not hide it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import lru_cache, reduce
from math import ceil, log
from operator import and_
from typing import Any, NamedTuple

import duckdb
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow import ArrowNotImplementedError
from pyarrow.dataset import Dataset
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem
from sqlglot import exp

from credit_spark.config.errors import InputError, NotMigratedError, listed
from credit_spark.config.models import Contract, Decisions
from credit_spark.config.tables import (
    DECISIONS,
    DRIFT,
    EXPECTED_LOSS,
    METRICS,
    MODELS,
    QUARANTINE,
    RENAMED_TABLES,
    RUNS,
    SCORE_DISTRIBUTION,
    WIDEST_LOG_ODDS,
    Table,
)
from credit_spark.evaluation.figures import ALL
from credit_spark.evaluation.score_bins import PER_LOG_ODDS, ScoreBin
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.policy import Policy
from credit_spark.storage.paths import local_folder, url_of_tables
from credit_spark.storage.runs import COMPLETE, WRITING, complete_dates

SCORES, LOANS = "scores", "loans"
# All but the settings, which are long.
RUN_FACTS = (*(name for name in RUNS.columns if name != "settings"), "run_id")
Row = Mapping[str, Any]


class Mature(NamedTuple):
    """What makes a loan mature: the column that dates it, and the newest day that is old enough."""

    column: str
    newest: date


class TableReader:
    """The tables of a portfolio in a folder or URL, as they are now.

    What never changes is kept: a model's document, and `runs` until the table has a new version.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder.rstrip("/")
        self.document = lru_cache(maxsize=8)(self._read_document)
        self._runs = lru_cache(maxsize=1)(self._read_runs)
        self._check_names = lru_cache(maxsize=1)(self._read_names)

    def latest(self) -> date:
        """The newest batch date that is complete and has scores.

        Raises:
            InputError: there is none yet.
        """
        complete, partitions = self.complete_dates(), self._table(SCORES).partitions()
        if found := complete.keys() & {date.fromisoformat(each["as_of"]) for each in partitions}:
            return max(found)
        raise InputError(
            f"there is no complete run at {self.folder} yet; run 'credit-spark nightly'"
        )

    def last_runs(self) -> list[Row]:
        """What each date's complete runs yielded, else its newest run, the earliest date first.

        Times and message are the newest complete run's. `newest` is the newest run of the date,
        whatever its status.
        """
        runs = [run for run in self._every_run() if run["command"] in WRITING]
        newest = {run["as_of"]: run for run in runs}
        complete = {run["as_of"]: run for run in runs if run["status"] == COMPLETE}
        merged = {
            day: {**facts, "message": complete[day]["message"]}
            for day, facts in self.complete_dates().items()
        }
        return [{**(newest | merged)[day], "newest": newest[day]} for day in sorted(newest)]

    def complete_dates(self) -> Mapping[date, Row]:
        """What the complete runs of each batch date yielded together."""
        return complete_dates(self._every_run())

    def model_of(self, as_of: date) -> ModelDocument:
        """The model that scored a batch date.

        Raises:
            InputError: the date has no scores.
        """
        with self._reached(SCORES):
            first = self._dataset(SCORES, as_of).head(1, columns=["model_version"]).to_pylist()
        if not first:
            raise InputError(f"there are no scores of {as_of} at {self.folder}")
        return self.document(first[0]["model_version"])

    def policy_of(self, as_of: date, contract: Contract) -> Policy:
        """The policy by which a date was scored; the contract's where that is not known."""
        known = self.complete_dates().get(as_of, {}).get("policy")
        return Policy.model_validate_json(known) if known else Policy.of(contract)

    def loan(self, loan_id: str, as_of: date, columns: Collection[str]) -> Row | None:
        """Columns of a loan as it was accepted on a date; None: there is no such loan."""
        return self._row(LOANS, loan_id, as_of, columns)

    def score(self, loan_id: str, as_of: date) -> Row | None:
        """The score of a loan on a date; None: there is no such loan."""
        return self._row(SCORES, loan_id, as_of)

    def rules_failed(self, loan_id: str, as_of: date) -> list[str]:
        """The names of the rules that keep a loan's records in quarantine, without its values."""
        rows = self.rows(QUARANTINE, as_of, pc.field("loan_id") == loan_id, ["reasons"])
        return sorted({each.partition(":")[0] for row in rows for each in row["reasons"]})

    def sums(self, as_of: date, *by: str, mature: Mature | None = None) -> list[Row]:
        """How many `loans` were scored, and the sum of their `pd`, for each value of columns.

        An `outcome` of a loan that is not mature counts as open.
        """
        columns, rows = ", ".join(by), _with_maturity(mature)
        sums = f"select {columns}, count(*) as loans, sum(pd) as pd from {rows}"  # noqa: S608 - our own
        with self._reached(SCORES, *([LOANS] if mature else [])):
            return _query(f"{sums} group by all order by all", **self._scored(as_of, mature))

    def rows(
        self,
        table: Table,
        as_of: date | None = None,
        where: pc.Expression | None = None,
        columns: Collection[str] | None = None,
    ) -> list[Row]:
        """Rows of a table, of one batch date or of all; none where there is no such table yet."""
        with self._reached(table.name):
            self._check_names()
            if not DeltaTable.is_deltatable(self._url(table.name)):
                return []
            found = self._dataset(table.name, as_of).to_table(columns, filter=where)
        return list(found.to_pylist())

    def fits(self, fitted_as_of: date) -> list[Row]:
        """The models that were fitted on a date, with all columns."""
        return self.rows(MODELS, where=pc.field("fitted_as_of") == fitted_as_of)

    def score_bins_of(self, as_of: date, model_version: str, dataset: str) -> list[ScoreBin]:
        """Loans of a data set, counted by a model's score, in no order."""
        own = (pc.field("dataset") == dataset) & (pc.field("model_version") == model_version)
        return [
            ScoreBin(**row)
            for row in self.rows(SCORE_DISTRIBUTION, as_of, own, list(ScoreBin._fields))
        ]

    def broken_rules(self, as_of: date) -> dict[str, int]:
        """The quarantined lines of a date by the rule that they break; a line can break several."""
        sql = (
            "select split_part(reason, ': ', 1) as rule, count(*) as lines from "
            "(select unnest(reasons) as reason from rows) where reason is not null group by rule"
        )
        with self._reached(QUARANTINE.name):
            rows = _query(sql, rows=self._dataset(QUARANTINE.name, as_of))
        return {row["rule"]: row["lines"] for row in rows}

    def date_statuses(self) -> dict[date, set[str]]:
        """The statuses of each date's monitored figures, by the model that scored it."""
        found: dict[date, set[str]] = defaultdict(set)
        rows = self.rows(DRIFT, columns=["as_of", "model_version", "status"])
        for row in self._of_scoring_models(rows):
            found[row["as_of"]].add(row["status"])
        return found

    def date_figures(self, names: Collection[str]) -> dict[date, dict[str, float | None]]:
        """Metrics of all loans of every date, by the model that scored it.

        None where the date was not measured since.
        """
        wanted = {"dataset": ["batch"], "metric": [*names], "segment": [ALL], "label": [ALL]}
        is_overall = [pc.field(column).isin(values) for column, values in wanted.items()]
        found: dict[date, dict[str, float | None]] = defaultdict(dict)
        for row in self._of_scoring_models(self.rows(METRICS, where=reduce(and_, is_overall))):
            found[row["as_of"]][row["metric"]] = row["value"]
        return found

    def _of_scoring_models(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Rows of the models that scored their dates, and not of those that did before."""
        dates = self.complete_dates()
        for row in rows:
            version = dates.get(row["as_of"], {}).get("model_version")
            if version in (None, row["model_version"]):
                yield row

    def score_bins_and_losses(
        self,
        as_of: date,
        decisions: Decisions,
        rules: Mapping[str, Collection[str]] | None = None,
        mature: Mature | None = None,
    ) -> tuple[list[ScoreBin], dict[int, float] | None]:
        """The loans of a date, counted by score, and their expected loss by score bin.

        The least risky bin comes first. A loan that a hard rule declines, whatever its PD, is in
        the riskiest one: by the rules that the date was scored with, whose `decisions` are then
        needed, or by other `rules`, conditions in DuckDB's SQL with the columns of `loans` that
        each reads. A bin lies on one side of `approve_below` with all its loans. Loans that are not
        mature count as open. Losses are None where the contract named no exposure when the loans
        were scored.

        Raises:
            InputError: the date's loans lack a column that is read.
        """
        datasets = self._scored(as_of, mature)
        if rules:
            read = {name for columns in rules.values() for name in columns}
            datasets["loans"] = self._loans_with(as_of, read)
        has_column = EXPECTED_LOSS in datasets["scores"].schema.names
        sql = (
            f"select {_score_bin(decisions.approve_below)} as score_bin, points, "  # noqa: S608
            "count(*) filter (where outcome = 'good') as good, "
            "count(*) filter (where outcome = 'bad') as bad, "
            "count(*) filter (where coalesce(outcome, 'open') = 'open') as open, "
            f"sum({EXPECTED_LOSS if has_column else 'null'}) as loss "
            f"from {_with_refusals(_with_maturity(mature), decisions, rules)} "
            "group by all order by score_bin, points"
        )
        with self._reached(SCORES, *([LOANS] if mature or rules else [])):
            rows = _query(sql, **datasets)
        losses: dict[int, float] = defaultdict(float)
        for row in rows:
            losses[row["score_bin"]] += row["loss"] or 0.0
        score_bins = [ScoreBin(*[row[name] for name in ScoreBin._fields]) for row in rows]
        # A column stays, and is null of dates that were scored without a loss.
        return score_bins, losses if any(row["loss"] is not None for row in rows) else None

    def _scored(self, as_of: date, mature: Mature | None) -> dict[str, Dataset]:
        """The data sets that `_with_maturity` reads."""
        datasets = {"scores": self._dataset(SCORES, as_of)}
        if mature:
            datasets["dated"] = self._loans_with(as_of, {mature.column})
        return datasets

    def _loans_with(self, as_of: date, columns: set[str]) -> Dataset:
        """The loans of a date, which must have these columns."""
        loans = self._dataset(LOANS, as_of)
        if lacking := sorted(columns - {*loans.schema.names}):
            headline = (
                f"the contract reads columns that the loans of {as_of} lack; clean them again"
            )
            raise InputError(listed(headline, lacking))
        return loans

    def _row(
        self, table: str, loan_id: str, as_of: date, columns: Collection[str] | None = None
    ) -> Row | None:
        """One row: its id is looked for first, and then the row group that has it is read.

        The statistics of files and row groups leave out those that cannot have the row.
        """
        is_loan = pc.field("loan_id") == loan_id
        with self._reached(table):
            for file in self._dataset(table, as_of).get_fragments(filter=is_loan):
                for group in file.split_by_row_group(filter=is_loan):
                    if group.count_rows(filter=is_loan):
                        (row,) = group.to_table(columns=columns, filter=is_loan).to_pylist()
                        return dict(row)
        return None

    def _read_document(self, version: str) -> ModelDocument:
        rows = self.rows(MODELS, None, pc.field("model_version") == version, ["document"])
        if not rows:
            raise InputError(f"there is no model '{version}' at {self.folder}")
        return ModelDocument.of(rows[0]["document"])

    def _every_run(self) -> list[Row]:
        """Every run: those that have ended in that order, then those that have not."""
        return self._runs(self._table(RUNS.name).version())

    def _read_runs(self, _: int) -> list[Row]:
        runs = self.rows(RUNS, columns=list(RUN_FACTS))
        # A run that is under way has no end; that of an abandoned one is not known.
        return sorted(runs, key=lambda run: run["ended_at"] or run["started_at"])

    def _read_names(self) -> None:
        """Make sure that no table has the name of an earlier version.

        Raises:
            NotMigratedError: one has.
        """
        if any(map(self._has_former_name, RENAMED_TABLES)):
            raise NotMigratedError(self.folder)

    def _has_former_name(self, table: Table) -> bool:
        former, now = map(self._url, (table.renames.table, table.name))
        return DeltaTable.is_deltatable(former) and not DeltaTable.is_deltatable(now)

    def _url(self, table: str) -> str:
        return f"{url_of_tables(self.folder)}/{table}"

    def _dataset(self, table: str, as_of: date | None = None) -> Dataset:
        """The rows of a table now, of one batch date or of all."""
        partitions = None if as_of is None else [("as_of", "=", str(as_of))]
        return self._table(table).to_pyarrow_dataset(partitions, filesystem=self._files(table))

    def _files(self, table: str) -> SubTreeFileSystem | None:
        """Arrow's own file system for a local folder; None: deltalake's.

        Deltalake's needs Python: a thread that reads while Python ends would abort the process.
        """
        if local_folder(self.folder) is None:
            return None
        return SubTreeFileSystem(self._url(table), LocalFileSystem())

    def _table(self, name: str) -> DeltaTable:
        with self._reached(name):
            self._check_names()
            return DeltaTable(self._url(name))

    @contextmanager
    def _reached(self, *names: str) -> Iterator[None]:
        """Say that a table, or one of several, is not there, or cannot be read."""
        name = "' or '".join(names)
        try:
            yield
        except TableNotFoundError:
            raise InputError(
                f"there is no table '{name}' at {self.folder} yet; run 'credit-spark nightly' "
                "first, or name the right --warehouse"
            ) from None
        except (duckdb.InvalidInputException, ArrowNotImplementedError) as error:
            # DuckDB has no class for what Arrow raises; Arrow cannot filter texts of delta-rs.
            raise InputError(
                f"the table '{name}' at {self.folder} cannot be read: a file of it is gone, or was "
                "rewritten without Spark; run 'credit-spark nightly' again for its date"
            ) from error
        except (DeltaError, OSError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"the table '{name}' at {self.folder} cannot be read: {first}. Check the address, "
                "and that this user may read it"
            ) from error


def _with_maturity(mature: Mature | None) -> str:
    """SQL of `scores`, where outcomes of loans that are not mature are open."""
    if mature is None:
        return "scores"
    column = str(exp.to_identifier(mature.column, quoted=True).sql(dialect="duckdb"))
    is_mature = f"coalesce({column} <= date '{mature.newest}', false)"
    outcome = "case when is_mature then outcome else 'open' end as outcome"
    dated = f"(select loan_id, {is_mature} as is_mature from dated)"  # noqa: S608 - our own
    return f"(select scores.* replace ({outcome}) from scores left join {dated} using (loan_id))"  # noqa: S608


def _with_refusals(scores: str, decisions: Decisions, rules: Iterable[str] | None) -> str:
    """SQL of `scores` with `is_refused`: whether a hard rule declines the loan.

    Without other `rules`, it is what the date's own have declined. What is not known does not hold.
    """
    if rules:
        held = " or ".join(f"coalesce({rule}, false)" for rule in rules)
        refused = f"(select loan_id, {held} as is_refused from loans)"  # noqa: S608
        return f"{scores} left join {refused} using (loan_id)"
    by_own = f"decision = '{DECISIONS[-1]}' and pd < {decisions.decline_from!r}"
    is_refused = by_own if rules is None else "false"
    return f"(select *, {is_refused} as is_refused from {scores})"  # noqa: S608


def _score_bin(approve_below: float) -> str:
    """SQL of a loan's score bin: its log-odds in thousandths.

    Hard rules decline loans whatever their PD: those are in the riskiest score bin. A score bin
    lies on one side of the cut-off with all its loans.
    """
    first_above = ceil(log(approve_below / (1 - approve_below)) * PER_LOG_ODDS)
    own = f"round_even(ln(pd / (1 - pd)) * {PER_LOG_ODDS}, 0)"
    return (
        f"case when is_refused then {WIDEST_LOG_ODDS * PER_LOG_ODDS} "
        f"when pd < {approve_below!r} then least({own}, {first_above - 1}) "
        f"else greatest({own}, {first_above}) end::int"
    )


def _query(sql: str, **datasets: Dataset) -> list[Row]:
    """The result of a query over datasets by name, with filters and columns pushed down."""
    with duckdb.connect() as connection:
        for name, dataset in datasets.items():
            connection.register(name, dataset)
        return list(connection.sql(sql).to_arrow_table().to_pylist())
