"""The run context: what every step of one run of one portfolio receives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from time import monotonic
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from credit_spark.config.models import Contract
from credit_spark.config.settings import Settings
from credit_spark.quality.suites import Suites
from credit_spark.scoring.policy import Policy
from credit_spark.storage.logs import Log
from credit_spark.storage.models import ModelRegistry
from credit_spark.storage.session import progress as task_progress
from credit_spark.storage.tables import Tables

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
