"""One function a step: it is given a night, calls, and writes by an adapter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from time import monotonic
from typing import Any, TypeVar

from credit_spark.adapters.landing import Landing
from credit_spark.adapters.logs import Log
from credit_spark.adapters.models import Models
from credit_spark.adapters.suites import Suites
from credit_spark.adapters.tables import Tables
from credit_spark.contract.models import Contract
from credit_spark.settings import Settings

Made = TypeVar("Made")


@dataclass
class Ledger:
    """What an attempt has come to so far: facts for its row in `runs` and its summary."""

    facts: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def note(self, step: str, summary: Mapping[str, Any]) -> None:
        """Keep what a step tells its user."""
        self.summary[step] = dict(summary)


@dataclass(frozen=True)
class Night:
    """One logical date of one portfolio: all that a step may use."""

    as_of: date
    contract: Contract
    settings: Settings
    landing: Landing
    tables: Tables
    models: Models
    suites: Suites
    log: Log
    ledger: Ledger

    def step(self, name: str, function: "Callable[[Night], Made]") -> "Made":
        """Take one step, and say when it is done and how long it took."""
        began = monotonic()
        with self.log.progress(name):
            made = function(self)
        self.log.event("step", step=name, seconds=round(monotonic() - began, 1))
        return made
