"""Commits to Delta tables: their names, their conflicts and their broken constraints.

A commit has a name, `userMetadata`, by which it is found in the table's history afterwards: Delta
skips a commit without an error where a newer one of the same batch date was there before.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from random import uniform
from time import sleep
from typing import NamedTuple, TypeVar

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import TryAgainError

# More runs than may write to one table between a commit and the look at it.
LAST_COMMITS = 20
# Of a commit to a table that other runs write to at the same moment.
MAX_TRIES = 12
PAUSE_SECONDS = 0.5
# Another run has begun to write a table's log, or has added the same column or constraint.
MADE_BY_ANOTHER = (
    "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION", "DELTA_TABLE_NOT_FOUND",
    "FIELD_ALREADY_EXISTS", "DELTA_CONSTRAINT_ALREADY_EXISTS",
)  # fmt: skip
# The commits that one run may make before they reach the next run's numbers.
COMMITS_OF_A_RUN = 2**20
# The module of Delta's conflicts: its classes have no common ancestor of their own.
CONFLICTS = "delta.exceptions"
Result = TypeVar("Result")
BROKEN = re.compile(r"CHECK constraint (\w+)|NOT NULL constraint violated for column: (\w+)")


class ConstraintError(Exception):
    """A row breaks a constraint of its table, which has its name here but none of the values."""


class ConflictError(TryAgainError):
    """Another run has written to the table at the same moment: the same commit may succeed now."""


class Commit(NamedTuple):
    """A commit that was made: the version of the table, and how many rows it wrote."""

    version: int
    rows: int


def fencing(name: object, number: int) -> dict[str, str]:
    """Options that let Delta skip a commit where one of the same name has no lower number."""
    return {"txnAppId": str(name), "txnVersion": str(number)}


def commit(
    path: str, rows: DataFrame, name: str, where: str | None, fence: Mapping[str, str]
) -> Commit | None:
    """Append rows, or replace those for which a condition holds; None: no commit was made.

    With a fence that is a skipped commit. Without, nothing was there to replace or to write.

    Raises:
        ConflictError: another run has written to the table at the same moment.
        ConstraintError: a row breaks a constraint of the table.
    """
    writer = rows.write.format("delta").option("userMetadata", name).options(**fence)
    if where:
        writer = writer.option("replaceWhere", where)
    with delta_errors(path):
        writer.mode("overwrite" if where else "append").save(path)
    history = DeltaTable.forPath(rows.sparkSession, path).history(LAST_COMMITS)
    for own in history.where(F.col("userMetadata") == name).collect():
        return Commit(own["version"], int(own["operationMetrics"].get("numOutputRows", 0)))
    return None


def retried(commit: Callable[[], Result]) -> Result:
    """Commit, and again where another run has written to the table at the same moment."""
    for attempt in range(1, MAX_TRIES):
        with suppress(ConflictError):
            return commit()
        # Runs that end together do not meet again at the same moment.
        sleep(uniform(0, attempt * PAUSE_SECONDS))  # noqa: S311 - no secret
    return commit()


def taken_over(as_of: date) -> TryAgainError:
    """The error of a run whose batch date another run has claimed."""
    return TryAgainError(
        f"a newer run of {as_of} has taken over this batch date; wait until it has ended, then "
        "check its status before you run the same command again"
    )


def conflict(path: str) -> ConflictError:
    """The error of a run that has lost a table to other runs every time."""
    return ConflictError(
        f"other runs wrote to '{Path(path).name}' at the same moment; run the same command again"
    )


@contextmanager
def delta_errors(path: str) -> Iterator[None]:
    """Turn conflicts into TryAgainError, and a broken constraint into its name."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        # Over Spark Connect they are classes of another module, below these.
        is_conflict = any(each.__module__.startswith(CONFLICTS) for each in type(error).__mro__)
        if is_conflict or any(condition in str(error) for condition in MADE_BY_ANOTHER):
            raise conflict(path) from None
        broken = BROKEN.search(str(error))
        if broken is None:
            raise
        name = broken[1] or f"{broken[2]} is never null"
        table = Path(path).name
        raise ConstraintError(f"a row of '{table}' breaks the constraint {name}") from None
