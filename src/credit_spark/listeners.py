"""Those who are told how a command goes: Prometheus by a file, OpenLineage by a file or a server.

They may be away; a night is not theirs to stop.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from credit_spark.adapters.lineage import About, Lineage
from credit_spark.contract.errors import CreditSparkError
from credit_spark.pipeline.context import RunSummary
from credit_spark.storage.logs import Log
from credit_spark.storage.paths import writable


class Listeners(NamedTuple):
    """What they are told about, and where; None: nobody listens."""

    about: About
    metrics_file: Path | None
    lineage: str | None

    def check(self) -> None:
        """Make sure that their files can be written.

        Raises:
            InputError: one can't be.
        """
        if self.metrics_file:
            writable(str(self.metrics_file.resolve().parent), "--metrics-file")
        if self.lineage:
            Lineage(self.lineage, self.about).check()

    def begin(self) -> None:
        """Say that the command begins."""
        if self.lineage:
            Lineage(self.lineage, self.about).tell("START", {})

    def end(self, ledger: RunSummary, why: str | None) -> None:
        """Say how it ended: `why` it did not come to its end, or None."""
        if self.lineage:
            state = "FAIL" if why else "COMPLETE"
            Lineage(self.lineage, self.about).tell(state, ledger.facts, why)

    def write_figures(self, ledger: RunSummary, why: str | None, seconds: float) -> None:
        """Leave the night's figures."""
        if self.metrics_file:
            # It takes a while to import, and is seldom asked for.
            from credit_spark.adapters.openmetrics import write_metrics

            write_metrics(
                self.metrics_file, self.about.portfolio, self.about.as_of, ledger.summary,
                is_complete=why is None, seconds=seconds,
            )  # fmt: skip


@contextmanager
def followed(listeners: Listeners, log: Log, ledger: RunSummary) -> Iterator[None]:
    """Tell the listeners how what is within goes."""
    listeners.check()
    began = monotonic()
    _tried(listeners.begin, log, ledger)
    why: str | None = "interrupted"
    try:
        yield
        why = None
    except CreditSparkError as stop:
        why = str(stop)
        raise
    except Exception as error:
        # Its text may hold a borrower's values.
        why = type(error).__name__
        raise
    finally:
        seconds = monotonic() - began
        _tried(partial(listeners.end, ledger, why), log, ledger)
        _tried(partial(listeners.write_figures, ledger, why, seconds), log, ledger)


def _tried(tell: Callable[[], None], log: Log, ledger: RunSummary) -> None:
    try:
        tell()
    except Exception as error:
        log.event("not told", error=type(error).__name__)
        log.trace(error)
        ledger.note("told", {"failed": type(error).__name__})
