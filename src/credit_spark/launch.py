"""A command on one night: everything it needs is opened, and what came of it is printed."""

import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from uuid import uuid4

from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession
from rich.console import Console

from credit_spark.adapters.landing import Landing
from credit_spark.adapters.lineage import About
from credit_spark.storage.logs import Log, java_trace
from credit_spark.contract.errors import DriftError, GateError, Stop, TryAgainError, listed
from credit_spark.contract.loading import find_contract, load_contract
from credit_spark.contract.models import Contract
from credit_spark.listeners import Listeners, followed
from credit_spark.pipeline.attempt import attempt
from credit_spark.pipeline.context import RunContext, RunSummary
from credit_spark.quality.suites import Suites, import_meanwhile
from credit_spark.reporting.charts import OfEach
from credit_spark.settings import Settings, resolve
from credit_spark.storage.models import Models
from credit_spark.storage.paths import local_folder, only_run, opened, url_of, writable
from credit_spark.storage.session import is_submitted, spark_session
from credit_spark.storage.tables import Tables
from credit_spark.summary import for_person


@dataclass(frozen=True)
class Flags:
    """What every command of a night is told."""

    portfolio: str
    as_of: date
    landing: str | None
    warehouse: str | None
    settings_file: Path | None
    project: Path
    as_json: bool
    metrics_file: Path | None = None
    lineage: str | None = None


JUDGING = ("nightly", "validate", "score")
STORAGE_AWAY = ("java.net.ConnectException", "java.net.UnknownHost", "java.net.SocketTimeout",
                "java.net.NoRouteToHost")  # fmt: skip


class OurFaultError(Stop):
    """Something broke that should not: the trace is in the log."""


# What makes a report of what is in the tables after a step, and says where it is.
Publish = Mapping[str, Callable[[Contract, str, date, OfEach], str]]


def launch(
    command: str,
    action: Callable[[RunContext], object],
    flags: Flags,
    publish: Publish = MappingProxyType({}),
) -> None:
    """Take the steps of a command on one night, and print what came of it.

    `publish` makes the reports, each after its step.

    Raises:
        Stop: the command ended early, with its exit code.
    """
    contract = load_contract(find_contract(flags.portfolio, flags.project / "conf/portfolios"))
    settings = _settings(flags)
    folder = f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}"
    writable(folder, "--warehouse")
    writable(settings.storage.logs, "storage.logs in the settings")
    log = Log(Path(settings.storage.logs), uuid4().hex, to_stderr=_may_log_to_stderr(flags))
    log.event("start", command=command, portfolio=contract.portfolio, as_of=flags.as_of)
    ledger = RunSummary()
    if command in JUDGING:
        # It takes as long as Spark takes to start.
        import_meanwhile()
    what = About(contract.portfolio, command, log.run_id, flags.as_of, _resolved(folder))
    listeners = Listeners(what, flags.metrics_file, flags.lineage)
    options, noise = settings.spark.options(), Path(settings.storage.logs) / "java.log"
    with _faults_of_ours(log), only_run(folder, str(flags.as_of)), ExitStack() as listening:
        listening.enter_context(followed(listeners, log, ledger))
        with spark_session(options, noise) as spark:
            night = _night(spark, contract, settings, flags, folder, log, ledger)
            made = partial(_publish, publish, _resolved(folder), night)
            change = _attempted(night, command, action, made)
            # The night is over; its report is made of its tables.
            listening.close()
            made(publish)
    log.event("end", command=command)
    _tell(command, contract, flags, folder, ledger)
    if change:
        raise change


def _attempted(
    night: RunContext,
    command: str,
    action: Callable[[RunContext], object],
    publish: Callable[[Collection[str]], None],
) -> DriftError | None:
    """Take the steps; a change that is to be told after them is given back.

    Raises:
        Stop: they ended early. What failed its gates is what a modeller wants to look at.
    """
    try:
        attempt(night, command, action)
    except DriftError as change:
        return change
    except GateError as error:
        publish(["train"])
        file = night.ledger.summary.get("report of train", {}).get("file")
        raise GateError(listed(str(error), [f"see {file}"] if file else [])) from error
    return None


def _publish(publish: Publish, folder: str, night: RunContext, steps: Collection[str]) -> None:
    """Make the reports of those steps that were taken; one that can't be made undoes no night."""
    log, ledger, of_each = night.log, night.ledger, partial(night.spread, "draw charts")
    for step in [each for each in publish if each in steps and each in ledger.summary]:
        began, file = monotonic(), None
        try:
            file = publish[step](night.contract, folder, night.as_of, of_each)
        except Exception as error:
            log.event("report failed", error=type(error).__name__)
            log.trace(error)
        log.event("step", step=f"report of {step}", seconds=round(monotonic() - began, 1))
        ledger.note(f"report of {step}", {"file": file})


def _settings(flags: Flags) -> Settings:
    given = {"landing": flags.landing, "warehouse": flags.warehouse}
    storage = {name: value for name, value in given.items() if value is not None}
    return resolve(flags.project / "conf/base.yml", flags.settings_file, {"storage": storage})


def _night(
    spark: SparkSession,
    contract: Contract,
    settings: Settings,
    flags: Flags,
    folder: str,
    log: Log,
    ledger: RunSummary,
) -> RunContext:
    opened(folder)
    tables = Tables(spark, folder, flags.as_of, log.run_id)
    source = url_of(settings.storage.landing.format(portfolio=contract.portfolio))
    return RunContext(
        spark=spark,
        as_of=flags.as_of,
        contract=contract,
        settings=settings,
        landing=Landing(spark, contract, source, flags.as_of),
        tables=tables,
        models=Models(tables),
        suites=Suites(flags.project / "expectations" / contract.portfolio),
        log=log,
        ledger=ledger,
    )


def _may_log_to_stderr(flags: Flags) -> bool | None:
    """Not where one JSON object is asked for and spark-submit puts stderr into stdout."""
    return False if flags.as_json and is_submitted() else None


@contextmanager
def _faults_of_ours(log: Log) -> Iterator[None]:
    """Keep every trace in the log's file, and tell the user in a sentence."""
    try:
        yield
    except Stop as stop:
        log.event("stopped", exit_code=stop.exit_code)
        log.trace(stop)
        raise
    except Exception as error:
        log.event("failed", error=type(error).__name__)
        log.trace(error)
        is_of_storage = isinstance(error, OSError) or (
            isinstance(error, DeltaError) and "error performing" in str(error).lower()
        )
        if is_of_storage or any(sign in java_trace(error) for sign in STORAGE_AWAY):
            raise TryAgainError(
                "the storage went away meanwhile, is full or has lost a file; the earlier nights "
                "stand. Run the same command again when it answers, or the whole night where a "
                f"table's file is gone; the trace is in {log.file}"
            ) from error
        raise OurFaultError(
            f"this is a fault of ours ({type(error).__name__}); the earlier nights stand as they "
            f"were, and the trace is in {log.file}"
        ) from error


def _tell(command: str, contract: Contract, flags: Flags, folder: str, ledger: RunSummary) -> None:
    place = _resolved(folder)
    about = {"portfolio": contract.portfolio, "as_of": str(flags.as_of), "tables": place}
    if flags.as_json:
        print(json.dumps({"command": command, **about, **ledger.summary}), file=sys.stdout)
    else:
        for_person(Console(highlight=False), about, ledger.summary)


def _resolved(folder: str) -> str:
    """A folder's whole path; a URL as it is."""
    local = local_folder(folder)
    return folder if local is None else str(local.resolve())
