"""The migration of a warehouse that an earlier version has written."""

from datetime import date
from pathlib import Path

from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract
from credit_spark.config.settings import Settings
from credit_spark.config.tables import tables as declared_tables
from credit_spark.storage.paths import url_of
from credit_spark.storage.session import spark_session
from credit_spark.storage.tables import Tables


def migrate(contract: Contract, settings: Settings) -> list[str]:
    """Bring the existing tables of a portfolio to the current schema, and say what was changed.

    A run does the same, comments apart. No row is rewritten.

    Raises:
        InputError: there are no tables, or one cannot take the contract: nothing was changed.
    """
    folder = url_of(settings.storage.folder_of(contract))
    options, java_log = settings.spark.options(), Path(settings.storage.logs) / "java.log"
    with spark_session(options, java_log) as spark:
        tables = Tables(spark, folder, date.min, "migration")
        declared = declared_tables(contract)
        if not any(map(tables.exists, declared)):
            raise InputError(f"there are no tables in {folder}; name the right --warehouse")
        return tables.evolve(*declared, comments=True)
