"""Great Expectations itself, on small frames of Spark."""

import json
from datetime import date
from types import SimpleNamespace

import pytest

from credit_spark.config.errors import GateError
from credit_spark.config.tables import loans
from credit_spark.pipeline.context import RunSummary
from credit_spark.pipeline.validate import build_site, seen_by_suites, validate_table
from credit_spark.quality.suites import SuiteResult, Suites
from credit_spark.storage.tables import Tables

DDL = "loan_id string, amount double, is_bad double"
AS_OF = date(2026, 3, 2)
MEAN, UNIQUE = "expect_column_mean_to_be_between", "expect_column_values_to_be_unique"
BETWEEN, ROWS = "expect_column_values_to_be_between", "expect_table_row_count_to_be_between"
DISTINCT = "expect_column_distinct_values_to_be_in_set"


@pytest.fixture
def suites(tmp_path):
    """A portfolio's suites, of which that of `loans` has the given expectations."""

    def write(*expectations: tuple[str, dict]) -> Suites:
        listed = [{"type": type_, "kwargs": kwargs} for type_, kwargs in expectations]
        text = json.dumps({"name": "small.loans", "expectations": listed})
        (tmp_path / "loans.json").write_text(text, encoding="utf-8")
        return Suites(tmp_path)

    return write


def test_outcomes_are_figures_in_the_order_of_the_suite(spark, suites) -> None:
    frame = spark.createDataFrame([("A", 2.0, 0.0), ("A", 4.0, 1.0), (None, None, 1.0)], DDL)
    given = [
        (BETWEEN, {"column": "amount", "min_value": 3}),
        (MEAN, {"column": "amount", "min_value": 1, "max_value": 5}),
        (MEAN, {"column": "is_bad", "max_value": 0.1}),
        (UNIQUE, {"column": "loan_id"}),
        (BETWEEN, {"column": "amount", "max_value": 9, "row_condition": "is_bad = 1", "condition_parser": "spark"}),
        (ROWS, {"min_value": 2}),
    ]  # fmt: skip

    found = suites(*given).outcomes("loans", frame)

    assert [(each.expectation, each.kwargs) for each in found] == given
    assert [each[2:] for each in map(facts, found)] == [
        (False, None, 3, 1, None),
        (True, 3.0, None, None, None),
        (False, pytest.approx(2 / 3), None, None, None),
        (False, None, 3, 2, None),
        (True, None, None, None, None),
        (True, 3.0, None, None, None),
    ]
    assert [each.columns for each in found][3:] == ["loan_id", "amount", None]


def facts(outcome: SuiteResult) -> tuple:
    return (outcome.expectation, outcome.kwargs, outcome.success, outcome.observed, outcome.rows,
            outcome.unexpected, outcome.error)  # fmt: skip


def test_no_borrowers_value_is_in_an_outcome_or_printed(spark, suites, capfd) -> None:
    frame = spark.createDataFrame([("ANNA", 1.0, 0.0), ("ANNA", 7777.0, 0.0)], DDL)
    odd = (BETWEEN, {"column": "loan_id", "min_value": 0})
    cast = (DISTINCT, {"column": "loan_id", "value_set": [1]})
    given = [(UNIQUE, {"column": "loan_id"}), (DISTINCT, {"column": "loan_id", "value_set": ["B"]}), odd, cast]  # fmt: skip

    found = suites(*given).outcomes("loans", frame)

    assert [each.success for each in found] == [False] * 4
    assert not any("ANNA" in f"{each} {facts(each)}" for each in found)
    assert "ANNA" not in "".join(capfd.readouterr())
    assert found[0].unexpected == 2
    assert found[2].error
    assert found[3].error == "CAST_INVALID_INPUT"


@pytest.mark.parametrize("kind", ["min", "max", "median"])
def test_a_figure_that_is_one_rows_value_is_withheld(spark, suites, kind) -> None:
    frame = spark.createDataFrame([("A", 7777.0, 0.0)], DDL)
    type_ = f"expect_column_{kind}_to_be_between"

    (found,) = suites((type_, {"column": "amount", "max_value": 5})).outcomes("loans", frame)

    assert found.success is False
    assert "7777" not in f"{found} {facts(found)}"


def test_outcome_known_of_no_row_is_not_judged(spark, suites) -> None:
    frame = spark.createDataFrame([("A", None, None)], DDL)
    given = [(MEAN, {"column": column, "min_value": 0}) for column in ("amount", "is_bad")]

    found = suites(*given).outcomes("loans", frame, where_known={"is_bad"})

    assert [each.success for each in found] == [False, None]


def test_gate_keeps_every_outcome_and_lists_every_failure(
    spark, suites, contract, tmp_path
) -> None:
    table = loans(contract)
    run = run_of(spark, contract, tmp_path, suites(
        (ROWS, {"min_value": 3}),
        (MEAN, {"column": "is_bad", "max_value": 0.1}),
        (ROWS, {"max_value": 9}),
    ))  # fmt: skip
    values = {name: f"cast(null as {field.type})" for name, field in table.columns.items()}
    frame = spark.sql("select explode(array('bad', 'good')) as outcome").selectExpr(
        *(f"{sql} as {name}" for name, sql in (values | {"outcome": "outcome"}).items())
    )

    run.tables.stage(table, frame)

    with pytest.raises(GateError) as error:
        validate_table(run, table)

    told = str(error.value)
    assert "2 expectation(s)" in told
    assert f"{ROWS} (min_value 3): observed value 2" in told
    assert f"{MEAN} (column is_bad, max_value 0.1): observed value 0.5" in told
    assert sorted(
        (row["as_of"], row["suite"], row["expectation"], row["success"], row["observed_value"])
        for row in run.summary.validations
    ) == sorted([
        (AS_OF, "small.loans", ROWS, False, 2.0),
        (AS_OF, "small.loans", MEAN, False, 0.5),
        (AS_OF, "small.loans", ROWS, True, 2.0),
    ])  # fmt: skip


def run_of(spark, contract, folder, suites) -> SimpleNamespace:
    """What the gate uses of a run."""
    tables = Tables(spark, str(folder / "tables"), AS_OF, "run-1")
    return SimpleNamespace(
        as_of=AS_OF, contract=contract, tables=tables, suites=suites, summary=RunSummary()
    )


def test_suites_see_the_outcome_as_a_number_and_the_age(spark, contract) -> None:
    table = loans(contract)
    columns = {name: f"cast(null as {field.type})" for name, field in table.columns.items()}
    columns |= {"outcome": "outcome", f"{contract.observed_on}": "date'2026-03-01'"}
    rows = spark.sql("select explode(array('bad', 'good', 'open')) as outcome").selectExpr(
        *(f"{sql} as {name}" for name, sql in columns.items())
    )

    seen = seen_by_suites(rows, table, contract, AS_OF).select("outcome", "is_bad", "age_days")

    assert sorted(map(tuple, seen.collect())) == [
        ("bad", 1.0, 1),
        ("good", 0.0, 1),
        ("open", None, 1),
    ]


def test_data_docs_are_a_site_of_files_with_figures_and_no_rows(spark, suites, tmp_path) -> None:
    frame = spark.createDataFrame([("ANNA", 2.0, 0.0), ("ANNA", 7777.0, 1.0)], DDL)
    cast = {"row_condition": "cast(loan_id as int) > 3", "condition_parser": "spark"}
    given = suites((BETWEEN, {"column": "amount", "max_value": 9}), (MEAN, {"column": "is_bad", "max_value": 0.1}), (UNIQUE, {"column": "loan_id"}), (BETWEEN, {"column": "amount", "min_value": 1, **cast}))  # fmt: skip
    left_out: list[str] = []

    index = build_site(given, {"loans": frame}, tmp_path / "docs", left_out.append)

    assert left_out == [
        f"{given.path('loans')}: expectation 4 is left out (CAST_INVALID_INPUT)",
    ]
    pages = {path: path.read_text() for path in index.parent.rglob("*.html")}
    assert "small.loans" in pages[index]
    assert any("validations" in path.parts for path in pages)
    assert not any("ANNA" in text or "7777" in text for text in pages.values())
