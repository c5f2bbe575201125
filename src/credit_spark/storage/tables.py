"""The Delta tables of one portfolio, read and written by Spark.

What a run makes is staged, and written by `publish` after its gates: one commit replaces a batch
date's rows of a table. An older run of the same date cannot overwrite a newer one, on storage
without locks either: each commit carries the run's fence (`txnAppId`, `txnVersion`), and Delta
skips a commit whose fence is lower than one that it has seen.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from credit_spark.contract.errors import InputError, TryAgainError
from credit_spark.contract.tables import RUNS, Table
from credit_spark.storage import schema
from credit_spark.storage.paths import url_of

# More runs than may write to one table between a commit and the look at it.
LAST_COMMITS = 20
# Of a commit to a table that runs of other dates write to at the same moment.
MOST_TRIES = 5
# One commit waits for the storage while another's tasks run.
PARALLEL_COMMITS = 2
# The commits that one run may make before they reach the next run's numbers.
COMMITS_OF_A_RUN = 2**20
Result = TypeVar("Result")
BROKEN = re.compile(r"CHECK constraint (\w+)|NOT NULL constraint violated for column: (\w+)")


class ConstraintError(Exception):
    """A row breaks a constraint of its table, which has its name here but none of the values."""


class ConflictError(TryAgainError):
    """Another run has written to the table at the same moment: the same commit may succeed now."""


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
        self._with_publish: list[Callable[[], object]] = []

    def of_date(self, as_of: date) -> "Tables":
        """The same tables for another batch date."""
        return Tables(self.spark, self.folder, as_of, self.run_id)

    def path(self, table: Table) -> str:
        """The URL of a table."""
        return f"{self.folder}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether the table has been created."""
        return bool(DeltaTable.isDeltaTable(self.spark, self.path(table)))

    def create(self, table: Table) -> None:
        """Create a table that does not exist yet, with its comments and constraints.

        Raises:
            TryAgainError: another run creates it at the same moment.
        """
        if not self.exists(table):
            with _delta_errors(table):
                schema.create(self.spark, self.path(table), table)

    def evolve(self, table: Table) -> list[str]:
        """Add new columns and constraints of the declaration to an existing table.

        The result says what was added, a sentence each.

        Raises:
            InputError: a type or a meaning has changed, or rows break a new constraint.
        """
        if not self.exists(table):
            return []
        with _delta_errors(table):
            return schema.evolve(self.spark, self.path(table), table)

    def stage(self, table: Table, frame: DataFrame) -> None:
        """Let `frame` replace this date's rows at the next publish.

        It has the table's columns; `as_of` and `run_id` are added.
        """
        self._staged[table.name] = Staged(table, _declared(table, frame), None)

    def write(self, table: Table, rows: Sequence[Mapping[str, Any]], within: str) -> None:
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
        if staged and staged.within is None:
            return staged.rows
        if staged:
            if not self.exists(table):
                return staged.rows
            return _outside(self._published(table), staged.within).union(staged.rows)
        if not self.exists(table) or (rows := self._published(table)).isEmpty():
            raise InputError(
                f"there are no {table.name} of {self.as_of} in {self.folder} yet; run "
                f"'{written_by}' for that date first"
            )
        return rows

    def rows(
        self, table: Table, columns: Collection[str], where: str | None = None
    ) -> list[dict[str, Any]]:
        """Published rows of a small table, of any date, for which `where` (Spark SQL) holds.

        Raises:
            InputError: the table does not exist.
        """
        return [row.asDict() for row in _some(self._load(table), columns, where).collect()]

    def publish(self) -> None:
        """Write everything that is staged, one commit a table, in the order of staging.

        Raises:
            TryAgainError: another run of the date has taken over.
            ConstraintError: a row breaks a constraint of its table.
        """
        if not self._staged and not self._with_publish:
            return
        self._check_claim()
        with ThreadPoolExecutor(PARALLEL_COMMITS) as threads:
            list(threads.map(lambda each: self.replace(*each), self._staged.values()))
        for action in self._with_publish:
            action()
        self.discard()

    def with_publish(self, action: Callable[[], object]) -> None:
        """Let an action follow the next publish, once."""
        if action not in self._with_publish:
            self._with_publish.append(action)

    def discard(self) -> None:
        """Forget what is staged."""
        self._staged.clear()
        self._with_publish.clear()

    def replace(self, table: Table, frame: DataFrame, within: str | None = None) -> int:
        """Replace this date's rows at once, or those of them `within`; the number of new rows.

        Raises:
            TryAgainError: another run of the date has taken over.
            ConstraintError: a row breaks a constraint of the table.
        """
        condition = f"as_of = date'{self.as_of}'" + (f" and ({within})" if within else "")
        rows, fencing = self._stamped(table, frame), self._fencing()
        if not fencing:
            return self._commit(table, rows, condition)
        # What is in the way is an older run of the date, which the fence stops, or another date's.
        return _retried(lambda: self._commit(table, rows, condition, fencing))

    def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add a few rows at once; their number."""
        frame = self._stamped(table, self.frame(table, rows))
        _retried(lambda: self._commit(table, frame, None))
        return len(rows)

    def rewrite(
        self,
        table: Table,
        change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
        key: str,
    ) -> None:
        """Change rows of a small table that has no batch dates, in one commit.

        `change` is given all rows and returns all rows; those that differ are written, found by
        `key`. It is called again where another run has rewritten the table meanwhile.
        """
        self.create(table)
        _retried(lambda: self._rewrite_once(table, change, key))

    def update(self, table: Table, where: str, values: Mapping[str, Any]) -> None:
        """Set columns of the rows for which a condition holds at the time of the one commit."""
        types = {name: field.type for name, field in table.columns.items()}
        literals = {name: F.lit(value).cast(types[name]) for name, value in values.items()}

        def updated() -> None:
            with _delta_errors(table):
                DeltaTable.forPath(self.spark, self.path(table)).update(where, literals)

        _retried(updated)

    def frame(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A few rows, given by their columns, as a frame with the declared columns."""
        values = [tuple(row.get(name) for name in table.columns) for row in rows]
        return self.spark.createDataFrame(values, schema.ddl(table)).coalesce(1)

    def _load(self, table: Table) -> DataFrame:
        if not self.exists(table):
            raise InputError(
                f"there is no table '{table.name}' in {self.folder} yet; run the step that writes "
                "it first, or name the right --warehouse"
            )
        return self.spark.read.format("delta").load(self.path(table))

    def _published(self, table: Table) -> DataFrame:
        return self._load(table).where(f"as_of = date'{self.as_of}'").select(*table.columns)

    def _stamped(self, table: Table, frame: DataFrame) -> DataFrame:
        stamps = {"as_of": F.lit(self.as_of)} if table.is_nightly else {}
        return _declared(table, frame).withColumns({**stamps, "run_id": F.lit(self.run_id)})

    def _fencing(self) -> dict[str, str]:
        """Options by which Delta skips a commit of a run that a newer one of its date overtook."""
        if not self.fence:
            return {}
        number = self.fence * COMMITS_OF_A_RUN + next(self._numbers)
        return {"txnAppId": str(self.as_of), "txnVersion": str(number)}

    def _commit(
        self,
        table: Table,
        frame: DataFrame,
        condition: str | None,
        fencing: Mapping[str, str] = MappingProxyType({}),
    ) -> int:
        """Append rows, or replace those for which a condition holds; their number.

        The commit itself has counted the rows that it wrote.
        """
        self.create(table)
        name = json.dumps({"run_id": self.run_id, "commit": next(self._numbers)})
        writer = frame.write.format("delta").option("userMetadata", name).options(**fencing)
        writer = writer.mode("overwrite" if condition else "append")
        with _delta_errors(table):
            (writer.option("replaceWhere", condition) if condition else writer).save(
                self.path(table)
            )
        commit = self._found_commit(table, name)
        if commit is None:
            # With a fence Delta makes a commit in any case; without, not where nothing changes.
            if fencing:
                raise taken_over(self.as_of) if table.is_nightly else _overtaken(table)
            return 0
        self.versions[table.name] = commit["version"]
        return int(commit["operationMetrics"].get("numOutputRows", 0))

    def _found_commit(self, table: Table, name: str) -> Row | None:
        history = DeltaTable.forPath(self.spark, self.path(table)).history(LAST_COMMITS)
        found: list[Row] = history.where(F.col("userMetadata") == name).collect()
        return found[0] if found else None

    def _rewrite_once(
        self,
        table: Table,
        change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
        key: str,
    ) -> None:
        version = self._version(table)
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        before = [row.asDict() for row in reader.load(self.path(table)).collect()]
        # Of a new row, the run is this one.
        after = [{"run_id": self.run_id, **row} for row in change([dict(row) for row in before])]
        changed = [row for row in after if row not in before]
        if changed:
            columns = schema.all_columns(table)
            types = ", ".join(f"`{name}` {field.type}" for name, field in columns.items())
            values = [tuple(row.get(name) for name in columns) for row in changed]
            keys = ", ".join(f"'{row[key]}'" for row in changed)
            frame = self.spark.createDataFrame(values, types).coalesce(1)
            # Of two runs that read the same version, one is skipped, and reads again.
            once = {"txnAppId": table.name, "txnVersion": str(version + 1)}
            self._commit(table, frame, f"{key} in ({keys})", once)

    def _version(self, table: Table) -> int:
        history = DeltaTable.forPath(self.spark, self.path(table)).history(1)
        return int(history.select("version").collect()[0][0])

    def _check_claim(self) -> None:
        """Raise TryAgainError where a newer run has claimed the date."""
        if self.fence:
            own = self.rows(RUNS, ["status"], f"run_id = '{self.run_id}'")
            if [row["status"] for row in own] != ["started"]:
                raise taken_over(self.as_of)


def _retried(commit: Callable[[], Result]) -> Result:
    """Commit, and again where another run has written to the table at the same moment."""
    for _ in range(MOST_TRIES - 1):
        with suppress(ConflictError):
            return commit()
    return commit()


def taken_over(as_of: date) -> TryAgainError:
    """What a run is told whose batch date another run has claimed."""
    return TryAgainError(
        f"another run of {as_of} has started since and took over; look at its end before you run "
        "the same command again"
    )


def _declared(table: Table, frame: DataFrame) -> DataFrame:
    """The declared columns with the declared types, in their order."""
    return frame.select(
        *[F.col(name).cast(field.type).alias(name) for name, field in table.columns.items()]
    )


def _outside(rows: DataFrame, within: str | None) -> DataFrame:
    return rows.where(f"not coalesce({within}, false)")


def _some(rows: DataFrame, columns: Collection[str], where: str | None) -> DataFrame:
    return (rows.where(where) if where else rows).select(*columns)


def _overtaken(table: Table) -> ConflictError:
    return ConflictError(
        f"another run wrote to '{table.name}' at the same moment; run the same command again"
    )


@contextmanager
def _delta_errors(table: Table) -> Iterator[None]:
    """Turn conflicts into TryAgainError, and a broken constraint into its name."""
    try:
        yield
    except DeltaConcurrentModificationException:
        raise _overtaken(table) from None
    except (PySparkException, Py4JJavaError) as error:
        broken = BROKEN.search(str(error))
        if broken is None:
            raise
        name = broken[1] or f"{broken[2]} is never null"
        raise ConstraintError(f"a row of '{table.name}' breaks the constraint {name}") from None
