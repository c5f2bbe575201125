"""The run context that every step receives, and one run with its row in `runs`.

The row is written as `started` first, and at the end with the run's status.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib.metadata import version
from time import monotonic
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from credit_spark.config.errors import CreditSparkError, DriftError, GateError, LandingError
from credit_spark.config.loading import contract_hash
from credit_spark.config.models import Contract
from credit_spark.config.settings import Settings
from credit_spark.config.tables import VALIDATIONS, tables
from credit_spark.quality.suites import Suites
from credit_spark.scoring.policy import Policy
from credit_spark.storage.logs import Log
from credit_spark.storage.models import ModelRegistry
from credit_spark.storage.runs import claim, finish
from credit_spark.storage.session import progress as task_progress
from credit_spark.storage.tables import Tables

STATUS_OF = {LandingError: "refused", GateError: "stopped"}
Result = TypeVar("Result")


@dataclass
class RunSummary:
    """What a run has yielded so far: facts for its row in `runs`, and the summary for its user.

    `validations` are rows of that table, which are written however the run ends.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    validations: list[dict[str, Any]] = field(default_factory=list)
    steps: dict[str, Any] = field(default_factory=dict)

    def note(self, step: str, summary: Mapping[str, Any]) -> None:
        """Keep the summary of a step."""
        self.steps[step] = dict(summary)


@dataclass(frozen=True)
class RunContext:
    """One run: a portfolio and a batch date, with everything that a step may use.

    `landing` is the URL of the folder or file that the landing files are in.
    """

    spark: SparkSession
    as_of: date
    contract: Contract
    settings: Settings
    landing: str
    tables: Tables
    models: ModelRegistry
    suites: Suites
    log: Log
    summary: RunSummary

    @cached_property
    def policy(self) -> Policy:
        """What the contract decides about scores."""
        return Policy.of(self.contract)

    def step(self, name: str, function: "Callable[[RunContext], Result]") -> Result:
        """Run one step, show its progress, and log how long it took."""
        began = monotonic()
        with self.log.progress(name, self._progress):
            result = function(self)
        self.log.event("step", step=name, seconds=round(monotonic() - began, 1))
        return result

    def _progress(self) -> str:
        """The finished and the total tasks of Spark's active stages, and about how many loans."""
        done, tasks = task_progress(self.spark)
        if not tasks:
            return ""
        rows = self.summary.facts.get("rows_accepted", 0)
        share = f"{done} of {tasks} tasks"
        return f"{share}, about {rows * done // tasks:,} of {rows:,} loans" if rows else share


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
