"""A command for one batch date: opens everything a run needs, runs it and prints its summary."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from uuid import uuid4

from rich.console import Console

from credit_spark.contract.errors import (
    CreditSparkError,
    DriftError,
    GateError,
    TryAgainError,
    listed,
)
from credit_spark.contract.models import Contract
from credit_spark.listeners import About, followed
from credit_spark.pipeline.attempt import attempt
from credit_spark.pipeline.context import RunContext, RunSummary
from credit_spark.pipeline.nightly import REFUSED
from credit_spark.quality.suites import Suites, import_in_background
from credit_spark.settings import Settings, contract_and_settings
from credit_spark.storage.logs import Log
from credit_spark.storage.models import Models
from credit_spark.storage.paths import (
    check_folder_of_tables,
    local_folder,
    only_run,
    url_of,
    writable,
)
from credit_spark.storage.session import is_submitted, spark_session
from credit_spark.storage.tables import Tables
from credit_spark.summary import for_person


@dataclass(frozen=True)
class Flags:
    """The flags of every command that runs a step."""

    portfolio: str
    as_of: date
    landing: str | None
    warehouse: str | None
    settings_file: Path | None
    project: Path
    as_json: bool
    metrics_file: Path | None = None
    lineage: str | None = None


VALIDATING = ("nightly", "clean", "validate", "score")
# In the text of an error of Spark's, Hadoop's or Delta's: the storage does not answer, or is full.
STORAGE_FAULTS = ("java.net.ConnectException", "java.net.UnknownHost", "java.net.SocketTimeout",
                  "java.net.NoRouteToHost", "No space left on device",
                  "java.io.FileNotFoundException", "FAILED_READ_FILE.FILE_NOT_EXIST")  # fmt: skip


class InternalError(CreditSparkError):
    """An unexpected error: its trace is in the log."""


# The report that is written after a step: from the contract, the tables' folder and the date.
Reports = Mapping[str, Callable[[Contract, str, date], str]]


def launch(
    command: str,
    action: Callable[[RunContext], object],
    flags: Flags,
    reports: Reports = MappingProxyType({}),
) -> None:
    """Run the steps of a command for one batch date, and print the summary.

    `reports` are written after the run, each where its step has run.

    Raises:
        CreditSparkError: the command ended early, with its exit code.
    """
    contract, settings = contract_and_settings(
        flags.portfolio, flags.warehouse, flags.settings_file, flags.project, flags.landing
    )
    folder = _folder_of_tables(contract, settings)
    writable(settings.storage.logs, "storage.logs in the settings")
    # spark-submit puts stderr into stdout: nothing goes there where one JSON object is asked for.
    is_quiet = flags.as_json and is_submitted()
    log = Log(Path(settings.storage.logs), uuid4().hex, to_stderr=False if is_quiet else None)
    log.event("start", command=command, portfolio=contract.portfolio, as_of=flags.as_of)
    ledger = RunSummary()
    if command in VALIDATING:
        # The import takes as long as Spark takes to start.
        import_in_background()
    place = _resolved(folder)
    about = About(contract.portfolio, command, log.run_id, flags.as_of, place)
    lock = only_run(folder, str(flags.as_of), is_locked=settings.storage.lock)
    with _logged_errors(log), lock, ExitStack() as listening:
        listening.enter_context(followed(about, flags.metrics_file, flags.lineage, log, ledger))
        with spark_session(settings.spark.options(), log.file.with_name("java.log")) as spark:
            run = RunContext(
                spark=spark,
                as_of=flags.as_of,
                contract=contract,
                settings=settings,
                landing=url_of(settings.storage.landing.format(portfolio=contract.portfolio)),
                tables=(tables := Tables(spark, folder, flags.as_of, log.run_id)),
                models=Models(tables),
                suites=Suites(flags.project / "expectations" / contract.portfolio),
                log=log,
                ledger=ledger,
            )
            write_reports = partial(_write_reports, reports, place, run)
            change = _attempted(run, command, action, write_reports)
            # The run has ended: its report is made from its tables.
            listening.close()
            write_reports(reports)
    log.event("end", command=command)
    about_it = {"portfolio": contract.portfolio, "as_of": str(flags.as_of), "tables": place}
    _print_summary(command, about_it, ledger, as_json=flags.as_json)
    if change:
        raise change


def _print_summary(
    command: str, about: Mapping[str, str], ledger: RunSummary, *, as_json: bool
) -> None:
    if as_json:
        print(json.dumps({"command": command, **about, **ledger.summary}))
    else:
        for_person(Console(highlight=False), about, ledger.summary)


def _folder_of_tables(contract: Contract, settings: Settings) -> str:
    """The folder or URL of the portfolio's tables, once it is known that they can be there."""
    folder = f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}"
    check_folder_of_tables(folder)
    writable(folder, "--warehouse")
    return folder


def _attempted(
    run: RunContext,
    command: str,
    action: Callable[[RunContext], object],
    write_reports: Callable[[Collection[str]], None],
) -> DriftError | None:
    """Run the steps; a drift that is reported after them is returned.

    Raises:
        CreditSparkError: a step ended the run. A model that fails its gates has a report.
    """
    try:
        attempt(run, command, action)
    except DriftError as change:
        return change
    except GateError as error:
        if REFUSED in run.ledger.summary:
            write_reports(["train"])
        file = run.ledger.summary.get("report of train", {}).get("file")
        raise GateError(listed(str(error), [f"see {file}"] if file else [])) from error
    return None


def _write_reports(reports: Reports, folder: str, run: RunContext, steps: Collection[str]) -> None:
    """Write the reports of the steps that have run; a report that fails does not undo the run."""
    for step in [each for each in reports if each in steps and each in run.ledger.summary]:
        began, file = monotonic(), None
        try:
            file = reports[step](run.contract, folder, run.as_of)
        except Exception as error:
            run.log.event("report failed", error=type(error).__name__)
            run.log.trace(error)
        run.log.event("step", step=f"report of {step}", seconds=round(monotonic() - began, 1))
        run.ledger.note(f"report of {step}", {"file": file})


@contextmanager
def _logged_errors(log: Log) -> Iterator[None]:
    """Keep every trace in the log's file, and raise an error that has a sentence for the user."""
    try:
        yield
    except CreditSparkError as error:
        log.event("stopped", exit_code=error.exit_code)
        log.trace(error)
        raise
    except Exception as error:
        log.event("failed", error=type(error).__name__)
        log.trace(error)
        if isinstance(error, OSError) or any(sign in str(error) for sign in STORAGE_FAULTS):
            raise TryAgainError(
                "the storage does not answer, is full or has lost a file; the earlier dates are "
                "unchanged. Run the same command again when it answers, or the whole nightly run "
                f"where a file of a table is gone; the trace is in {log.file}"
            ) from error
        raise InternalError(
            f"internal error ({type(error).__name__}); the earlier dates are unchanged, and the "
            f"trace is in {log.file}"
        ) from error


def _resolved(folder: str) -> str:
    """A folder's whole path; a URL as it is."""
    local = local_folder(folder)
    return folder if local is None else str(local.resolve())
