"""A command for one batch date: opens everything a run needs, runs it and prints its summary."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from uuid import uuid4

from rich.console import Console

from credit_spark.cli.flags import Flags
from credit_spark.cli.output import printing
from credit_spark.cli.reports import publish
from credit_spark.cli.summary import print_summary
from credit_spark.config.errors import (
    CreditSparkError,
    DriftError,
    GateError,
    TryAgainError,
    listed,
)
from credit_spark.config.settings import contract_and_settings
from credit_spark.pipeline.context import RunContext, RunSummary, attempt
from credit_spark.pipeline.nightly import REFUSED
from credit_spark.pipeline.validate import check_suites
from credit_spark.quality.suites import Suites, import_in_background
from credit_spark.storage.logs import Log, say
from credit_spark.storage.models import ModelRegistry
from credit_spark.storage.paths import (
    batch_date_lock,
    check_folder_of_tables,
    local_folder,
    url_of,
    writable,
)
from credit_spark.storage.reader import TableReader
from credit_spark.storage.session import is_submitted, spark_session
from credit_spark.storage.tables import Tables

VALIDATING = ("nightly", "clean", "validate", "score")
# Commands that write reports, and the steps that have one.
REPORTING, REPORTED = ("nightly", "train"), ("train", "measure")
# In the text of an error of Spark's, Hadoop's or Delta's: the storage does not answer, or is full.
STORAGE_FAULTS = ("java.net.ConnectException", "java.net.UnknownHost", "java.net.SocketTimeout",
                  "java.net.NoRouteToHost", "No space left on device",
                  "java.io.FileNotFoundException", "FAILED_READ_FILE.FILE_NOT_EXIST")  # fmt: skip


def launch(command: str, action: Callable[[RunContext], object], flags: Flags) -> None:
    """Run the steps of a command for one batch date, write its reports and print the summary.

    Raises:
        CreditSparkError: the command ended early, with its exit code.
    """
    contract, settings = contract_and_settings(
        flags.portfolio, flags.warehouse, flags.settings_file, flags.project, flags.landing
    )
    folder = settings.storage.folder_of(contract)
    check_folder_of_tables(folder)
    writable(folder, "--warehouse")
    writable(settings.storage.logs, "storage.logs in the settings")
    # spark-submit puts stderr into stdout: nothing goes there with --json.
    is_quiet = flags.as_json and is_submitted()
    log = Log(Path(settings.storage.logs), uuid4().hex, to_stderr=False if is_quiet else None)
    log.event("start", command=command, portfolio=contract.portfolio, as_of=flags.as_of)
    _remark_on(flags.as_of, is_quiet=is_quiet)
    summary = RunSummary()
    if command in VALIDATING:
        # The import takes as long as Spark takes to start.
        import_in_background()
    local = local_folder(folder)
    about = {
        "portfolio": contract.portfolio,
        "as_of": str(flags.as_of),
        "tables": str(local.resolve()) if local else folder,
    }
    lock = batch_date_lock(folder, str(flags.as_of), is_locked=settings.storage.lock)
    with logged_errors(log), lock, ExitStack() as listening:
        listening.enter_context(_followed(flags, command, about, log, summary))
        with spark_session(settings.spark.options(), log.file_of_java) as spark:
            run = RunContext(
                spark=spark,
                as_of=flags.as_of,
                contract=contract,
                settings=settings,
                landing=url_of(settings.storage.landing.format(portfolio=contract.portfolio)),
                tables=(tables := Tables(spark, folder, flags.as_of, log.run_id)),
                models=ModelRegistry(tables),
                suites=Suites(flags.project / "expectations" / contract.portfolio),
                log=log,
                summary=summary,
            )
            change = _attempted(run, command, action, about["tables"])
            # The run has ended: its report is made from its tables.
            listening.close()
            for step in REPORTED if command in REPORTING else ():
                _write_report(run, step, about["tables"])
    log.event("end", command=command)
    # The run has ended: who reads its summary does not change its exit code.
    with suppress(BrokenPipeError), printing():
        _print(command, about, summary, as_json=flags.as_json)
    if change:
        raise change


def _print(command: str, about: Mapping[str, str], summary: RunSummary, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"command": command, **about, **summary.steps}))
    else:
        print_summary(Console(highlight=False, emoji=False), about, summary.steps)


def _remark_on(as_of: date, *, is_quiet: bool) -> None:
    if not is_quiet and is_future(as_of, date.today()):
        say(f"credit-spark: the batch date {as_of} is after today; is the year right?")


def is_future(as_of: date, today: date) -> bool:
    """Whether a batch date is likely a mistake: readers take the newest one for today's.

    >>> [is_future(date(2026, month, 1), date(2026, 6, 30)) for month in (6, 7, 8)]
    [False, False, True]
    """
    # East of this machine the next day has begun.
    return as_of > today + timedelta(days=1)


def _attempted(
    run: RunContext, command: str, action: Callable[[RunContext], object], tables: str
) -> DriftError | None:
    """Run the steps; a drift that is reported after them is returned.

    Raises:
        CreditSparkError: a suite has faults, and no table is touched; or a step ended the run. A
            model that fails its gates has a report.
    """
    if command in VALIDATING:
        check_suites(run.suites, run.contract)
    try:
        return attempt(run, command, action)
    except GateError as error:
        file = _write_report(run, "train", tables) if REFUSED in run.summary.steps else None
        raise GateError(listed(str(error), [f"see {file}"] if file else [])) from error


def _write_report(run: RunContext, step: str, tables: str) -> str | None:
    """Write the report of a step that has run; where that fails, the run stays as it is."""
    if step not in run.summary.steps:
        return None
    began, file = monotonic(), None
    try:
        file, _ = publish(run.contract, TableReader(tables), run.as_of, training=step == "train")
    except Exception as error:
        run.log.event("report failed", error=type(error).__name__)
        run.log.trace(error)
    run.log.event("step", step=f"report of {step}", seconds=round(monotonic() - began, 1))
    run.summary.note(f"report of {step}", {"file": file})
    return file


@contextmanager
def _followed(
    flags: Flags, command: str, about: Mapping[str, str], log: Log, summary: RunSummary
) -> Iterator[None]:
    """Tell by `--metrics-file` and `--lineage` how a command goes; they may fail without it.

    Raises:
        InputError: their files cannot be written.
    """
    attempt = partial(_reported, log, summary)
    # Both adapters take a while to import, and are seldom used.
    if flags.metrics_file:
        from credit_spark.reporting.openmetrics import write_metrics

        writable(str(flags.metrics_file.resolve().parent), "--metrics-file")
    portfolio, tables = about["portfolio"], about["tables"]
    if flags.lineage:
        from credit_spark.reporting.lineage import Lineage

        events = Lineage(flags.lineage, portfolio, command, log.run_id, flags.as_of, tables)
        events.check()
        attempt(events.emit, "START", {})
    began = monotonic()
    why: str | None = "interrupted"
    try:
        yield
        why = None
    except Exception as error:
        # The text of an unexpected error may hold a borrower's values.
        why = str(error) if isinstance(error, CreditSparkError) else type(error).__name__
        raise
    finally:
        if flags.metrics_file:
            facts = (portfolio, flags.as_of, summary.steps, why is None, monotonic() - began)
            attempt(write_metrics, flags.metrics_file, *facts)
        if flags.lineage:
            attempt(events.emit, "FAIL" if why else "COMPLETE", summary.facts, why)


def _reported(log: Log, summary: RunSummary, emit: Callable[..., None], *facts: object) -> None:
    try:
        emit(*facts)
    except Exception as error:
        log.event("not reported", error=type(error).__name__)
        log.trace(error)
        summary.note("reporting", {"failed": type(error).__name__})


@contextmanager
def logged_errors(log: Log) -> Iterator[None]:
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
        unchanged = f"the earlier dates are unchanged; the trace is in {log.file}"
        if isinstance(error, OSError) or any(sign in str(error) for sign in STORAGE_FAULTS):
            raise TryAgainError(
                "the storage does not answer, is full or has lost a file. Run the same command "
                "again when it answers, or the whole nightly run where a file of a table is gone; "
                + unchanged
            ) from error
        raise CreditSparkError(f"internal error ({type(error).__name__}); {unchanged}") from error
