"""The one adapter to Delta tables: a night's rows are replaced in one commit each.

Large tables come as files that tasks have staged, small ones as rows. Delta's log is read and
written by deltalake: no job of Spark's is needed for it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql import DataFrame, SparkSession

from credit_spark.adapters.staging import ARROW_TYPES, Stage, Staged, discard
from credit_spark.contract.errors import InputError, TryAgainError, listed
from credit_spark.contract.tables import AS_OF, RUN_ID, Field, Table
from credit_spark.evaluation.questions import NOTHING_ASKED, Questionnaire
from credit_spark.storage.paths import literal, url_of, url_of_tables

CHECK = "delta.constraints."
# In the log, what names a commit of ours.
COMMITTED_BY = "committed_by"
# As many runs as may write to one table while one of them looks at its own commit.
LAST_COMMITS = 20
# Of other nights' runs on the same table at the same moment.
MOST_TRIES = 5
# Delta's types as Spark has them.
SPARK_TYPES = {"integer": "int", "long": "bigint"}


class Tables:
    """The tables of one portfolio, as one run of one night sees and writes them.

    `versions` has the Delta version of each table that this run has written.
    """

    def __init__(self, spark: SparkSession, folder: str, as_of: date, run_id: str) -> None:
        self._spark = spark
        self.folder = url_of_tables(folder)
        self._as_of = as_of
        self._run_id = run_id
        self._commits = 0
        self._stages: dict[str, Stage] = {}
        self.versions: dict[str, int] = {}

    def of_night(self, as_of: date) -> "Tables":
        """The same tables as another night's."""
        return Tables(self._spark, self.folder, as_of, self._run_id)

    def path(self, table: Table) -> str:
        """The folder or URL of a table."""
        return f"{self.folder}/{table.name}"

    def stage(self, table: Table, asked: Questionnaire = NOTHING_ASKED) -> Stage:
        """Where tasks write this night's files of a table, and what is asked of their rows."""
        stage = Stage(self.path(table), table, self._as_of, self._run_id, asked)
        self._stages[table.name] = stage
        return stage

    def discard(self) -> None:
        """Take away the files that this run has staged and not committed."""
        for stage in self._stages.values():
            known = self._files(stage.table) if self.exists(stage.table) else []
            discard(stage, [each.removeprefix(f"{stage.folder}/") for each in known])

    def exists(self, table: Table) -> bool:
        """Whether the table was ever written."""
        return DeltaTable.is_deltatable(self.path(table))

    def files(self, table: Table, written_by: str) -> list[str]:
        """This night's files of a table, at least one.

        Raises:
            InputError: there are none; `written_by` is the command that writes them.
        """
        found = self._files(table)
        if not found:
            raise InputError(
                f"there are no {table.name} of {self._as_of} yet; run '{written_by}' for that "
                "night first"
            )
        return found

    def tonight(self, table: Table, written_by: str) -> DataFrame:
        """This night's rows of a table, at least one.

        Raises:
            InputError: there are none; `written_by` is the command that writes them.
        """
        return self.frame(table, self.files(table, written_by))

    def frame(self, table: Table, files: Sequence[str]) -> DataFrame:
        """The rows of files of a table, staged ones too, with its declared columns."""
        schema = ", ".join(f"{name} {field.type}" for name, field in table.columns.items())
        return self._spark.read.schema(schema).parquet(*[literal(url_of(file)) for file in files])

    def rows(
        self, table: Table, columns: Collection[str], only: ds.Expression | None = None
    ) -> list[dict[str, Any]]:
        """Some rows of a small table, of whatever night.

        Raises:
            InputError: the table was never written.
        """
        found = self._delta(table).to_pyarrow_dataset().to_table(list(columns), filter=only)
        return list(found.to_pylist())

    def replace(self, table: Table, staged: Sequence[Staged]) -> int:
        """Put staged files in the place of this night's, in one commit, and count their rows.

        Raises:
            TryAgainError: another run wrote the same night at the same moment.
        """
        self.create(table)
        partition = {"as_of": str(self._as_of)}
        added: list[AddAction | RemoveAction] = [
            AddAction(each.path, each.size, partition, 0, data_change=True, stats=each.stats)
            for each in staged
        ]

        def commit(delta: DeltaTable, named: CommitProperties) -> None:
            delta.create_write_transaction(
                added,
                "overwrite",
                delta.schema(),
                ["as_of"],
                [("as_of", "=", str(self._as_of))],
                commit_properties=named,
            )

        # Delta sees no conflict between two first commits of one night: both would stand. On one
        # machine only the run that has the night's lock comes here.
        for _ in range(MOST_TRIES):
            self._committed(table, commit)
            if len(self._files(table)) == len(staged):
                return sum(each.rows for each in staged)
        raise _in_the_way(table)

    def write(self, table: Table, rows: Sequence[Mapping[str, Any]], within: str) -> int:
        """Replace this night's rows that `within`, a condition, holds for, by a few others.

        Every new row must keep to it. In one commit; the rows are counted.

        Raises:
            TryAgainError: another run wrote the same rows meanwhile.
        """
        self.create(table)
        tonight = f"as_of = '{self._as_of}' and ({within})"
        values = self._arrow(table, rows)

        def commit(delta: DeltaTable, named: CommitProperties) -> None:
            write_deltalake(
                delta, values, mode="overwrite", predicate=tonight, commit_properties=named
            )

        self._committed(table, commit)
        return len(rows)

    def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add a few rows, given by their columns, in one commit."""
        self.create(table)
        values = self._arrow(table, rows)
        self._committed(
            table,
            lambda delta, named: write_deltalake(
                delta, values, mode="append", commit_properties=named
            ),
        )
        return len(rows)

    def rewrite(self, table: Table, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        """Set columns of every row of a small table to what a function of the row gives.

        In one commit, of the rows as they stood right before it.
        """

        def commit(delta: DeltaTable, named: CommitProperties) -> None:
            rows = [row | change(row) for row in delta.to_pyarrow_table().to_pylist()]
            values = pa.Table.from_pylist(rows, _schema(table))
            write_deltalake(delta, values, mode="overwrite", commit_properties=named)

        self._committed(table, commit)

    def create(self, table: Table) -> None:
        """Make the table where it is not there yet, with its checks."""
        if self.exists(table):
            return
        with suppress(CommitFailedError):
            # Where another run makes it at the same moment, it is there as well.
            self._make(table)
        self._delta(table)

    def _make(self, table: Table) -> None:
        checks = {f"{CHECK}{name}": condition for name, condition in table.checks.items()}
        DeltaTable.create(
            self.path(table),
            _schema(table),
            mode="ignore",
            partition_by=["as_of"] if table.is_nightly else None,
            configuration={
                **checks,
                # The first version of writers that keeps checks.
                "delta.minWriterVersion": "3",
                # Deletion vectors would lock out readers without Spark.
                "delta.enableDeletionVectors": "false",
                # The bounds of every column would take long, and tell a reader little of a table
                # that is in no order.
                "delta.dataSkippingNumIndexedCols": "1",
            },
            raise_if_key_not_exists=False,
        )

    def compare(self, table: Table) -> None:
        """Make sure that a table, where it is there, has the columns and checks that are declared.

        Raises:
            InputError: it has others, and every difference.
        """
        if not self.exists(table):
            return
        delta = self._delta(table)
        wanted = {name: field.type for name, field in _all_columns(table).items()}
        found = {field.name: _spark_type(field.type) for field in delta.schema().fields}
        faults = [
            f"{name}: {found.get(name, 'missing')} in the table, "
            f"{wanted.get(name, 'missing')} in the contract"
            for name in sorted(wanted.keys() | found.keys())
            if wanted.get(name) != found.get(name)
        ]
        # Those that others have added, too: who writes to the table has to keep them.
        kept = {
            name.removeprefix(CHECK): condition
            for name, condition in delta.metadata().configuration.items()
            if name.startswith(CHECK)
        }
        faults += [
            f"{name}: the table checks '{kept.get(name)}', this version checks "
            f"'{table.checks.get(name)}'"
            for name in sorted(kept.keys() | table.checks.keys())
            if kept.get(name) != table.checks.get(name)
        ]
        if faults:
            headline = (
                f"the table '{table.name}' at {self.path(table)} has other columns or checks than "
                "the contract and this version have; mend the contract, or write to another "
                "--warehouse"
            )
            raise InputError(listed(headline, faults))

    def _delta(self, table: Table) -> DeltaTable:
        if not self.exists(table):
            raise InputError(
                f"there is no table '{table.name}' at {self.path(table)} yet; run the step that "
                "writes it first, or name the right --warehouse"
            )
        return DeltaTable(self.path(table))

    def _files(self, table: Table) -> list[str]:
        tonight = [("as_of", "=", str(self._as_of))]
        found = self._delta(table).file_uris(file_pruning_predicate=tonight)
        # Its words for the table's folder are not those of every reader: blanks, brackets.
        below = (unquote("/".join(each.split("/")[-2:])) for each in found)
        return sorted(f"{self.path(table)}/{each}" for each in below)

    def _arrow(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        stamps = {"run_id": self._run_id} | ({"as_of": self._as_of} if table.is_nightly else {})
        return pa.Table.from_pylist([{**row, **stamps} for row in rows], _schema(table))

    def _committed(
        self, table: Table, commit: Callable[[DeltaTable, CommitProperties], None]
    ) -> None:
        """Commit under a name of its own, on the table as it stands; again where others were first.

        Raises:
            TryAgainError: others were first every time.
        """
        self._commits += 1
        name = f"{self._run_id} {self._commits}"
        for _ in range(MOST_TRIES):
            delta = self._delta(table)
            try:
                commit(delta, CommitProperties(custom_metadata={COMMITTED_BY: name}))
            except CommitFailedError:
                continue
            self.versions[table.name] = self._version(table, name)
            return
        raise _in_the_way(table)

    def _version(self, table: Table, name: str) -> int:
        """The version that the commit of a name has made: others may have come since."""
        commits = self._delta(table).history(LAST_COMMITS)
        return next(int(each["version"]) for each in commits if each.get(COMMITTED_BY) == name)


def _in_the_way(table: Table) -> TryAgainError:
    return TryAgainError(
        f"another run wrote to '{table.name}' at the same moment; run the same command again"
    )


def _all_columns(table: Table) -> dict[str, Field]:
    stamps = {"as_of": AS_OF} if table.is_nightly else {}
    return {**table.columns, **stamps, "run_id": RUN_ID}


def _schema(table: Table) -> pa.Schema:
    never_null = (*table.keys, "as_of", "run_id")
    return pa.schema(
        [
            pa.field(name, ARROW_TYPES[field.type], nullable=name not in never_null)
            for name, field in _all_columns(table).items()
        ]
    )


def _spark_type(type_: Any) -> str:
    """A type of Delta's as Spark writes it."""
    if hasattr(type_, "element_type"):
        return f"array<{_spark_type(type_.element_type)}>"
    return str(SPARK_TYPES.get(type_.type, type_.type))
