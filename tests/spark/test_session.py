"""The session: what results depend on, what a log may say, and what spark-submit decides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from credit_spark.storage.logs import Log, message_of
from credit_spark.storage.session import described, progress, spark_session

PROJECT = Path(__file__).parents[2]
# What reaches Python of an exception that Spark does not declare as its own.
RAISED = (PySparkException, Py4JJavaError)
SUBMIT = Path(pyspark.__file__).parent / "bin/spark-submit"
SUBMITTED = """
import json, sys
from pathlib import Path
from credit_spark.config.errors import InputError
from credit_spark.storage.session import spark_session

try:
    with spark_session({"spark.hadoop.a.key": "secret", "spark.master": "local[7]"}, Path("noise")):
        pass
except InputError as error:
    said = str(error)
options = {"spark.sql.shuffle.partitions": "3", "spark.sql.files.maxPartitionBytes": "9m"}
with spark_session(options, Path("noise")) as spark:
    conf = {key: spark.conf.get(key) for key in sys.argv[1:]}
    rows = spark.range(3).write.format("delta").save("table")
print(json.dumps({"said": said, **conf}))
"""


@pytest.fixture
def running(spark):
    """The session of the suite; options that a test has set are taken away again."""
    before = spark.conf.getAll
    yield spark
    for key in spark.conf.getAll.keys() - before.keys():
        spark.conf.unset(key)
    for key in ("spark.sql.session.timeZone", "spark.sql.ansi.enabled"):
        spark.conf.set(key, before[key])


def test_running_session_keeps_its_options_and_gets_what_results_depend_on(
    running, tmp_path
) -> None:
    running.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    running.conf.set("spark.sql.ansi.enabled", "false")
    options = {"spark.sql.shuffle.partitions": "99", "spark.sql.autoBroadcastJoinThreshold": "7"}

    with spark_session(options, tmp_path / "noise") as session:
        assert session is running
        assert session.conf.get("spark.sql.session.timeZone") == "UTC"
        assert session.conf.get("spark.sql.ansi.enabled") == "true"
        assert session.conf.get("spark.sql.shuffle.partitions") == "2"
        assert session.conf.get("spark.sql.autoBroadcastJoinThreshold") == "7"

    assert running.range(1).count() == 1


def test_jobs_are_described_and_counted_while_they_run(spark) -> None:
    with described(spark, "count the loans"):
        assert spark.sparkContext.getLocalProperty("spark.job.description") == "count the loans"
        assert progress(spark) == (0, 0)

    assert spark.sparkContext.getLocalProperty("spark.job.description") is None


def test_failed_cast_leaves_its_condition_in_the_log_and_no_value(spark, tmp_path, capfd) -> None:
    text = spark.createDataFrame([("ANNA 7777",)], "text string")
    log = Log(tmp_path, "run", to_stderr=True)

    with pytest.raises(PySparkException) as error:
        text.select(F.col("text").cast("int")).collect()
    log.trace(error.value)

    written = log.file.read_text()
    assert "CAST_INVALID_INPUT" in written
    assert "SparkNumberFormatException" in written
    assert "at org.apache.spark" in written
    assert not any("ANNA" in each or "7777" in each for each in (written, *capfd.readouterr()))


def test_violated_constraint_leaves_its_name_in_the_log_and_no_value(spark, tmp_path) -> None:
    table = f"delta.`{tmp_path / 'scores'}`"
    spark.sql(f"create table {table} (loan_id string not null, pd double) using delta")
    spark.sql(f"alter table {table} add constraint pd_is_a_share check (pd between 0 and 1)")

    with pytest.raises(RAISED) as share:
        spark.sql(f"insert into {table} values ('ANNA', 7777.0)")
    with pytest.raises(RAISED) as null:
        spark.sql(f"insert into {table} values (null, 0.7777)")

    assert "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES pd_is_a_share" in message_of(share.value)
    assert "DELTA_NOT_NULL_CONSTRAINT_VIOLATED loan_id" in message_of(null.value)
    traces = message_of(share.value) + message_of(null.value)
    assert not any(each in traces for each in ("ANNA", "7777"))


def test_what_spark_submit_was_given_wins_and_what_comes_too_late_is_named(tmp_path) -> None:
    (tmp_path / "job.py").write_text(SUBMITTED)
    keys = ["spark.master", "spark.sql.shuffle.partitions", "spark.sql.files.maxPartitionBytes",
            "spark.sql.session.timeZone"]  # fmt: skip
    given = ["--master", "local[1]", "--conf", "spark.sql.shuffle.partitions=5",
             "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.session.timeZone=Asia/Tokyo"]  # fmt: skip
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT / "src"),
        "PYSPARK_PYTHON": sys.executable,
    }

    done = subprocess.run(
        [str(SUBMIT), *given, "job.py", *keys], cwd=tmp_path, env=environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    said = found.pop("said")
    assert found == dict(zip(keys, ["local[1]", "5", "9m", "UTC"], strict=True))
    assert "spark.hadoop.a.key" in said
    assert "secret" not in said
    assert "spark.master" not in said
