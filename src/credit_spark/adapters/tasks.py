"""Work that Spark's tasks do in Python, an item each: files in, small results out."""

import gc
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple, TypeVar
from zipimport import zipimporter

from pyspark.sql import SparkSession

from credit_spark.adapters.staging import BrokenPromiseError
from credit_spark.storage.session import described

Item = TypeVar("Item")
Result = TypeVar("Result")


class TaskError(Exception):
    """A task failed: where and in what way. What it was said may hold a borrower's values."""


class TaskStorageError(TaskError, OSError):
    """A task failed since a storage did not answer, was full, or lost a file."""


class Failure(NamedTuple):
    """What a failed task gives in the place of its result."""

    told: str
    is_of_storage: bool


def spread(
    spark: SparkSession, words: str, function: Callable[[Item], Result], items: Sequence[Item]
) -> list[Result]:
    """What a function makes of each item, in their order; an item is a task.

    Spark's page and log say in `words` what the tasks are for. What the function needs has to be
    bound to it; what it gives comes to the driver, so it has to be small.

    Raises:
        TaskError: the function raised an error.
    """
    if not items:
        return []
    tasks = spark.sparkContext.parallelize(items, len(items)).map(partial(_tried, function))
    with described(spark, words):
        return list(_sound(tasks.collect()))


def progress(spark: SparkSession) -> tuple[int, int]:
    """How many tasks of the stages at work are done, and how many there are."""
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(each) for each in tracker.getActiveStageIds()]
    known = [each for each in stages if each]
    return sum(each.numCompletedTasks for each in known), sum(each.numTasks for each in known)


def _tried(function: Callable[[Item], Result], item: Item) -> Result | Failure:
    try:
        return function(item)
    except Exception as error:
        frames = "".join(traceback.format_tb(error.__traceback__))
        # Of other errors' texts nobody knows whether they hold values.
        text = str(error) if isinstance(error, BrokenPromiseError) else ""
        return Failure(f"{frames}{type(error).__name__} {text}", isinstance(error, OSError))
    finally:
        _ready_for_the_next(len(sys.modules))


def _ready_for_the_next(modules: int) -> None:
    """Spare Spark's worker what it does between two tasks: a sixth of a second of each.

    It looks for garbage, among all that was imported, too; and it has Python forget what it knows
    of its path, which reads the contents of every zip there again (until Python 3.13).
    """
    _no_garbage(modules)
    for path, finder in [*sys.path_importer_cache.items()]:
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[path]


@cache
def _no_garbage(modules: int) -> None:
    """Take what is there now, with so many modules, for no garbage."""
    gc.collect()
    gc.freeze()


def _sound(results: Sequence[Result | Failure]) -> Iterator[Result]:
    for each in results:
        if isinstance(each, Failure):
            raise TaskStorageError(each.told) if each.is_of_storage else TaskError(each.told)
        yield each
