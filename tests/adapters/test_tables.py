"""Delta itself, with real writes, read again by Spark, by Delta's own Spark and by deltalake."""

from datetime import date

import polars as pl
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JJavaError

from credit_spark.adapters import tables as tables_module
from credit_spark.adapters.staging import BrokenPromiseError, Staged, blocks_of
from credit_spark.contract.errors import InputError, TryAgainError
from credit_spark.contract.tables import Field, Table
from credit_spark.storage.tables import Tables
from tests.frames import rows

SHARES = Table(
    name="shares",
    grain="a loan",
    columns={"loan_id": Field("string", "id"), "pd": Field("double", "a share")},
    keys=("loan_id",),
    checks={"pd_is_a_share": "pd between 0 and 1"},
)
NOTES = Table("notes", "a note", {"text": Field("string", "words")}, ("text",), is_nightly=False)


@pytest.fixture
def nights(spark, tmp_path) -> list[Tables]:
    return [Tables(spark, str(tmp_path), date(2026, 3, day), f"run-{day}") for day in (2, 3)]


def staged(night: Tables, *shares: tuple[str | None, float], name: str = "part") -> list[Staged]:
    """A file of shares, written as a task does."""
    with night.stage(SHARES).writer(name) as file:
        file.write(pl.DataFrame(shares, schema=list(SHARES.columns), orient="row"))
    return file.staged()


def replaced(night: Tables, *shares: tuple[str | None, float]) -> int:
    return night.replace(SHARES, staged(night, *shares))


def shares(night: Tables) -> list[tuple]:
    return rows(night.tonight(SHARES, "test"))


def test_a_rerun_replaces_its_night_and_no_other(nights) -> None:
    again = Tables(nights[1]._spark, nights[1].folder, date(2026, 3, 3), "run-4")
    for night, pd in [(nights[0], 0.1), (nights[1], 0.2), (again, 0.3)]:
        assert replaced(night, ("A", pd)) == 1

    assert [shares(night) for night in nights] == [[("A", 0.1)], [("A", 0.3)]]
    assert again.versions == {"shares": 3}


def test_a_night_with_no_rows_leaves_none_of_its_earlier_run(nights) -> None:
    replaced(nights[0], ("A", 0.1))
    replaced(nights[1], ("B", 0.1))

    assert nights[0].replace(SHARES, []) == 0
    with pytest.raises(InputError, match="there are no shares of 2026-03-02"):
        nights[0].files(SHARES, "test")
    assert shares(nights[1]) == [("B", 0.1)]


def test_files_are_seen_by_nobody_until_they_are_committed(nights) -> None:
    replaced(nights[0], ("A", 0.1))
    waiting = staged(nights[0], ("B", 0.2), name="other")

    assert shares(nights[0]) == [("A", 0.1)]
    nights[0].discard()
    with pytest.raises(FileNotFoundError):
        list(blocks_of(f"{nights[0].path(SHARES)}/{waiting[0].path}", ["pd"]))
    assert shares(nights[0]) == [("A", 0.1)]


def test_of_two_first_runs_of_one_night_at_once_one_stands(nights, monkeypatch) -> None:
    """Delta lets both commits pass: each saw the table before the other."""
    nights[0].create(SHARES)
    before = DeltaTable(nights[0].path(SHARES))
    other = Tables(nights[0]._spark, nights[0].folder, date(2026, 3, 2), "run-5")
    replaced(other, ("B", 0.2))
    calls = iter([before])
    seen = Tables._delta
    monkeypatch.setattr(
        Tables, "_delta", lambda self, table: next(calls, None) or seen(self, table)
    )

    nights[0].replace(SHARES, staged(nights[0], ("C", 0.3), name="other"))

    assert shares(nights[0]) == [("C", 0.3)]


def test_a_write_finds_its_own_version_though_another_night_wrote_since(nights) -> None:
    replaced(nights[0], ("A", 0.1))

    assert nights[0]._version(SHARES, "run-2 1") == 1
    replaced(nights[1], ("B", 0.1))
    assert nights[0]._version(SHARES, "run-2 1") == 1
    assert nights[1].versions == {"shares": 2}


def test_a_commit_that_others_were_before_is_made_again(nights, monkeypatch) -> None:
    nights[0].write(SHARES, [{"loan_id": "A", "pd": 0.1}], "true")
    before = DeltaTable(nights[0].path(SHARES))
    nights[0].write(SHARES, [{"loan_id": "B", "pd": 0.2}], "loan_id = 'B'")
    calls = iter([before])
    seen = Tables._delta
    monkeypatch.setattr(
        Tables, "_delta", lambda self, table: next(calls, None) or seen(self, table)
    )

    nights[0].write(SHARES, [{"loan_id": "A", "pd": 0.15}], "pd < 0.2")

    assert shares(nights[0]) == [("A", 0.15), ("B", 0.2)]


def test_where_others_are_first_every_time_the_run_may_try_again(nights, monkeypatch) -> None:
    nights[0].write(SHARES, [{"loan_id": "A", "pd": 0.1}], "true")
    before = nights[0].path(SHARES)
    old = [DeltaTable(before) for _ in range(tables_module.MOST_TRIES)]
    nights[0].write(SHARES, [{"loan_id": "B", "pd": 0.2}], "loan_id = 'B'")
    monkeypatch.setattr(Tables, "_delta", lambda self, table: old.pop())

    with pytest.raises(TryAgainError, match="another run wrote to 'shares'"):
        nights[0].write(SHARES, [{"loan_id": "A", "pd": 0.9}], "pd < 1")


def test_a_key_may_hold_what_ends_a_line_elsewhere(nights) -> None:
    """Delta's log has the least and the greatest key of a file."""
    key = "A\u2028B\x85'\"\\\n"
    assert replaced(nights[0], (key, 0.1)) == 1

    found = DeltaTable(nights[0].path(SHARES)).to_pyarrow_dataset()
    assert found.to_table()["loan_id"].to_pylist() == [key]


@pytest.mark.parametrize("key", ["é" * 80, "A"])
def test_a_reader_that_looks_for_a_key_finds_its_file(spark, nights, key) -> None:
    """A reader passes over files by the bounds that the log has of them."""
    replaced(nights[0], (key, 0.1), ("B", 0.2))

    delta = spark.read.format("delta").load(nights[0].path(SHARES))
    assert rows(delta.where(delta.loan_id == key).select("loan_id")) == [(key,)]
    found = DeltaTable(nights[0].path(SHARES)).to_pyarrow_dataset()
    assert found.to_table(filter=pc.field("loan_id") == key).num_rows == 1


def test_only_what_a_write_is_about_is_replaced(nights) -> None:
    night = nights[0]
    night.write(SHARES, [{"loan_id": "A", "pd": 0.1}, {"loan_id": "B", "pd": 0.2}], "true")

    night.write(SHARES, [{"loan_id": "B", "pd": 0.9}], within="loan_id = 'B'")

    assert shares(night) == [("A", 0.1), ("B", 0.9)]


@pytest.mark.parametrize(
    ("loan_id", "pd", "said"), [("A", 1.1, "pd_is_a_share"), (None, 0.5, "loan_id is never null")]
)
def test_a_broken_promise_leaves_the_night_as_it_was(nights, loan_id, pd, said) -> None:
    replaced(nights[0], ("A", 0.1))

    with pytest.raises(BrokenPromiseError, match=said) as told:
        replaced(nights[0], ("B", 0.1), (loan_id, pd))
    with pytest.raises(DeltaError):
        nights[0].write(SHARES, [{"loan_id": "A", "pd": 1.1}], "true")

    assert str(pd) not in str(told.value)
    assert shares(nights[0]) == [("A", 0.1)]


def test_the_tables_own_checks_bind_other_writers_too(spark, nights) -> None:
    replaced(nights[0], ("A", 0.1))
    other = spark.createDataFrame(
        [("B", 1.5, date(2026, 3, 2), "x")], "loan_id string, pd double, as_of date, run_id string"
    )

    with pytest.raises(Py4JJavaError, match="CHECK constraint pd_is_a_share"):
        other.write.format("delta").mode("append").save(nights[0].path(SHARES))


def test_other_readers_can_read(spark, nights) -> None:
    replaced(nights[0], ("A", 0.1))
    expected = {"loan_id": "A", "pd": 0.1, "as_of": date(2026, 3, 2), "run_id": "run-2"}

    read = DeltaTable(nights[0].path(SHARES)).to_pyarrow_table().to_pylist()
    by_spark = spark.read.format("delta").load(nights[0].path(SHARES)).collect()

    assert read == [expected]
    assert [row.asDict() for row in by_spark] == [expected]


def test_rows_are_added_and_changed_where_a_table_is_of_no_night(nights) -> None:
    nights[0].append(NOTES, [{"text": "one"}])
    nights[1].append(NOTES, [{"text": "two"}])
    nights[1].rewrite(NOTES, lambda row: {"text": row["text"] + "!"})

    found = nights[0].rows(NOTES, ["text", "run_id"])
    assert sorted(each["text"] for each in found) == ["one!", "two!"]
    assert {each["run_id"] for each in found} == {"run-2", "run-3"}


def test_a_table_with_other_columns_is_refused(nights) -> None:
    replaced(nights[0], ("A", 0.1))
    wider = Table(
        "shares", "a loan", {**SHARES.columns, "points": Field("int", "points")}, ("loan_id",)
    )

    with pytest.raises(InputError, match="points: missing in the table, int in the contract"):
        nights[0].compare(wider)
    nights[0].compare(SHARES)


def test_a_table_with_other_checks_is_refused(nights) -> None:
    replaced(nights[0], ("A", 0.1))
    other = Table("shares", "a loan", SHARES.columns, ("loan_id",), {"pd_is_a_share": "pd > 0"})

    with pytest.raises(InputError, match="pd_is_a_share: the table checks 'pd between 0 and 1'"):
        nights[0].compare(other)


def test_a_table_that_was_never_written_is_told(nights) -> None:
    with pytest.raises(InputError, match="there is no table 'shares'"):
        nights[0].files(SHARES, "test")


def test_a_folder_may_have_any_name(spark, tmp_path) -> None:
    night = Tables(spark, str(tmp_path / "a b [1] {c} é"), date(2026, 3, 2), "run-2")
    replaced(night, ("A", 0.1))

    assert shares(night) == [("A", 0.1)]
    assert replaced(night, ("B", 0.1)) == 1
    assert shares(night) == [("B", 0.1)]
