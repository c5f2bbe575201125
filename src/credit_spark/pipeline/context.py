"""One function a step: it is given a night, calls, and writes by an adapter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from credit_spark.adapters.spool import Spool, spooling
from credit_spark.adapters.tasks import progress, spread
from credit_spark.contract.errors import Stop

if TYPE_CHECKING:
    # A task imports its step's module, and needs none of these: they would take it half a second.
    from pyspark.sql import SparkSession

    from credit_spark.adapters.landing import Landing
    from credit_spark.storage.logs import Log
    from credit_spark.contract.models import Contract
    from credit_spark.quality.suites import Suites
    from credit_spark.settings import Settings
    from credit_spark.storage.models import Models
    from credit_spark.storage.tables import Tables

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass
class RunSummary:
    """What an attempt has come to so far: facts for its row in `runs` and its summary."""

    facts: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def note(self, step: str, summary: Mapping[str, Any]) -> None:
        """Keep what a step tells its user."""
        self.summary[step] = dict(summary)


@dataclass(frozen=True)
class RunContext:
    """One logical date of one portfolio: all that a step may use."""

    spark: "SparkSession"
    as_of: date
    contract: "Contract"
    settings: "Settings"
    landing: "Landing"
    tables: "Tables"
    models: "Models"
    suites: "Suites"
    log: "Log"
    ledger: RunSummary

    def step(self, name: str, function: "Callable[[RunContext], Made]") -> "Made":
        """Take one step, and say when it is done and how long it took."""
        with self.log.progress(name, self._how_far):
            return self._timed(name, function)

    @contextmanager
    def meanwhile(
        self, name: str, function: "Callable[[RunContext], Made]"
    ) -> "Iterator[Future[Made]]":
        """Take one step beside those within.

        Raises:
            Stop: the step's, whatever has come of those within: it comes before them.
        """
        with ThreadPoolExecutor(1) as thread:
            step = thread.submit(self._timed, name, function)
            try:
                yield step
            except Exception:
                if isinstance(step.exception(), Stop):
                    step.result()
                raise
            step.result()

    def _how_far(self) -> str:
        """How many of Spark's tasks at work are done, and about how many of the loans."""
        done, tasks = progress(self.spark)
        if not tasks:
            return ""
        rows = self.ledger.facts.get("rows_accepted", 0)
        far = f"{done} of {tasks} tasks"
        return f"{far}, about {rows * done // tasks:,} of {rows:,} loans" if rows else far

    def _timed(self, name: str, function: "Callable[[RunContext], Made]") -> "Made":
        began = monotonic()
        made = function(self)
        self.log.event("step", step=name, seconds=round(monotonic() - began, 1))
        return made

    def spread(
        self, words: str, function: "Callable[[Item], Made]", items: "Sequence[Item]"
    ) -> "list[Made]":
        """What a function makes of each item, in a task of Spark's each; `words` say what for."""
        return spread(self.spark, words, function, items)

    def spool(self) -> AbstractContextManager[Spool]:
        """A folder beside the tables, for what this night's tasks leave each other."""
        return spooling(f"{self.tables.folder}/.spool-{self.as_of}", self.log.run_id)
