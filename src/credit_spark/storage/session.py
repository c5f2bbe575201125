"""The one place that builds a Spark session, and the one that knows its SparkContext.

The same code runs on an embedded Spark, under spark-submit and in a session that a platform has
opened already. A session of Spark Connect, which is not tested, has no SparkContext.
"""

import locale
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pyspark import SparkContext, StorageLevel
from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger
from pyspark.sql import DataFrame, SparkSession

from credit_spark.config.errors import InputError, listed

# What Delta needs before Spark starts.
AT_START = {
    "spark.app.name": "credit-spark",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Python's call site of every Column takes longer to record than the Column to build.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # The text of a failed task can hold a borrower's values; the caller logs what may be logged.
    "spark.log.level": "OFF",
}
# What results depend on. Nobody sets these to anything else.
MEANING = {
    # Dates are the lender's calendar days: no machine's time zone moves them.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.ansi.enabled": "true",
    # A text of the contract or of a loan with ${name} in it is that text.
    "spark.sql.variable.substitute": "false",
}
# What only speed, and the detail of a trace, depend on.
TUNING = {
    # The log of a table is small; the default of 50 partitions costs seconds a write.
    "spark.databricks.delta.snapshotPartitions": "1",
    # A landing file of 30 MB is still work for several cores.
    "spark.sql.files.maxPartitionBytes": "16m",
    # Of each query Spark would write out its whole plan for the web page.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.maxPlanStringLength": "10000",
    # storage/logs.py takes the classes and frames of a trace, and never its messages.
    "spark.sql.pyspark.jvmStacktrace.enabled": "true",
}
# What spark-submit decides, whatever the settings say.
OF_SPARK_SUBMIT = ("spark.master", "spark.app.", "spark.driver.", "spark.executor.", "spark.ui.")
# Namespaces that a session takes at any time, though Spark itself does not declare them.
OF_PLUGINS = ("spark.databricks.", "spark.comet.")
# pyspark prints each error to stderr as it is raised, with the values in it.
LOGGERS_OF_ERRORS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
# Options that name JARs; a plugin in one that is not there keeps Spark from starting.
JARS = ("spark.jars", "spark.driver.extraClassPath")
JOB_DESCRIPTION = "spark.job.description"
PYTHON_OF_TASKS = "PYSPARK_PYTHON"
SET_BY_SPARK_SUBMIT = "PYSPARK_GATEWAY_PORT"


def is_submitted() -> bool:
    """Whether spark-submit has started this process."""
    return SET_BY_SPARK_SUBMIT in os.environ


@contextmanager
def spark_session(options: Mapping[str, str], java_log: Path) -> Iterator[SparkSession]:
    """Open a session that knows Delta, and stop it when the work is done.

    A session that is open already is left open; it gets the options that it can still take. What
    the Java process of an embedded Spark prints goes to the file `java_log`.

    Raises:
        InputError: Java could not be started, or options came too late for a Spark that
            spark-submit has started.
    """
    for name in LOGGERS_OF_ERRORS:
        PySparkLogger.getLogger(name).disabled = True
    running = SparkSession.getActiveSession()
    if running is not None:
        _set_missing(running, options)
        yield running
        return
    spark = _submitted(options) if is_submitted() else _embedded(options, java_log)
    try:
        with _jobs_ended_by_an_interrupt(spark):
            yield spark
    finally:
        spark.stop()


@contextmanager
def described(spark: SparkSession, words: str) -> Iterator[None]:
    """Describe the jobs within in these words on Spark's web page and in its event log."""
    context = _context(spark)
    if context is None:
        yield
        return
    context.setJobDescription(words)
    try:
        yield
    finally:
        context.setLocalProperty(JOB_DESCRIPTION, None)  # type: ignore[arg-type]


def checkpointed(frame: DataFrame) -> DataFrame:
    """The same rows, computed now, kept in memory and on disk, and read with a plan of one node.

    `persist` keeps the rows' plan, which Spark would analyse in every query: for loans that takes
    longer than to read them. Spark drops the rows when nothing refers to the frame.
    """
    return frame.localCheckpoint(storageLevel=StorageLevel.MEMORY_AND_DISK)


def progress(spark: SparkSession) -> tuple[int, int]:
    """How many tasks of the active stages are done, and how many there are.

    Over Spark Connect neither is known: 0 of 0.
    """
    context = _context(spark)
    if context is None:
        return 0, 0
    tracker = context.statusTracker()
    stages = [tracker.getStageInfo(each) for each in tracker.getActiveStageIds()]
    known = [each for each in stages if each]
    return sum(each.numCompletedTasks for each in known), sum(each.numTasks for each in known)


def _context(spark: SparkSession) -> SparkContext | None:
    """The session's SparkContext; None over Spark Connect, where asking for it is an error."""
    try:
        return spark.sparkContext
    except PySparkException:
        return None


@contextmanager
def _jobs_ended_by_an_interrupt(spark: SparkSession) -> Iterator[None]:
    """On Ctrl-C, cancel all jobs and raise KeyboardInterrupt.

    It replaces pyspark's handler, which calls Java from the interrupted thread. That thread's
    connection waits for the answer to another call, so that Py4J fails.
    """
    context, is_main = _context(spark), threading.current_thread() is threading.main_thread()

    def interrupt(*_: object) -> None:
        if context is not None:
            cancelling = threading.Thread(target=context.cancelAllJobs)
            cancelling.start()
            cancelling.join()
        # Py4J logs the interrupt of its connection to the root logger, with a trace.
        logging.getLogger().addHandler(logging.NullHandler())
        raise KeyboardInterrupt

    if is_main:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _embedded(options: Mapping[str, str], java_log: Path) -> SparkSession:
    # SMOTE alone runs Python in tasks: this one, which has what it needs.
    os.environ.setdefault(PYTHON_OF_TASKS, sys.executable)
    if missing := _missing_jars(options):
        headline = "these JARs of the settings are not there; 'make comet' fetches Comet's"
        raise InputError(listed(headline, missing))
    try:
        with _stderr_to(java_log), _utf8_locale():
            return _builder({**AT_START, **TUNING, **options, **MEANING}).getOrCreate()
    except Exception as error:
        # pyspark says only that its gateway exited; the cause is in what Java printed.
        raise InputError(
            "Spark did not start. Run 'credit-spark doctor', which looks at Java, the JARs and the "
            f"folders; what Java printed is in {java_log}"
        ) from error


def _missing_jars(options: Mapping[str, str]) -> list[str]:
    named = {jar for key in JARS for jar in re.split("[,:]", options.get(key, "")) if jar}
    # With a scheme it is on some other storage, which Spark reads by itself.
    is_url = any("://" in options.get(key, "") for key in JARS)
    return [] if is_url else sorted(jar for jar in named if not Path(jar).exists())


def _submitted(options: Mapping[str, str]) -> SparkSession:
    """A session of the Spark that spark-submit has started; what was given there is kept."""
    at_start = {key: options.get(key, value) for key, value in AT_START.items()}
    spark = _builder(at_start).getOrCreate()
    _set_missing(spark, options)
    later = [key for key in options.keys() - spark.conf.getAll if not _can_be_set(spark, key)]
    if too_late := [key for key in later if not key.startswith(OF_SPARK_SUBMIT)]:
        spark.stop()
        headline = (
            "spark-submit has started Spark without these options of the settings, which no "
            "session can take later; give each to spark-submit as --conf"
        )
        raise InputError(listed(headline, sorted(too_late)))
    return spark


def _builder(options: Mapping[str, str]) -> SparkSession.Builder:
    return SparkSession.builder.config(map=dict(options))


def _set_missing(spark: SparkSession, options: Mapping[str, str]) -> None:
    """Set what results depend on, and each other option that was not given before."""
    given = spark.conf.getAll
    for key, value in {**TUNING, **options}.items():
        if key not in given and _can_be_set(spark, key):
            # A platform may forbid what only speed depends on.
            with suppress(PySparkException):
                spark.conf.set(key, value)
    for key, value in MEANING.items():
        if spark.conf.get(key, None) != value:
            spark.conf.set(key, value)


def _can_be_set(spark: SparkSession, key: str) -> bool:
    return key.startswith(OF_PLUGINS) or spark.conf.isModifiable(key)


@contextmanager
def _utf8_locale() -> Iterator[None]:
    """Let processes that start within have a UTF-8 locale.

    Outside one, Java leaves files out whose names have other letters than ASCII.
    """
    given = os.environ.get("LC_ALL")
    if locale.getencoding().upper() != "UTF-8":
        os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        if given is None:
            os.environ.pop("LC_ALL", None)
        else:
            os.environ["LC_ALL"] = given


@contextmanager
def _stderr_to(path: Path) -> Iterator[None]:
    """Let processes that start within write their standard error to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
