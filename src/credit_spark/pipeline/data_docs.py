"""Data Docs: Great Expectations' own web site of the suites, and of what they find in one date.

The site is made of files and needs no server and no network. It shows figures and counts, and no
row; but an expectation on a column's distinct values lists those, and a minimum or maximum is the
value of one row.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame

from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract
from credit_spark.config.settings import Settings
from credit_spark.config.tables import loans, scores
from credit_spark.pipeline.validate import WRITTEN_BY, check_suites, seen_by_suites
from credit_spark.quality.suites import (
    NO_ROWS_LISTED,
    Suites,
    library,
    new_context,
    rows_of,
    suite_of,
)
from credit_spark.storage.paths import writable
from credit_spark.storage.session import spark_session
from credit_spark.storage.tables import Tables


def data_docs(
    contract: Contract, settings: Settings, suites: Suites, as_of: date, out: Path
) -> Path:
    """Write Great Expectations' own site for a batch date into a folder; its first page.

    Raises:
        InputError: no table of the portfolio has a suite, a suite has faults, or there are no rows.
    """
    check_suites(suites, contract)
    tables = (loans(contract), scores(contract))
    validated = [each for each in tables if suites.path(each.name).is_file()]
    if not validated:
        raise InputError(f"there is no suite: {suites.path('loans')} is not a file")
    writable(str(out), "--out")
    folder = settings.storage.folder_of(contract)
    noise = Path(settings.storage.logs) / "java.log"
    with spark_session(settings.spark.options(), noise) as spark:
        # No run: it writes no row of a table.
        read = Tables(spark, folder, as_of, run_id="").read
        seen = {
            each.name: seen_by_suites(read(each, WRITTEN_BY[each.name]), each, contract, as_of)
            for each in validated
        }
        return build_site(suites, seen, out)


def build_site(suites: Suites, tables: Mapping[str, DataFrame], out: Path) -> Path:
    """Run the suites of tables on their rows, write the site to a folder, and give its first page.

    Every expectation is computed in full, which takes longer than the gate of a run.
    """
    folder = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(out.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": folder}
    context = new_context()
    context.add_data_docs_site("site", site)
    for table, frame in tables.items():
        given = suites.read(table)
        parts = {
            "data": rows_of(context, table),
            "suite": context.suites.add(suite_of(given.name, given.expectations)),
        }
        definition = library().ValidationDefinition(name=table, **parts)
        context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": frame}, result_format=NO_ROWS_LISTED
        )
    context.build_data_docs(site_names=["site"])
    return out / "index.html"
