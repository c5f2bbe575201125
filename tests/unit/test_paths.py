"""Folders and URLs, and the lock of a batch date."""

from pathlib import Path

import pytest

from credit_spark.config.errors import TryAgainError
from credit_spark.storage.paths import batch_date_lock, local_folder, url_of


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("warehouse", Path("warehouse")),
        ("/data/loans", Path("/data/loans")),
        ("file:/data/loans", Path("/data/loans")),
        ("file:///data/loans", Path("/data/loans")),
        ("hdfs://name:9000/loans", None),
        ("dbfs:/loans", None),
        ("s3a://bucket/loans", None),
    ],
)
def test_only_a_folder_of_this_machine_is_local(place, folder) -> None:
    assert local_folder(place) == folder


def test_a_folder_is_a_url_for_spark_and_a_url_stays_one() -> None:
    assert url_of("/data/loans") == "file:/data/loans"
    assert url_of("dbfs:/loans") == "dbfs:/loans"


def test_a_batch_date_is_locked_by_one_run(tmp_path) -> None:
    with batch_date_lock(str(tmp_path), "2012-01-31"):
        with pytest.raises(TryAgainError), batch_date_lock(str(tmp_path), "2012-01-31"):
            pass
        with batch_date_lock(str(tmp_path), "2012-02-29"):
            pass
        with batch_date_lock(str(tmp_path), "2012-01-31", is_locked=False):
            pass
    with batch_date_lock(str(tmp_path), "2012-01-31"):
        pass
