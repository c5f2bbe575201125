"""The gate: a table of this run against its suite of Great Expectations.

Every outcome is written to `validations` when the run ends, also where the gate stops it.
"""

import json
from collections.abc import Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import GateError, listed
from credit_spark.config.models import Contract
from credit_spark.config.tables import Table, loans, scores
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.ingest import ingest
from credit_spark.quality.suites import SuiteResult, Suites

IS_BAD, AGE = "is_bad", "age_days"
WRITTEN_BY = {"loans": "clean", "scores": "score"}


def ingest_and_validate(run: RunContext) -> None:
    """Turn the landing files into loans, which are published where they pass their suite."""
    ingest(run)
    run.step("validate", partial(validate_table, table=loans(run.contract)))


def validate(run: RunContext) -> None:
    """Let Great Expectations validate this run's loans; what fails its suite is not scored."""
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
    for table in (loans(contract), scores(contract)):
        types = {name: each.type for name, each in table.columns.items()}
        seen[table.name] = types | _beside(table, contract)
    suites.check(seen)


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
