"""Data Docs of one batch date: its published loans and scores against their suites."""

from datetime import date
from pathlib import Path

from credit_spark.contract.errors import InputError
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import Table, loans, scores
from credit_spark.pipeline.validate import WRITTEN_BY, check_suites, seen_by_suites
from credit_spark.quality.data_docs import build_site
from credit_spark.quality.suites import Suites
from credit_spark.settings import Settings
from credit_spark.storage.paths import writable
from credit_spark.storage.session import spark_session
from credit_spark.storage.tables import Tables

# It writes no row of a table.
NO_RUN = ""


def data_docs(
    contract: Contract, settings: Settings, suites: Suites, as_of: date, out: Path
) -> Path:
    """Write Great Expectations' own site for a batch date into a folder; its first page.

    Raises:
        InputError: no table of the portfolio has a suite, a suite has faults, or there are no rows.
    """
    check_suites(suites, contract)
    judged = [each for each in (loans(contract), scores(contract)) if _has_suite(suites, each)]
    if not judged:
        raise InputError(f"there is no suite: {suites.path('loans')} is not a file")
    writable(str(out), "--out")
    folder = f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}"
    noise = Path(settings.storage.logs) / "java.log"
    with spark_session(settings.spark.options(), noise) as spark:
        tables = Tables(spark, folder, as_of, NO_RUN)
        seen = {
            each.name: seen_by_suites(
                tables.read(each, WRITTEN_BY[each.name]), each, contract, as_of
            )
            for each in judged
        }
        return build_site(suites, seen, out)


def _has_suite(suites: Suites, table: Table) -> bool:
    return suites.path(table.name).is_file()
