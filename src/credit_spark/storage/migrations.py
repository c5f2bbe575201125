"""The migration of a warehouse that an earlier version has written."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from credit_spark.contract.errors import InputError
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import tables as declared_tables
from credit_spark.settings import Settings
from credit_spark.storage.paths import url_of
from credit_spark.storage.schema import ExistingTable, check
from credit_spark.storage.session import spark_session
from credit_spark.storage.tables import Tables


def migrate(contract: Contract, settings: Settings) -> list[str]:
    """Bring the existing tables of a portfolio to the current schema, and say what was changed.

    Adds columns, constraints, comments and the properties that readers without Spark and filters
    need; no row is rewritten. A run does the same for what it writes, comments apart.

    Raises:
        InputError: there are no tables, or one cannot take the contract: nothing was changed.
    """
    folder = url_of(f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}")
    options, java_log = settings.spark.options(), Path(settings.storage.logs) / "java.log"
    with spark_session(options, java_log) as spark:
        tables = Tables(spark, folder, date.min, "migration")
        existing = [table for table in declared_tables(contract) if tables.exists(table)]
        if not existing:
            raise InputError(f"there are no tables in {folder}; name the right --warehouse")
        compared = [ExistingTable(spark, tables.path(table), table) for table in existing]
        check(compared)
        return [sentence for each in compared for sentence in _migrated(each)]


def _migrated(table: ExistingTable) -> Iterator[str]:
    yield from table.evolve()
    if table.set_comments():
        yield f"{table.name}: comments of the table and its columns"
