"""A commit of a Delta table, found by its name in the table's log.

Read as the files stand: `history` of Delta asks Spark, which takes half a second a commit.
Source: Delta's protocol, Delta Log Entries and Commit Provenance Information.
"""

import json
import re
from typing import Any, NamedTuple

from pyspark.sql import SparkSession

from credit_spark.adapters.places import file_system

# As many runs as may write to one table while one of them looks at its own commit.
LAST_COMMITS = 20
# In Hadoop's listing of a log: the commits' files, named by their version.
COMMIT_FILE = re.compile(r"/(\d{20})\.json;")


class Commit(NamedTuple):
    """The table's version that a commit made, and how many rows it wrote."""

    version: int
    rows: int


def named_commit(spark: SparkSession, table: str, name: str) -> Commit | None:
    """The commit that bears a name as its user metadata, among the table's last ones."""
    log, jvm = f"{table}/_delta_log", spark._jvm
    assert jvm is not None
    storage = file_system(spark, log)
    files = storage.listStatus(jvm.org.apache.hadoop.fs.Path(log))
    # As one text: asked one by one, a long log's files would take long.
    versions = COMMIT_FILE.findall(jvm.org.apache.commons.lang3.ArrayUtils.toString(files))
    for version in sorted(versions, reverse=True)[:LAST_COMMITS]:
        text = _text(jvm, storage, f"{log}/{version}.json")
        info = next((each for each in _infos(text) if each.get("userMetadata") == name), None)
        if info is not None:
            return Commit(int(version), int(info["operationMetrics"].get("numOutputRows", 0)))
    return None


def _text(jvm: Any, storage: Any, path: str) -> str:
    stream = storage.open(jvm.org.apache.hadoop.fs.Path(path))
    try:
        return str(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    finally:
        stream.close()


def _infos(text: str) -> list[dict[str, Any]]:
    # By nothing but line feeds: a loan's key may hold what else Python takes for a line's end.
    actions = [json.loads(line) for line in text.split("\n") if line]
    return [each["commitInfo"] for each in actions if "commitInfo" in each]
