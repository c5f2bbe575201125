"""The one adapter to Delta tables: a night's rows are replaced in one commit each."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from credit_spark.contract.errors import InputError, TryAgainError, listed
from credit_spark.contract.tables import AS_OF, RUN_ID, Field, Table


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
        self.versions: dict[str, int] = {}

    def path(self, table: Table) -> str:
        """The folder or URL of a table."""
        return f"{self._folder}/{table.name}"

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
        return self._committed(table, writer.option("replaceWhere", " and ".join(conditions)))

    def frame(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A few rows, given by their columns, as a frame of the table."""
        schema = ", ".join(f"{name} {field.type}" for name, field in table.columns.items())
        values = [tuple(row.get(name) for name in table.columns) for row in rows]
        return self._spark.createDataFrame(values, schema)

    def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add a few rows, given by their columns, in one commit."""
        self.create(table)
        frame = self._stamped(table, self.frame(table, rows))
        return self._committed(table, frame.write.format("delta").mode("append"))

    def update(self, table: Table, changes: Mapping[str, str]) -> None:
        """Set columns to SQL expressions over the row, in one commit."""
        try:
            DeltaTable.forPath(self._spark, self.path(table)).update(set=dict(changes))
        except DeltaConcurrentModificationException:
            raise _conflict(table) from None
        self._note(table)

    def create(self, table: Table) -> None:
        """Make the table where it is not there yet, with its checks."""
        if self.exists(table):
            return
        builder = DeltaTable.createIfNotExists(self._spark).location(self.path(table))
        for name, field in _all_columns(table).items():
            nullable = name not in (*table.keys, "as_of", "run_id")
            builder = builder.addColumn(name, field.type, nullable=nullable)
        for name, condition in table.checks.items():
            builder = builder.property(f"delta.constraints.{name}", condition)
        # Deletion vectors would lock out readers without Spark.
        builder = builder.property("delta.enableDeletionVectors", "false")
        if table.is_nightly:
            builder = builder.partitionedBy("as_of")
        builder.execute()

    def compare(self, table: Table) -> None:
        """Make sure that a table, where it is there, has the columns that are declared.

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
        if faults:
            headline = (
                f"the table '{table.name}' at {self.path(table)} has other columns than the "
                "contract; mend the contract, or write to another --warehouse"
            )
            raise InputError(listed(headline, faults))

    def _stamped(self, table: Table, frame: DataFrame) -> DataFrame:
        stamps = {"run_id": F.lit(self._run_id)}
        if table.is_nightly:
            stamps["as_of"] = F.lit(self._as_of)
        return frame.select(*table.columns).withColumns(stamps)

    def _committed(self, table: Table, writer: Any) -> int:
        try:
            writer.save(self.path(table))
        except DeltaConcurrentModificationException:
            raise _conflict(table) from None
        return self._note(table)

    def _note(self, table: Table) -> int:
        # The commit has counted its rows; counting them again would read the night again.
        last = DeltaTable.forPath(self._spark, self.path(table)).history(1).first()
        assert last is not None
        self.versions[table.name] = last["version"]
        return int(last["operationMetrics"].get("numOutputRows", 0))


def _all_columns(table: Table) -> dict[str, Field]:
    stamps = {"as_of": AS_OF} if table.is_nightly else {}
    return {**table.columns, **stamps, "run_id": RUN_ID}


def _said(types: Mapping[str, Any], name: str) -> str:
    return types[name].simpleString() if name in types else "missing"


def _conflict(table: Table) -> TryAgainError:
    return TryAgainError(
        f"another run wrote the same rows of '{table.name}' meanwhile; run the same command again"
    )
