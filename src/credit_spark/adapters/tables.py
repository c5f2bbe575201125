"""The one adapter to Delta tables: a night's rows are replaced in one commit each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from credit_spark.adapters.commits import named_commit
from credit_spark.adapters.session import described
from credit_spark.contract.errors import InputError, TryAgainError, listed
from credit_spark.contract.tables import AS_OF, RUN_ID, Field, Table

CHECK = "delta.constraints."
COMMITTED_BY = "spark.databricks.delta.commitInfo.userMetadata"


class Tables:
    """The tables of one portfolio, as one run of one night sees and writes them.

    `versions` has the Delta version of each table that this run has written.
    """

    def __init__(self, spark: SparkSession, folder: str, as_of: date, run_id: str) -> None:
        self._spark = spark
        self._folder = folder
        self._as_of = as_of
        self._run_id = run_id
        self._only_tonight = f"as_of = date'{as_of}'"
        self._commits = 0
        self.versions: dict[str, int] = {}

    def path(self, table: Table) -> str:
        """The folder or URL of a table."""
        return f"{self._folder}/{table.name}"

    def tonight(self, table: Table, written_by: str) -> DataFrame:
        """This night's rows of a table, at least one.

        Raises:
            InputError: there are none; `written_by` is the command that writes them.
        """
        rows = self.read(table)
        # What this run has written is there.
        if table.name not in self.versions and rows.isEmpty():
            raise InputError(
                f"there are no {table.name} of {self._as_of} yet; run '{written_by}' for that "
                "night first"
            )
        return rows

    def exists(self, table: Table) -> bool:
        """Whether the table was ever written."""
        return bool(DeltaTable.isDeltaTable(self._spark, self.path(table)))

    def read(self, table: Table) -> DataFrame:
        """The table's declared columns; of a nightly table this night's rows only.

        Raises:
            InputError: the table was never written.
        """
        if not self.exists(table):
            raise InputError(
                f"there is no table '{table.name}' at {self.path(table)} yet; run the step that "
                "writes it first, or name the right --warehouse"
            )
        rows = self._spark.read.format("delta").load(self.path(table))
        if table.is_nightly:
            rows = rows.where(self._only_tonight)
        return rows.select(*table.columns)

    def write(self, table: Table, frame: DataFrame, within: str | None = None) -> int:
        """Replace rows in one commit, and say how many were written.

        Of a nightly table this night's rows are replaced, of another those that `within`, a
        condition, holds for; `within` narrows a nightly table's replacement, too. Every new
        row must keep to it.

        Raises:
            TryAgainError: another run wrote the same rows meanwhile.
            PySparkException: a row breaks a check. Its text then holds the row's values.
        """
        self.create(table)
        conditions = [self._only_tonight] if table.is_nightly else []
        if within:
            conditions.append(f"({within})")
        writer = self._stamped(table, frame).write.format("delta").mode("overwrite")
        writer = writer.option("replaceWhere", " and ".join(conditions))
        return self._committed(table, lambda: writer.save(self.path(table)))

    def frame(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A few rows, given by their columns, as a frame of the table."""
        schema = ", ".join(f"{name} {field.type}" for name, field in table.columns.items())
        values = [tuple(row.get(name) for name in table.columns) for row in rows]
        return self._spark.createDataFrame(values, schema)

    def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add a few rows, given by their columns, in one commit."""
        self.create(table)
        frame = self._stamped(table, self.frame(table, rows))
        writer = frame.write.format("delta").mode("append")
        return self._committed(table, lambda: writer.save(self.path(table)))

    def update(self, table: Table, changes: Mapping[str, str]) -> None:
        """Set columns to SQL expressions over the row, in one commit."""
        rows = DeltaTable.forPath(self._spark, self.path(table))
        self._committed(table, lambda: rows.update(set=dict(changes)))

    def create(self, table: Table) -> None:
        """Make the table where it is not there yet, with its checks."""
        if self.exists(table):
            return
        builder = DeltaTable.createIfNotExists(self._spark).location(self.path(table))
        for name, field in _all_columns(table).items():
            nullable = name not in (*table.keys, "as_of", "run_id")
            builder = builder.addColumn(name, field.type, nullable=nullable)
        for name, condition in table.checks.items():
            builder = builder.property(f"{CHECK}{name}", condition)
        # Deletion vectors would lock out readers without Spark.
        builder = builder.property("delta.enableDeletionVectors", "false")
        # The least and greatest value of every column take a third of the time of a write, and
        # tell a reader little of a table that is in no order.
        builder = builder.property("delta.dataSkippingNumIndexedCols", "1")
        if table.is_nightly:
            builder = builder.partitionedBy("as_of")
        with _conflicts_told(table):
            builder.execute()

    def compare(self, table: Table) -> None:
        """Make sure that a table, where it is there, has the columns and checks that are declared.

        Raises:
            InputError: it has others, and every difference.
        """
        if not self.exists(table):
            return
        declared: StructType = StructType.fromDDL(  # type: ignore[assignment]
            ", ".join(f"{name} {field.type}" for name, field in _all_columns(table).items())
        )
        there = self._spark.read.format("delta").load(self.path(table)).schema
        wanted = {field.name: field.dataType for field in declared}
        found = {field.name: field.dataType for field in there}
        faults = [
            f"{name}: {_said(found, name)} in the table, {_said(wanted, name)} in the contract"
            for name in sorted(wanted.keys() | found.keys())
            if wanted.get(name) != found.get(name)
        ]
        kept = self._checks(table)
        faults += [
            f"{name}: the table checks '{kept.get(name)}', this version checks '{condition}'"
            for name, condition in table.checks.items()
            if kept.get(name) != condition
        ]
        if faults:
            headline = (
                f"the table '{table.name}' at {self.path(table)} has other columns or checks than "
                "the contract and this version have; mend the contract, or write to another "
                "--warehouse"
            )
            raise InputError(listed(headline, faults))

    def _checks(self, table: Table) -> dict[str, str]:
        """The declared checks that a table's log has; no job of Spark's is needed."""
        jvm = self._spark._jvm
        assert jvm is not None
        path = jvm.org.apache.hadoop.fs.Path(self.path(table))
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self._spark._jsparkSession, path)
        properties = log.unsafeVolatileSnapshot().metadata().configuration()
        found = {name: properties.get(f"{CHECK}{name}") for name in table.checks}
        return {name: each.get() for name, each in found.items() if each.isDefined()}

    def _stamped(self, table: Table, frame: DataFrame) -> DataFrame:
        stamps = {"run_id": F.lit(self._run_id)}
        if table.is_nightly:
            stamps["as_of"] = F.lit(self._as_of)
        return frame.select(*table.columns).withColumns(stamps)

    def _committed(self, table: Table, commit: Callable[[], object]) -> int:
        """Commit under a name of its own; the commit itself has counted the rows that it wrote."""
        self._commits += 1
        name = f"{self._run_id} {self._commits}"
        self._spark.conf.set(COMMITTED_BY, name)
        with _conflicts_told(table), described(self._spark, f"write {table.name}"):
            commit()
        ours = named_commit(self._spark, self.path(table), name)
        if ours is None:
            # Nothing was there to replace, and nothing was to be written: Delta makes no commit.
            return 0
        self.versions[table.name] = ours.version
        return ours.rows


def _all_columns(table: Table) -> dict[str, Field]:
    stamps = {"as_of": AS_OF} if table.is_nightly else {}
    return {**table.columns, **stamps, "run_id": RUN_ID}


def _said(types: Mapping[str, Any], name: str) -> str:
    return types[name].simpleString() if name in types else "missing"


@contextmanager
def _conflicts_told(table: Table) -> Iterator[None]:
    try:
        yield
    except DeltaConcurrentModificationException:
        raise TryAgainError(
            f"another run wrote to '{table.name}' at the same moment; run the same command again"
        ) from None
