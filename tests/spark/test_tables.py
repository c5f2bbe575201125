"""Delta tables written by Spark, read again by Spark and by deltalake."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from credit_spark.config.errors import InputError, TryAgainError
from credit_spark.config.tables import RUNS, ColumnSpec, Table
from credit_spark.storage import schema
from credit_spark.storage.commits import ConstraintError
from credit_spark.storage.runs import claim, finish
from credit_spark.storage.tables import Tables
from tests.frames import rows

SHARES = Table(
    name="shares",
    grain="a loan",
    columns={
        "loan_id": ColumnSpec("string", "the lender's id"),
        "pd": ColumnSpec("double", "a share"),
    },
    keys=("loan_id",),
    checks={"pd_is_a_share": "pd between 0 and 1"},
)
NOTES = Table(
    "notes", "a note", {"text": ColumnSpec("string", "words")}, ("text",), is_partitioned=False
)
DAY = date(2026, 3, 2)


@pytest.fixture
def tables_of(spark, tmp_path):
    """Makes one run's view of the tables."""

    def made(run_id: str, day: int = 2) -> Tables:
        return Tables(spark, str(tmp_path), date(2026, 3, day), run_id)

    return made


def shares(tables: Tables, *pairs: tuple[str | None, float]):
    return tables.frame(SHARES, [{"loan_id": loan_id, "pd": pd} for loan_id, pd in pairs])


def published(tables: Tables) -> list[tuple]:
    return rows(tables.read(SHARES, "test"))


def by_deltalake(tables: Tables) -> list[tuple]:
    folder = tables.path(SHARES).removeprefix("file:")
    found = DeltaTable(folder).to_pyarrow_table().to_pylist()
    return sorted((row["as_of"].day, row["loan_id"], row["pd"]) for row in found)


def test_a_rerun_replaces_its_date_and_no_other(tables_of) -> None:
    first, other, again = tables_of("1", 2), tables_of("2", 3), tables_of("3", 3)
    for tables, pd in [(first, 0.1), (other, 0.2), (again, 0.3)]:
        assert tables.replace(SHARES, shares(tables, ("A", pd))) == 1

    assert published(first) == [("A", 0.1)]
    assert by_deltalake(first) == [(2, "A", 0.1), (3, "A", 0.3)]
    assert again.versions == {"shares": 3}
    assert again.replace(SHARES, shares(again)) == 0
    with pytest.raises(InputError, match="there are no shares of 2026-03-03"):
        again.read(SHARES, "test")


def test_of_two_staged_tables_none_is_written_where_one_breaks_a_constraint(tables_of) -> None:
    other = replace(SHARES, name="more_shares")
    run = tables_of("1")
    run.replace(SHARES, shares(run, ("A", 0.1)))
    run.stage(SHARES, shares(run, ("A", 0.2)))
    run.stage(other, shares(run, ("B", 0.3), ("C", 1.5)))

    with pytest.raises(ConstraintError, match="'more_shares' breaks the constraint pd_is_a_share"):
        run.publish()

    assert published(tables_of("2")) == [("A", 0.1)]
    with pytest.raises(InputError, match="there are no more_shares"):
        tables_of("2").read(other, "test")


@pytest.mark.parametrize("claimed", [True, False])
def test_tables_that_are_written_before_a_failure_get_their_rows_back(tables_of, claimed) -> None:
    other = replace(SHARES, name="more_shares", checks={})
    before = tables_of("1")
    before.stage(SHARES, shares(before, ("A", 0.1), ("B", 0.2)))
    before.stage(other, shares(before, ("C", 0.3)))
    before.publish()
    run = tables_of("2")
    if claimed:
        claim(run, "nightly", {})
    run.stage(SHARES, shares(run, ("D", 0.4)))
    broken = shares(run, ("E", 0.5)).withColumn("pd", F.expr("raise_error('no storage')"))
    run.stage(other, broken)

    with pytest.raises(Exception, match="no storage"):
        run.publish()

    reader = tables_of("3")
    assert published(reader) == [("A", 0.1), ("B", 0.2)]
    assert rows(reader.read(other, "test")) == [("C", 0.3)]
    assert run.versions["shares"] > before.versions["shares"] + 1
    assert {row["run_id"] for row in reader.rows(SHARES, ["run_id"])} == {"1"}


def test_an_action_after_the_tables_needs_their_success_and_gives_rows_back_where_it_fails(
    tables_of,
) -> None:
    before, broken, run = tables_of("1"), tables_of("2"), tables_of("3")
    before.replace(SHARES, shares(before, ("A", 0.1)))
    acted: list[str] = []
    broken.before_publish(lambda: acted.append("before"))
    broken.after_publish(lambda: acted.append("after"))
    broken.stage(SHARES, shares(broken, ("B", 1.5)))
    with pytest.raises(ConstraintError):
        broken.publish()

    def fail() -> None:
        acted.append(rows(tables_of("4").read(SHARES, "test"))[0][0])
        raise OSError("no storage")

    run.stage(SHARES, shares(run, ("C", 0.3)))
    run.after_publish(fail)
    with pytest.raises(OSError, match="no storage"):
        run.publish()

    assert acted == ["before", "C"]
    assert published(tables_of("5")) == [("A", 0.1)]


def test_nothing_staged_is_seen_before_it_is_published(tables_of) -> None:
    run, reader = tables_of("1"), tables_of("2")
    run.replace(SHARES, shares(run, ("A", 0.1), ("B", 0.2)))

    run.stage_rows(SHARES, [{"loan_id": "B", "pd": 0.9}], "loan_id = 'B'")
    run.stage_rows(SHARES, [{"loan_id": "C", "pd": 0.3}], "loan_id = 'C'")
    run.stage_rows(SHARES, [{"loan_id": "C", "pd": 0.4}], "loan_id = 'C'")

    assert published(reader) == [("A", 0.1), ("B", 0.2)]
    assert sorted(published(run)) == [("A", 0.1), ("B", 0.9), ("C", 0.4)]
    run.publish()
    assert sorted(published(reader)) == [("A", 0.1), ("B", 0.9), ("C", 0.4)]
    run.stage(SHARES, shares(run, ("D", 0.5)))
    assert published(run) == [("D", 0.5)]
    run.discard()
    run.publish()
    assert run.versions == {"shares": 2}


@pytest.mark.parametrize(
    ("loan_id", "pd", "name"), [("A", 0.75 + 0.5, "pd_is_a_share"), (None, 0.5, "loan_id")]
)
def test_a_broken_constraint_is_named_without_values(tables_of, loan_id, pd, name) -> None:
    run = tables_of("1")
    run.replace(SHARES, shares(run, ("A", 0.1)))

    with pytest.raises(ConstraintError, match=name) as error:
        run.replace(SHARES, shares(run, ("B", 0.1), (loan_id, pd)))

    assert str(pd) not in str(error.value)
    assert published(run) == [("A", 0.1)]


def test_an_older_run_cannot_overwrite_a_newer_one(tables_of) -> None:
    older, newer = tables_of("older"), tables_of("newer")
    claim(older, "nightly", {})
    older.replace(SHARES, shares(older, ("A", 0.1)))
    claim(newer, "nightly", {})
    newer.replace(SHARES, shares(newer))

    with pytest.raises(TryAgainError, match="taken over"):
        older.replace(SHARES, shares(older, ("B", 0.2)))
    older.stage(SHARES, shares(older, ("C", 0.3)))
    with pytest.raises(TryAgainError, match="taken over"):
        older.publish()
    with pytest.raises(TryAgainError, match="taken over"):
        finish(older, "complete", {})
    # Nothing to replace by nothing is no conflict.
    assert newer.replace(SHARES, shares(newer)) == 0
    newer.replace(SHARES, shares(newer, ("D", 0.4)))
    finish(newer, "complete", {"rows_accepted": 1, "message": None})

    assert by_deltalake(newer) == [(2, "D", 0.4)]
    (times,) = newer.rows(RUNS, ["started_at", "ended_at"], "run_id = 'newer'")
    assert timedelta(0) < times["ended_at"] - times["started_at"] < timedelta(minutes=9)
    found = newer.rows(RUNS, ["run_id", "status", "rows_accepted"])
    assert sorted(map(tuple, (each.values() for each in found))) == [
        ("newer", "complete", 1),
        ("older", "abandoned", None),
    ]


def test_a_run_of_another_date_is_not_in_the_way(tables_of) -> None:
    one, other = tables_of("one", 2), tables_of("other", 3)
    claim(one, "nightly", {})
    claim(other, "nightly", {})
    for run in (other, one):
        run.stage(SHARES, shares(run, (run.run_id, 0.1)))
        run.publish()
        finish(run, "complete", {})

    assert by_deltalake(one) == [(2, "one", 0.1), (3, "other", 0.1)]


def test_a_small_table_is_rewritten_by_its_key(tables_of) -> None:
    one, two = tables_of("1"), tables_of("2", 3)
    assert one.append(NOTES, [{"text": "a"}, {"text": "b"}]) == 2

    def meanwhile(found):
        two.rewrite(NOTES, lambda before: [*before, {"text": "c"}], "text")
        return found

    calls = iter([meanwhile])
    one.rewrite(
        NOTES, lambda before: [*next(calls, lambda same: same)(before), {"text": "d"}], "text"
    )

    found = one.rows(NOTES, ["text", "run_id"], "text > 'a'")
    assert sorted(map(tuple, (each.values() for each in found))) == [
        ("b", "1"), ("c", "2"), ("d", "1"),
    ]  # fmt: skip


def test_a_table_grows_with_its_declaration(tables_of) -> None:
    run = tables_of("1")
    run.replace(SHARES, shares(run, ("A", 0.1)))
    grown = Table(
        "shares",
        "a loan",
        {"loan_id": SHARES.columns["loan_id"], "points": ColumnSpec("int", "the bank's points")},
        ("loan_id",),
        {"points_are_positive": "points is null or points > 0"},
    )

    said = run.evolve(grown)

    assert len(said) == 3
    assert "'points' (int)" in said[0]
    assert "'pd_is_a_share' is dropped" in said[1]
    assert "'points_are_positive' is now" in said[2]
    assert run.evolve(grown) == []
    run.replace(grown, run.frame(grown, [{"loan_id": "B", "points": 7}]), "loan_id = 'B'")
    assert sorted(rows(run.read(grown, "test"))) == [("A", None), ("B", 7)]
    with pytest.raises(ConstraintError, match="points_are_positive"):
        run.replace(grown, run.frame(grown, [{"loan_id": "B", "points": -7}]))


def test_a_column_that_another_run_adds_at_the_same_moment_is_no_error(
    tables_of, monkeypatch
) -> None:
    """Of two dates that start together after a contract has grown, none fails."""
    first, other = tables_of("1"), tables_of("2")
    first.replace(SHARES, shares(first, ("A", 0.1)))
    more = {**SHARES.columns, "points": ColumnSpec("int", "the bank's points")}
    grown = replace(SHARES, columns=more)
    check, looks = schema.check, []

    def overtaken(found) -> None:
        check(found)
        looks.append(len(found))
        if len(looks) == 1:
            other.evolve(grown)

    monkeypatch.setattr(schema, "check", overtaken)

    assert first.evolve(grown) == []
    assert "points" in first.spark.read.format("delta").load(first.path(SHARES)).columns


def test_names_that_differ_in_case_only_are_refused(tables_of) -> None:
    run = tables_of("1")
    run.replace(SHARES, shares(run, ("A", 0.1)))
    other = replace(SHARES, columns={**SHARES.columns, "PD": ColumnSpec("double", "a share")})

    with pytest.raises(InputError, match="PD: 'pd' in the table; names that differ in case only"):
        run.evolve(other)


def test_a_changed_meaning_is_refused(tables_of) -> None:
    run = tables_of("1")
    rate = {
        **SHARES.columns,
        "rate": ColumnSpec("double", "a rate", "rate"),
        "day": ColumnSpec("date", "x"),
    }
    run.create(Table("shares", "a loan", rate, ("loan_id",)))
    money = {
        **SHARES.columns, "rate": ColumnSpec("double", "money", "money"), "day": ColumnSpec("string", "x"),
        "new": ColumnSpec("int", "x"),
    }  # fmt: skip

    with pytest.raises(InputError) as error:
        run.evolve(Table("shares", "a loan", money, ("loan_id",)))

    assert "rate: of kind rate in the table, of kind money" in str(error.value)
    assert "day: date in the table, string" in str(error.value)
    assert "new" not in run._load(SHARES).columns


def test_a_constraint_that_rows_break_is_refused(tables_of) -> None:
    run = tables_of("1")
    run.replace(SHARES, shares(run, ("A", 0.5)))

    with pytest.raises(InputError, match="pd_is_a_share: rows of the table break"):
        run.evolve(
            Table("shares", "a loan", SHARES.columns, ("loan_id",), {"pd_is_a_share": "pd < 0.5"})
        )
    with pytest.raises(ConstraintError):
        run.replace(SHARES, shares(run, ("A", 1.5)))


def test_a_folder_and_a_key_may_have_any_letters(spark, tmp_path) -> None:
    run = Tables(spark, str(tmp_path / "a b [1] {c} é"), DAY, "1")
    key = "A\u2028B\x85'\"\\\n"
    run.replace(SHARES, shares(run, (key, 0.1)))

    assert published(run) == [(key, 0.1)]
    assert run.evolve(SHARES) == []
    run.replace(SHARES, shares(run, ("B", 0.1)))
    assert by_deltalake(run) == [(2, "B", 0.1)]
