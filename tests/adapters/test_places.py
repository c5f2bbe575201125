from pathlib import Path

import pytest

from credit_spark.contract.errors import InputError, TryAgainError
from credit_spark.storage.paths import file_system, local_folder, url_of


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


def test_a_storage_that_nothing_knows_is_the_commands_fault(spark) -> None:
    with pytest.raises(InputError, match="this Spark knows no such storage"):
        file_system(spark, "nowhere://loans/x")


def test_a_storage_that_does_not_answer_is_to_be_tried_again(spark) -> None:
    with pytest.raises(TryAgainError, match="cannot be reached"):
        file_system(spark, "hdfs://127.0.0.1:9/loans")


def test_a_folder_that_is_not_there_yet_is_no_fault(spark, tmp_path) -> None:
    assert file_system(spark, url_of(str(tmp_path / "later")))
