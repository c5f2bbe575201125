"""The Delta tables of one portfolio, read and written by Spark.

What a run makes is staged (`stage`, `stage_rows`), and written by `publish` after its gates: one
commit replaces a batch date's rows of a table. Three methods write at once: `replace` (the
quarantine), `append` (`validations`) and `rewrite` (`runs`, `models`). All of them commit by
commits.py; schema.py creates and alters tables.

An older run of the same date cannot overwrite a newer one, on storage without locks either: each
commit carries the run's fence (`txnAppId`, `txnVersion`), and Delta skips a commit whose fence is
lower than one that it has seen.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from itertools import count
from typing import Any, NamedTuple, cast

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from credit_spark.config.errors import InputError, NotMigratedError, TryAgainError
from credit_spark.config.tables import RUNS, ColumnSpec, Table
from credit_spark.storage import commits, schema
from credit_spark.storage.commits import delta_errors, retried, taken_over
from credit_spark.storage.paths import url_of, url_of_tables

# One commit waits for the storage while another's tasks run.
PARALLEL_COMMITS = 2
RowsChange = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


class Staged(NamedTuple):
    """Rows that replace a batch date's rows at the next publish: all of them, or those `within`."""

    table: Table
    rows: DataFrame
    within: str | None


class Tables:
    """The tables of one portfolio, as one run of one batch date sees and writes them.

    `versions` has the Delta version of each table that this run has written. `fence` is the
    version of `runs` at which the run claimed its date; 0: it has claimed none.
    """

    def __init__(self, spark: SparkSession, folder: str, as_of: date, run_id: str) -> None:
        self.spark = spark
        self.folder = url_of(folder)
        self.as_of = as_of
        self.run_id = run_id
        self.fence = 0
        self.versions: dict[str, int] = {}
        self._numbers = count(1)
        self._staged: dict[str, Staged] = {}
        self._before_publish: list[Callable[[], object]] = []
        self._after_publish: list[Callable[[], object]] = []

    def of_date(self, as_of: date) -> "Tables":
        """The same tables for another batch date."""
        return Tables(self.spark, self.folder, as_of, self.run_id)

    def path(self, table: Table) -> str:
        """The URL of a table."""
        return f"{self.folder}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether the table has been created."""
        return bool(DeltaTable.isDeltaTable(self.spark, self.path(table)))

    def former_name(self, table: Table) -> str | None:
        """The name of the table where it, or a column of it, has that of an earlier version."""
        if existing := self._existing(table):
            return table.name if existing.has_former_columns else None
        return table.renames.table if self._is_under_former_name(table) else None

    def create(self, table: Table) -> None:
        """Create a table that does not exist yet, with its comments and constraints.

        Raises:
            TryAgainError: another run creates it all the time, or its folder has other files.
        """

        def created() -> None:
            if not self.exists(table):
                with delta_errors(self.path(table)):
                    schema.create(self.spark, self.path(table), table)

        retried(created)

    def evolve(self, *tables: Table, comments: bool = False) -> list[str]:
        """Add new columns and constraints of the declarations, and, if `comments`, their comments.

        A table that does not exist is left out. The result says what has changed, a sentence each.

        Raises:
            InputError: a name, type or meaning has changed, or rows break a constraint: none is
                changed.
        """
        changes: list[str] = []
        # What was changed before another run came in between is said, too.
        retried(lambda: changes.extend(self._evolve_once(tables, comments=comments)))
        return changes

    def _evolve_once(self, tables: Sequence[Table], *, comments: bool) -> Iterator[str]:
        with ThreadPoolExecutor(schema.PARALLEL_LOOKS) as threads:
            existing = [*threads.map(self._existing, tables)]
            pairs = zip(tables, existing, strict=True)
            missing = [table for table, each in pairs if each is None]
            is_former = any(threads.map(self._is_under_former_name, missing))
        found = [each for each in existing if each]
        if is_former or any(each.has_former_columns for each in found):
            raise NotMigratedError(url_of_tables(self.folder))
        schema.check(found)
        with delta_errors(self.folder):
            for each in found:
                yield from each.evolve(comments=comments)

    def stage(self, table: Table, frame: DataFrame) -> None:
        """Let `frame` replace this date's rows at the next publish.

        It has the table's columns; `as_of` and `run_id` are added.
        """
        self._staged[table.name] = Staged(table, _declared(table, frame), None)

    def stage_rows(self, table: Table, rows: Sequence[Mapping[str, Any]], within: str) -> None:
        """Let a few rows replace this date's rows at the next publish for which `within` holds.

        `within` is a condition in Spark SQL, which holds for each of `rows`.
        """
        new, before = self.frame(table, rows), self._staged.get(table.name)
        if before is None:
            self._staged[table.name] = Staged(table, new, within)
            return
        together = _outside(before.rows, within).union(new)
        both = before.within and f"({before.within}) or ({within})"
        self._staged[table.name] = Staged(table, together, both)

    def read(self, table: Table, written_by: str) -> DataFrame:
        """This date's rows with the declared columns; what is staged replaces what is published.

        Raises:
            InputError: there are none; `written_by` is the command that writes them.
        """
        staged = self._staged.get(table.name)
        if staged and (staged.within is None or not self.exists(table)):
            return staged.rows
        if staged:
            return _outside(self._published(table), staged.within).union(staged.rows)
        if not self.exists(table) or (rows := self._published(table)).isEmpty():
            raise InputError(
                f"there are no {table.name} of {self.as_of} in {url_of_tables(self.folder)} yet; "
                f"run '{written_by}' for that date first"
            )
        return rows

    def rows(
        self, table: Table, columns: Collection[str], where: Column | str | None = None
    ) -> list[dict[str, Any]]:
        """Published rows of a small table, of any date, for which `where` holds.

        Raises:
            InputError: the table does not exist.
        """
        rows = self._load(table)
        wanted = rows if where is None else rows.where(where)
        # By Arrow: `collect` would give timestamps in the time zone of this machine.
        found = wanted.select(*columns).toArrow().to_pylist()
        return cast("list[dict[str, Any]]", found)

    def publish_alone(self, *tables: Table) -> None:
        """Write what is staged of some tables, and new models; forget all else that is staged."""
        names = {table.name for table in tables}
        self._staged = {name: each for name, each in self._staged.items() if name in names}
        self.publish()

    def publish(self) -> None:
        """Write everything that is staged, one commit a table; after an error, take these back.

        Raises:
            TryAgainError: another run of the date has taken over.
            ConstraintError: a row breaks a constraint of its table.
        """
        if not (self._staged or self._before_publish or self._after_publish):
            return
        self._check_claim()
        for action in self._before_publish:
            action()
        before = dict(self.versions)
        try:
            with ThreadPoolExecutor(PARALLEL_COMMITS) as threads:
                list(threads.map(lambda each: self.replace(*each), self._staged.values()))
            for action in self._after_publish:
                action()
        except BaseException:
            # An interrupted run, too, leaves no half of its rows.
            self._take_back(before)
            raise
        self.discard()

    def before_publish(self, action: Callable[[], object]) -> None:
        """Let an action come with the next publish, once, before its commits; it stays done."""
        if action not in self._before_publish:
            self._before_publish.append(action)

    def after_publish(self, action: Callable[[], object]) -> None:
        """Let an action come with the next publish, once, after all its commits have succeeded."""
        if action not in self._after_publish:
            self._after_publish.append(action)

    def discard(self) -> None:
        """Forget what is staged."""
        self._staged.clear()
        self._before_publish.clear()
        self._after_publish.clear()

    def replace(self, table: Table, frame: DataFrame, within: str | None = None) -> int:
        """Replace this date's rows at once, or those of them `within`; the number of new rows.

        Raises:
            TryAgainError: another run of the date has taken over.
            ConstraintError: a row breaks a constraint of the table.
        """
        condition = self._is_of_date + (f" and ({within})" if within else "")
        rows, fence = self._stamped(table, frame), self._fence()
        if not fence:
            return self._commit(table, rows, condition, fence)
        # What is in the way is an older run of the date, which the fence stops, or another date's.
        return retried(lambda: self._commit(table, rows, condition, fence))

    def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add a few rows at once; their number."""
        frame = self._stamped(table, self.frame(table, rows))
        retried(lambda: self._commit(table, frame, None, {}))
        return len(rows)

    def rewrite(self, table: Table, change: RowsChange, key: str, where: str | None = None) -> None:
        """Change rows of a small table, of any batch date, in one commit.

        `change` is given the rows for which `where` (Spark SQL) holds, and returns them as they
        are to be, and new ones; those that differ are written, found by `key`. It is called again
        where another run has rewritten the table meanwhile.
        """
        self.create(table)
        retried(lambda: self._rewrite_once(table, change, key, where))

    def frame(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A few rows, given by their columns, as a frame with the declared columns."""
        return self._rows(table.columns, rows)

    def _take_back(self, before: Mapping[str, int]) -> None:
        """Give this date's rows back to tables that were written; a newer run's rows stay."""
        for table in [each.table for each in self._staged.values()]:
            version = self.versions.get(table.name)
            if version is None or version == before.get(table.name):
                continue
            earlier = self.spark.read.format("delta").option("versionAsOf", version - 1)
            rows = earlier.load(self.path(table)).where(self._is_of_date)
            with suppress(TryAgainError):
                self._commit(table, rows, self._is_of_date, self._fence())

    @property
    def _is_of_date(self) -> str:
        return f"as_of = date'{self.as_of}'"

    def _is_under_former_name(self, table: Table) -> bool:
        former = table.renames.table
        return bool(former and DeltaTable.isDeltaTable(self.spark, f"{self.folder}/{former}"))

    def _existing(self, table: Table) -> schema.ExistingTable | None:
        path = self.path(table)
        return schema.ExistingTable(self.spark, path, table) if self.exists(table) else None

    def _load(self, table: Table) -> DataFrame:
        if not self.exists(table):
            raise InputError(
                f"there is no table '{table.name}' in {url_of_tables(self.folder)} yet; run the "
                "step that writes it first, or name the right --warehouse"
            )
        return self.spark.read.format("delta").load(self.path(table))

    def _published(self, table: Table) -> DataFrame:
        return self._load(table).where(self._is_of_date).select(*table.columns)

    def _stamped(self, table: Table, frame: DataFrame) -> DataFrame:
        stamps = {"as_of": F.lit(self.as_of)} if table.is_partitioned else {}
        return _declared(table, frame).withColumns({**stamps, "run_id": F.lit(self.run_id)})

    def _fence(self) -> Mapping[str, str]:
        """Options by which Delta skips a commit of a run that a newer one of its date overtook."""
        if not self.fence:
            return {}
        number = self.fence * commits.COMMITS_OF_A_RUN + next(self._numbers)
        return commits.fencing(self.as_of, number)

    def _commit(
        self, table: Table, rows: DataFrame, where: str | None, fence: Mapping[str, str]
    ) -> int:
        self.create(table)
        path = self.path(table)
        name = json.dumps({"run_id": self.run_id, "commit": next(self._numbers)})
        made = commits.commit(path, rows, name, where, fence)
        if made is None and fence:
            if not table.is_partitioned:
                raise commits.conflict(path)
            self._check_claim()
            raise TryAgainError(
                f"'{table.name}' has taken no row of this run; run the same command again. Where "
                f"that does not help, it or '{RUNS.name}' was deleted or restored from a backup "
                "alone: restore all tables together"
            )
        if made is None:
            return 0
        self.versions[table.name] = made.version
        return made.rows

    def _rewrite_once(self, table: Table, change: RowsChange, key: str, where: str | None) -> None:
        # Of two runs that have read the same version, Delta skips the second one's commit.
        (last,) = DeltaTable.forPath(self.spark, self.path(table)).history(1).collect()
        fence = commits.fencing(table.name, last["version"] + 1)
        columns = schema.all_columns(table)
        before = self.rows(table, columns, where)
        # A new row is of this run.
        after = [{"run_id": self.run_id, **row} for row in change([dict(row) for row in before])]
        if changed := [row for row in after if row not in before]:
            keys = ", ".join(f"'{row[key]}'" for row in changed)
            self._commit(table, self._rows(columns, changed), f"{key} in ({keys})", fence)

    def _rows(
        self, columns: Mapping[str, ColumnSpec], rows: Sequence[Mapping[str, Any]]
    ) -> DataFrame:
        # From a list of rows Spark would start a Python worker on an executor; not from Arrow.
        values = pa.Table.from_pylist([*rows], schema.arrow_schema(columns))
        return self.spark.createDataFrame(values).coalesce(1)

    def _check_claim(self) -> None:
        """Raise TryAgainError where a newer run has claimed the date."""
        if self.fence:
            own = self.rows(RUNS, ["status"], f"run_id = '{self.run_id}'")
            if [row["status"] for row in own] != ["started"]:
                raise taken_over(self.as_of)


def _declared(table: Table, frame: DataFrame) -> DataFrame:
    """The declared columns with the declared types, in their order."""
    return frame.select(
        *[F.col(name).cast(field.type).alias(name) for name, field in table.columns.items()]
    )


def _outside(rows: DataFrame, within: str | None) -> DataFrame:
    return rows.where(f"not coalesce({within}, false)")
