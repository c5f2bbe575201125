"""Data Docs: Great Expectations' own web site of suites and of what they found.

The site is made of files and needs no server and no network. It shows figures and counts, and no
row; but an expectation on a column's distinct values lists those, and a minimum or maximum is the
value of one row.
"""

from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import DataFrame

from credit_spark.quality.suites import (
    NO_ROWS_LISTED,
    Suites,
    library,
    new_context,
    rows_of,
    suite_of,
)

SITE = "site"


def build_site(suites: Suites, tables: Mapping[str, DataFrame], out: Path) -> Path:
    """Run the suites of tables on their rows, write the site to a folder, and give its first page.

    Every expectation is computed in full, which takes longer than the gate of a run.
    """
    folder = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(out.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context = new_context()
    context.add_data_docs_site(
        SITE, {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": folder}
    )
    for table, frame in tables.items():
        given = suites.read(table)
        suite = context.suites.add(suite_of(given.name, given.expectations))
        definition = library().ValidationDefinition(
            name=table, data=rows_of(context, table), suite=suite
        )
        context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": frame}, result_format=NO_ROWS_LISTED
        )
    context.build_data_docs(site_names=[SITE])
    return out / "index.html"
