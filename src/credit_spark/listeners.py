"""Those who are told how a command goes: Prometheus by a file, OpenLineage by a file or a server.

They may be away; a night is not theirs to stop.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from credit_spark.contract.errors import CreditSparkError
from credit_spark.pipeline.context import RunSummary
from credit_spark.storage.logs import Log
from credit_spark.storage.paths import writable


class About(NamedTuple):
    """What they are told about: a command on a night of a portfolio, and its tables' folder."""

    portfolio: str
    command: str
    run_id: str
    as_of: date
    folder: str


@contextmanager
def followed(
    about: About, metrics_file: Path | None, lineage: str | None, log: Log, ledger: RunSummary
) -> Iterator[None]:
    """Tell those who listen by a file of metrics or for lineage how what is within goes.

    Raises:
        InputError: their files cannot be written.
    """
    # Both adapters take a while to import, and are seldom asked for.
    if metrics_file:
        from credit_spark.adapters.openmetrics import write_metrics

        writable(str(metrics_file.resolve().parent), "--metrics-file")
    if lineage:
        from credit_spark.adapters.lineage import Lineage

        events = Lineage(lineage, *about)
        events.check()
    began = monotonic()
    why: str | None = "interrupted"
    tried = partial(_tried, log, ledger)
    if lineage:
        tried(events.tell, "START", {})
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
        if metrics_file:
            facts = (about.portfolio, about.as_of, ledger.summary, why is None)
            tried(write_metrics, metrics_file, *facts, monotonic() - began)
        if lineage:
            tried(events.tell, "FAIL" if why else "COMPLETE", ledger.facts, why)


def _tried(log: Log, ledger: RunSummary, tell: Callable[..., None], *facts: object) -> None:
    try:
        tell(*facts)
    except Exception as error:
        log.event("not told", error=type(error).__name__)
        log.trace(error)
        ledger.note("told", {"failed": type(error).__name__})
