"""Work in Spark's tasks, and what they leave for the next."""

import gc
import sys
from zipimport import zipimporter

import pytest

from credit_spark.adapters.tasks import TaskError, TaskStorageError, spread


def left_by_the_last(_: int) -> tuple[int, int]:
    """How many zips Python has read of its path, and what is no garbage to it."""
    finders = sys.path_importer_cache.values()
    return sum(isinstance(each, zipimporter) for each in finders), gc.get_freeze_count()


def failing(error: Exception) -> None:
    raise error


def test_results_come_in_the_order_of_their_items(spark) -> None:
    assert spread(spark, "squares", pow_of_two, [3, 1, 2]) == [8, 2, 4]
    assert spread(spark, "nothing", pow_of_two, []) == []


def pow_of_two(each: int) -> int:
    return int(2**each)


def test_between_two_tasks_a_worker_has_next_to_nothing_to_do(spark) -> None:
    """One task at a time, so that all of them are one worker's."""
    found = [spread(spark, "look", left_by_the_last, [0])[0] for _ in range(3)]

    assert [zips for zips, _ in found[1:]] == [0, 0]
    assert all(frozen > 10_000 for _, frozen in found[1:])


def test_what_a_task_was_told_is_not_told_again(spark) -> None:
    with pytest.raises(TaskError) as error:
        spread(spark, "fail", failing, [ValueError("ANNA")])

    assert "ValueError" in str(error.value)
    assert "ANNA" not in str(error.value)


def test_a_storage_that_fails_is_told_apart(spark) -> None:
    with pytest.raises(TaskStorageError):
        spread(spark, "fail", failing, [OSError("full")])
