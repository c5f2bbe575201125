"""One run and its row in `runs`: written first as `started`, and last as what the run came to."""

import json
from collections.abc import Callable
from importlib.metadata import version

from credit_spark.config.errors import CreditSparkError, DriftError, GateError, LandingError
from credit_spark.config.loading import contract_hash
from credit_spark.config.tables import VALIDATIONS, tables
from credit_spark.pipeline.context import RunContext
from credit_spark.storage.runs import claim, finish

STATUS_OF = {LandingError: "refused", GateError: "stopped"}


def attempt(
    run: RunContext, command: str, action: Callable[[RunContext], object]
) -> DriftError | None:
    """Run the steps of a command, publish what they staged, and record how the run ended.

    Staged rows are written only where every gate has passed. After an error nothing that is
    still staged is written, and the error is raised. A drift that ends a complete run is returned.
    An interrupted run takes back what it has published; a killed one cannot. Both stay `started`
    until the next run of the date marks them as `abandoned` and writes the date anew.

    Raises:
        InputError: a table has a column of another type than the contract declares.
        TryAgainError: another run of the same batch date took over.
    """
    added = run.tables.evolve(*tables(run.contract))
    if added:
        run.summary.note("schema changes", {"changes": added})
    claim(run.tables, command, _facts(run))
    try:
        change = _drift(run, action)
        run.step("publish", lambda run: run.tables.publish())
    except CreditSparkError as error:
        _finish(run, STATUS_OF.get(type(error), "stopped"), str(error))
        raise
    except Exception as error:
        # The text of an unexpected error may hold a borrower's values: only its type is recorded.
        _finish(run, "failed", type(error).__name__)
        raise
    _finish(run, "complete", str(change) if change else None)
    return change


def _drift(run: RunContext, action: Callable[[RunContext], object]) -> DriftError | None:
    """Run the steps; the change that ends a complete run with an error."""
    try:
        action(run)
    except DriftError as change:
        return change
    return None


def _finish(run: RunContext, status: str, message: str | None) -> None:
    run.tables.discard()
    if run.summary.validations:
        run.tables.append(VALIDATIONS, run.summary.validations)
    run.summary.facts["table_versions"] = json.dumps(run.tables.versions, sort_keys=True)
    finish(run.tables, status, {**run.summary.facts, "message": message})


def _facts(run: RunContext) -> dict[str, str]:
    """What is known of a run when it begins."""
    return {
        "contract_hash": contract_hash(run.contract),
        "settings": run.settings.as_json(),
        "code_version": version("credit-spark"),
    }
