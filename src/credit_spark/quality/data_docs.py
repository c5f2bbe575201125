"""Data Docs: Great Expectations' own web site of suites and of what they found.

The site is made of files and needs no server and no network. It shows figures and counts, and no
row; but an expectation on a column's distinct values lists those, and a minimum or maximum is the
value of one row.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from credit_spark.quality.suites import NO_ROWS_LISTED, Suites, library, suite_of

SITE = "site"


def build_site(suites: Suites, tables: Mapping[str, DataFrame], out: Path) -> Path:
    """Run the suites of tables on their rows, write the site to a folder, and give its first page.

    Every expectation is computed in full, which takes longer than the gate of a run.
    """
    context = library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.add_data_docs_site(SITE, _in_folder(out))
    for table, frame in tables.items():
        _validate(context, suites, table, frame)
    context.build_data_docs(site_names=[SITE])
    return out / "index.html"


def _in_folder(out: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(out.resolve()),
        },
    }


def _validate(context: Any, suites: Suites, table: str, frame: DataFrame) -> None:
    """Run a table's suite, and keep the suite and its results in the context."""
    given = suites.read(table)
    suite = context.suites.add(suite_of(given.name, given.expectations))
    source = context.data_sources.add_or_update_spark(table, persist=False)
    batches = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all")
    definition = library().ValidationDefinition(name=table, data=batches, suite=suite)
    context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame}, result_format=NO_ROWS_LISTED
    )
