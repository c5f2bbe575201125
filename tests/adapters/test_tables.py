"""Delta itself, with real writes, read again by Spark and by deltalake."""

from datetime import date

import pytest
from deltalake import DeltaTable
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from credit_spark.adapters.tables import Tables
from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import Field, Table
from tests.frames import rows

SHARES = Table(
    name="shares",
    grain="a loan",
    columns={"loan_id": Field("string", "id"), "pd": Field("double", "a share")},
    keys=("loan_id",),
    checks={"pd_is_a_share": "pd between 0 and 1"},
)
NOTES = Table("notes", "a note", {"text": Field("string", "words")}, ("text",), is_nightly=False)
DDL = "loan_id string, pd double"


@pytest.fixture
def nights(spark, tmp_path) -> list[Tables]:
    return [Tables(spark, str(tmp_path), date(2026, 3, day), f"run {day}") for day in (2, 3)]


def test_a_rerun_replaces_its_night_and_no_other(spark, nights) -> None:
    for night, pd in [(nights[0], 0.1), (nights[1], 0.2), (nights[1], 0.3)]:
        assert night.write(SHARES, spark.createDataFrame([("A", pd)], DDL)) == 1

    assert [rows(night.read(SHARES)) for night in nights] == [[("A", 0.1)], [("A", 0.3)]]
    assert nights[1].versions == {"shares": 3}


def test_a_night_with_no_rows_leaves_none_of_its_earlier_run(spark, nights) -> None:
    nights[0].write(SHARES, spark.createDataFrame([("A", 0.1)], DDL))

    assert nights[0].write(SHARES, spark.createDataFrame([], DDL)) == 0
    assert rows(nights[0].read(SHARES)) == []


def test_a_first_night_with_no_rows_after_one_with_some_counts_none(spark, nights) -> None:
    nights[0].write(SHARES, spark.createDataFrame([("A", 0.1)], DDL))

    assert nights[1].write(SHARES, spark.createDataFrame([], DDL)) == 0


def test_a_write_counts_its_own_rows_though_another_night_wrote_since(spark, nights) -> None:
    """The other night commits between this night's commit and its look at the log."""
    one, two = (
        spark.createDataFrame([("A", 0.1)], DDL),
        spark.createDataFrame([("B", 0.1), ("C", 0.1)], DDL),
    )
    nights[0].create(SHARES)

    def both() -> None:
        one.withColumns({"as_of": F.lit(date(2026, 3, 2)), "run_id": F.lit("run 2")}).write.format(
            "delta"
        ).mode("append").save(nights[0].path(SHARES))
        nights[1].write(SHARES, two)

    assert nights[0]._committed(SHARES, both) == 1
    assert nights[0].versions["shares"] < nights[1].versions["shares"]


def test_a_key_may_hold_what_ends_a_line_elsewhere(spark, nights) -> None:
    """Delta's log has the least and the greatest key of a file."""
    assert nights[0].write(SHARES, spark.createDataFrame([("A\u2028B\x85", 0.1)], DDL)) == 1
    assert nights[0].versions["shares"] == 1


def test_only_what_a_write_is_about_is_replaced(spark, nights) -> None:
    night = nights[0]
    night.write(SHARES, spark.createDataFrame([("A", 0.1), ("B", 0.2)], DDL))

    night.write(SHARES, spark.createDataFrame([("B", 0.9)], DDL), within="loan_id = 'B'")

    assert rows(night.read(SHARES)) == [("A", 0.1), ("B", 0.9)]


@pytest.mark.parametrize(("loan_id", "pd"), [("A", 1.1), (None, 0.5)])
def test_a_broken_promise_leaves_the_night_as_it_was(spark, nights, loan_id, pd) -> None:
    nights[0].write(SHARES, spark.createDataFrame([("A", 0.1)], DDL))

    with pytest.raises(PySparkException):
        nights[0].write(SHARES, spark.createDataFrame([(loan_id, pd)], DDL))

    assert rows(nights[0].read(SHARES)) == [("A", 0.1)]


def test_readers_without_spark_can_read(spark, nights) -> None:
    nights[0].write(SHARES, spark.createDataFrame([("A", 0.1)], DDL))

    read = DeltaTable(nights[0].path(SHARES)).to_pyarrow_table().to_pylist()

    assert read == [{"loan_id": "A", "pd": 0.1, "as_of": date(2026, 3, 2), "run_id": "run 2"}]


def test_rows_are_added_and_changed_where_a_table_is_of_no_night(spark, nights) -> None:
    nights[0].append(NOTES, [{"text": "one"}])
    nights[1].append(NOTES, [{"text": "two"}])
    nights[1].update(NOTES, {"text": "concat(text, '!')"})

    assert rows(nights[0].read(NOTES)) == [("one!",), ("two!",)]


def test_a_table_with_other_columns_is_refused(spark, nights) -> None:
    nights[0].write(SHARES, spark.createDataFrame([("A", 0.1)], DDL))
    wider = Table(
        "shares", "a loan", {**SHARES.columns, "points": Field("int", "points")}, ("loan_id",)
    )

    with pytest.raises(InputError, match="points: missing in the table, int in the contract"):
        nights[0].compare(wider)


def test_a_table_that_was_never_written_is_told(nights) -> None:
    with pytest.raises(InputError, match="there is no table 'shares'"):
        nights[0].read(SHARES)
