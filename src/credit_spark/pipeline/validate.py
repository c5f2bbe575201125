"""The gate: a table of this run against its suite of Great Expectations.

Every outcome is written to `validations` when the run ends, also where the gate stops it.
`data_docs` writes Great Expectations' own web site of the suites, and of what they find in one
date, as files. It shows figures and counts, and no row; but an expectation on a column's distinct
or most common values lists those, and a minimum or maximum is the value of one row.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import GateError, InputError, listed
from credit_spark.config.models import Contract
from credit_spark.config.settings import Settings
from credit_spark.config.tables import Table, loans, scores
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.ingest import ingest
from credit_spark.quality.suites import (
    NO_ROWS_LISTED,
    SuiteResult,
    Suites,
    library,
    new_context,
    rows_of,
    suite_of,
)
from credit_spark.storage.paths import writable
from credit_spark.storage.session import spark_session
from credit_spark.storage.tables import Tables

WRITTEN_BY = {"loans": "clean", "scores": "score"}


def ingest_and_validate(run: RunContext) -> None:
    """Turn the landing files into loans, which are published where they pass their suite."""
    ingest(run)
    run.step("validate", partial(validate_table, table=loans(run.contract)))


def validate(run: RunContext) -> None:
    """Validate the batch date's loans with Great Expectations; a failed suite stops the run."""
    validate_table(run, loans(run.contract))


def validate_table(run: RunContext, table: Table) -> None:
    """Validate the rows of a table that this run wrote or staged, where the table has a suite.

    Suites see `is_bad` beside the table's columns (1 bad, 0 good, null not known; not evaluated
    where every row has null) and, where the table has the contract's observed_on, `age_days`: the
    days from it to the batch date.

    Raises:
        GateError: with every expectation that failed and what was observed.
    """
    suite = run.suites.path(table.name)
    if not suite.is_file():
        run.summary.note(f"validate {table.name}", {"missing": str(suite)})
        return
    run.summary.facts["suite_hash"] = run.suites.digest()
    rows = run.tables.read(table, WRITTEN_BY[table.name])
    seen = seen_by_suites(rows, table, run.contract, run.as_of)
    outcomes = run.suites.outcomes(table.name, seen, where_known={IS_BAD})
    _keep(run, table, outcomes)
    _stop_at_failures(run, table, outcomes)


def check_suites(suites: Suites, contract: Contract) -> None:
    """Make sure that the suites can be run on their tables.

    Raises:
        InputError: with every fault of every suite.
    """
    seen = {}
    for table in validated_tables(contract):
        types = {name: each.type for name, each in table.columns.items()}
        seen[table.name] = types | _beside(table, contract)
    suites.check(seen)


def validated_tables(contract: Contract) -> tuple[Table, ...]:
    """The tables that can have a suite."""
    return loans(contract), scores(contract)


def seen_by_suites(rows: DataFrame, table: Table, contract: Contract, as_of: date) -> DataFrame:
    """The columns of a table, and those that suites see beside them."""
    outcome = F.col("outcome")
    is_bad = F.when(outcome == "bad", F.lit(1.0)).when(outcome == "good", F.lit(0.0))
    values = {IS_BAD: is_bad, AGE: F.datediff(F.lit(as_of), F.col(f"{contract.observed_on}"))}
    beside = [values[name].alias(name) for name in _beside(table, contract)]
    return rows.select(*table.columns, *beside)


def _beside(table: Table, contract: Contract) -> dict[str, str]:
    """What suites see beside a table's columns, with its Spark types."""
    return {IS_BAD: "double"} | ({AGE: "int"} if contract.observed_on in table.columns else {})


def _keep(run: RunContext, table: Table, outcomes: Sequence[SuiteResult]) -> None:
    suite = run.suites.read(table.name).name
    run.summary.validations += [
        {
            "as_of": run.as_of,
            "suite": suite,
            "table_name": table.name,
            "expectation": each.expectation,
            "column": each.columns,
            "kwargs": json.dumps(each.kwargs, sort_keys=True),
            "success": each.success,
            "observed_value": each.observed,
            "element_count": each.rows,
            "unexpected_count": each.unexpected,
            "error": each.error,
        }
        for each in outcomes
    ]


def _stop_at_failures(run: RunContext, table: Table, outcomes: Sequence[SuiteResult]) -> None:
    failures = [str(each) for each in outcomes if each.success is False]
    run.summary.note(f"validate {table.name}", {"failed": failures})
    if failures:
        headline = (
            f"the {table.name} of {run.as_of} fail {len(failures)} expectation(s); this run has "
            "published nothing: every table but runs, quarantine and validations stays as it was. "
            "Look at the lender's files, or at the suite"
        )
        raise GateError(listed(headline, failures))


def data_docs(
    contract: Contract,
    settings: Settings,
    suites: Suites,
    as_of: date,
    out: Path,
    left_out: Callable[[str], None],
) -> Path:
    """Write Great Expectations' own site for a batch date into a folder; its first page.

    `left_out` is called with a sentence on each expectation that cannot be computed.

    Raises:
        InputError: no table of the portfolio has a suite, a suite has faults, or there are no rows.
    """
    check_suites(suites, contract)
    tables = validated_tables(contract)
    validated = [each for each in tables if suites.path(each.name).is_file()]
    if not validated:
        raise InputError(f"there is no suite: {suites.path('loans')} is not a file")
    writable(str(out), "--out")
    folder = settings.storage.folder_of(contract)
    java_log = Path(settings.storage.logs) / "java.log"
    with spark_session(settings.spark.options(), java_log) as spark:
        # No run: it writes no row of a table.
        read = Tables(spark, folder, as_of, run_id="").read
        seen = {
            each.name: seen_by_suites(read(each, WRITTEN_BY[each.name]), each, contract, as_of)
            for each in validated
        }
        return build_site(suites, seen, out, left_out)


def build_site(
    suites: Suites, tables: Mapping[str, DataFrame], out: Path, left_out: Callable[[str], None]
) -> Path:
    """Run the suites of tables on their rows, write the site to a folder, and give its first page.

    Every expectation is computed in full, which takes longer than the gate of a run. One that Spark
    cannot compute is no part of the site: `left_out` is called with a sentence on it.
    """
    folder = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(out.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": folder}
    context = new_context()
    context.add_data_docs_site("site", site)
    for table, frame in tables.items():
        given, broken = suites.read(table), suites.not_computable(table, frame)
        # The site would show Spark's message, which can hold values.
        sound = [each for nth, each in enumerate(given.expectations) if nth not in broken]
        for nth, condition in broken.items():
            left_out(f"{suites.path(table)}: expectation {nth + 1} is left out ({condition})")
        parts = {
            "data": rows_of(context, table),
            "suite": context.suites.add(suite_of(given.name, sound)),
        }
        definition = library().ValidationDefinition(name=table, **parts)
        context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": frame}, result_format=NO_ROWS_LISTED
        )
    context.build_data_docs(site_names=["site"])
    return out / "index.html"


IS_BAD, AGE = "is_bad", "age_days"
