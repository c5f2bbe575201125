"""The one place that builds a Spark session."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark
from pyspark import SparkContext
from pyspark.sql import SparkSession

from credit_spark.contract.errors import InputError

ALWAYS = {
    "spark.app.name": "credit-spark",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # A table's log is small; the default of 50 partitions costs seconds a write.
    "spark.databricks.delta.snapshotPartitions": "1",
    # Of a table's files: so that no core waits for the last of a few large parts.
    "spark.sql.files.maxPartitionBytes": str(2**25),
    # Between Java and Python: over TCP each small answer waits for a timer, 40 ms a task.
    "spark.python.unix.domain.socket.enabled": "true",
    # A socket's path has room for a hundred letters, which Java's own folder may fill.
    "spark.python.unix.domain.socket.dir": "/tmp",  # noqa: S108 - for its owner alone
    # A core has a task of its own already.
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    # Of blocks of lines: a task is handed as much at once as it reads at once.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(2**23),
    # Dates are the lender's calendar days: no machine's zone may move them.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    # A failed task's text can hold a borrower's values; the caller logs what may be logged.
    "spark.log.level": "OFF",
}
# Made by setup/class_archive.sh; Java reads from it what it would else load and verify.
CLASS_ARCHIVE = Path(pyspark.__file__).parent / "classes.jsa"
PYTHON_OF_TASKS = "PYSPARK_PYTHON"
JOB_DESCRIPTION = "spark.job.description"
SET_BY_SPARK_SUBMIT = "PYSPARK_GATEWAY_PORT"


def is_submitted() -> bool:
    """Whether spark-submit has started this process."""
    return SET_BY_SPARK_SUBMIT in os.environ


@contextmanager
def spark_session(options: Mapping[str, str], noise: Path) -> Iterator[SparkSession]:
    """Open a session that knows Delta, and stop it when the work is done.

    A session that is open already is used as it is, and left open. Under spark-submit, what was
    given there wins over `options`. What the Java process of an embedded Spark prints goes to
    the file `noise`.

    Raises:
        InputError: Java could not be started.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    spark = _started({**ALWAYS, **options}, noise)
    try:
        yield spark
    finally:
        spark.stop()


@contextmanager
def described(spark: SparkSession, words: str) -> Iterator[None]:
    """Let Spark's page and log say in these words what is asked for meanwhile."""
    spark.sparkContext.setJobDescription(words)
    try:
        yield
    finally:
        spark.sparkContext.setLocalProperty(JOB_DESCRIPTION, None)  # type: ignore[arg-type]


def _started(options: Mapping[str, str], noise: Path) -> SparkSession:
    if is_submitted():
        return _builder({**options, **_submitted(options)}).getOrCreate()
    # Tasks that read files run in a Python of their own: this one, which has what they need.
    os.environ.setdefault(PYTHON_OF_TASKS, sys.executable)
    try:
        with _stderr_to(noise):
            return _builder({**_from_archive(), **options}).getOrCreate()
    except Exception as error:
        # pyspark says only that its gateway exited; the cause stands in what Java printed.
        raise InputError(
            "Spark did not start. Run 'credit-spark doctor', which looks at Java, the JARs and the "
            f"folders; what Java said stands in {noise}"
        ) from error


def _from_archive() -> dict[str, str]:
    """Options for Java to read its classes from their archive, where there is one.

    Whatever is wrong with the archive, Java goes on without it, and must not print so into the
    output of a command.
    """
    if not CLASS_ARCHIVE.is_file():
        return {}
    words = f'"-XX:SharedArchiveFile={CLASS_ARCHIVE}" -Xlog:disable -Xlog:all=error:stderr'
    return {"spark.driver.defaultJavaOptions": words}


def _builder(options: Mapping[str, str]) -> SparkSession.Builder:
    return SparkSession.builder.config(map=dict(options))


def _submitted(options: Mapping[str, str]) -> dict[str, str]:
    """The options of ours that spark-submit was given otherwise."""
    SparkContext._ensure_initialized()
    assert SparkContext._jvm is not None
    system = SparkContext._jvm.java.lang.System
    values = {key: system.getProperty(key) for key in options}
    return {key: value for key, value in values.items() if value is not None}


@contextmanager
def _stderr_to(path: Path) -> Iterator[None]:
    """Let processes that are started meanwhile write their standard error to a file."""
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
