"""The migration of a warehouse that an earlier version has written."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract
from credit_spark.config.settings import Settings
from credit_spark.config.tables import Table
from credit_spark.config.tables import tables as declared_tables
from credit_spark.storage import schema
from credit_spark.storage.commits import ConstraintError, delta_errors
from credit_spark.storage.paths import url_of, url_of_tables
from credit_spark.storage.session import spark_session
from credit_spark.storage.tables import Tables


def migrate(contract: Contract, settings: Settings) -> Iterator[str]:
    """Bring the existing tables of a portfolio to the current schema, and list each change.

    A run adds columns and constraints, too; names are changed here alone. Each table is replaced
    in one commit, so that a migration that is stopped goes on when it is run again. No run of the
    portfolio may be under way.

    Raises:
        InputError: there are no tables, or one cannot take the contract.
    """
    folder = url_of(settings.storage.folder_of(contract))
    options, java_log = settings.spark.options(), Path(settings.storage.logs) / "java.log"
    with spark_session(options, java_log) as spark:
        tables = Tables(spark, folder, date.min, "migration")
        # New names of tables come last: until then, readers take the warehouse as not migrated.
        declared = sorted(declared_tables(contract), key=lambda each: bool(each.renames.table))
        former = [each for each in declared if tables.former_name(each)]
        others = [each for each in declared if each not in former]
        if not former and not any(map(tables.exists, others)):
            raise InputError(
                f"there are no tables in {url_of_tables(folder)}; name the right --warehouse"
            )
        yield from tables.evolve(*others, comments=True)
        for each in former:
            yield from _rename(tables, each)
        yield from tables.evolve(*former, comments=True)


def _rename(tables: Tables, table: Table) -> Iterator[str]:
    """Replace a table that has old names by one that has the new ones, with the same rows."""
    old_name = tables.former_name(table)
    rows = tables.spark.read.format("delta").load(f"{tables.folder}/{old_name}")
    columns = {old: new for old, new in table.renames.columns.items() if old in rows.columns}
    renamed = rows.withColumns(
        {
            new: F.coalesce(*[name for name in (new, old) if name in rows.columns])
            for old, new in columns.items()
        }
    ).drop(*columns)
    for column, texts in table.renames.texts.items():
        renamed = renamed.replace([*texts], [*texts.values()], subset=[column])
    try:
        _write(tables, table, renamed, is_new=old_name != table.name)
    except ConstraintError as error:
        raise InputError(f"the table cannot be migrated: {error}") from None
    for old, new in columns.items():
        yield f"{table.name}: column '{old}' is '{new}' now"
    if old_name != table.name:
        yield (
            f"{table.name}: has the rows of '{old_name}'; delete that folder once nobody reads it"
        )


def _write(tables: Tables, table: Table, rows: DataFrame, *, is_new: bool) -> None:
    """Create a table from rows, or replace it, with its constraints, in one commit.

    Spark lets each column of such a table be null, so a key has a constraint that it is not.
    """
    path = tables.path(table)
    writer = rows.writeTo(f"delta.`{path.replace('`', '``')}`").using("delta")
    for key, value in (schema.properties(table) | schema.not_null(table)).items():
        writer = writer.tableProperty(key, value)
    if table.is_partitioned:
        writer = writer.partitionedBy(F.col("as_of"))
    with delta_errors(path):
        (writer.create if is_new else writer.createOrReplace)()
