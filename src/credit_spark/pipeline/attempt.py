"""One attempt of a night, and its row in `runs`: written last, whatever the end."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version

from credit_spark.contract.errors import DriftError, GateError, LandingError, Stop
from credit_spark.contract.loading import contract_hash
from credit_spark.contract.tables import RUNS, tables
from credit_spark.pipeline.context import RunContext

ENDS = {LandingError: "refused", GateError: "stopped"}


def attempt(night: RunContext, command: str, action: Callable[[RunContext], object]) -> None:
    """Take a command's steps, and write down how it went; errors go on to the caller.

    Where nothing was touched, since the command, the settings or the contract was wrong, or
    another run was in the way, nothing is written here.
    """
    started_at = datetime.now(UTC)
    for table in tables(night.contract):
        night.tables.compare(table)
    try:
        _acted(night, action)
    except DriftError as change:
        _write(night, command, started_at, "complete", str(change))
        raise
    except Stop as stop:
        if type(stop) in ENDS or night.tables.versions:
            _write(night, command, started_at, ENDS.get(type(stop), "stopped"), str(stop))
        raise
    except Exception as error:
        # Its text may hold a borrower's values: the log's file has it, the table does not.
        _write(night, command, started_at, "failed", type(error).__name__)
        raise
    _write(night, command, started_at, "complete", None)


def _acted(night: RunContext, action: Callable[[RunContext], object]) -> None:
    """Take the steps; where they break off, what waits to be committed is taken away."""
    try:
        action(night)
    except DriftError:
        raise
    except BaseException:
        # What can't be taken away now is seen by nobody either.
        with suppress(OSError):
            night.tables.discard()
        raise


def _write(
    night: RunContext, command: str, started_at: datetime, status: str, message: str | None
) -> None:
    versions = json.dumps(night.tables.versions, sort_keys=True)
    night.ledger.facts["table_versions"] = versions
    row = {
        **night.ledger.facts,
        "as_of": night.as_of,
        "command": command,
        "status": status,
        "started_at": started_at,
        "ended_at": datetime.now(UTC),
        "contract_hash": contract_hash(night.contract),
        "settings": night.settings.as_json(),
        "code_version": version("credit-spark"),
        "message": message,
    }
    night.tables.append(RUNS, [row])
