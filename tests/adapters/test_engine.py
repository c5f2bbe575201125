"""What tasks count of a table is what Great Expectations finds on Spark by itself."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest
from great_expectations.execution_engine import SparkDFExecutionEngine

from credit_spark.adapters.engine import question_of
from credit_spark.cleaning.superseding import ranges
from credit_spark.contract.loading import load_contract
from credit_spark.contract.tables import loans, scores
from credit_spark.evaluation.questions import ROWS, UNIQUE, Question, Questionnaire
from credit_spark.pipeline.counting import numbers_in, standing_with_others
from credit_spark.pipeline.validate import answers_of, counted_now, seen_by_suites
from credit_spark.quality.suites import Suites
from tests.nights import PROJECT, REAL_BOOKS, night_of

TYPES = {"loan_id": "string", "grade": "string", "term": "int", "rate": "double"}
ODD_LOANS = pl.DataFrame(
    {
        "loan_id": ["1", "2", "2", None, None, "3", "4"],
        "grade": ["A", "B", None, "Z", "A", "a", ""],
        "term": [36, 60, None, 48, -1, 36, 60],
        "rate": [0.1, None, -0.5, 0.25, float("nan"), float("inf"), -0.0],
    },
    schema_overrides={"term": pl.Int32},
)
EXPECTATIONS = [
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
    ("expect_column_values_to_be_unique", {"column": "loan_id"}),
    ("expect_column_values_to_not_be_null", {"column": "grade", "mostly": 0.8}),
    ("expect_column_values_to_be_in_set", {"column": "grade", "value_set": ["A", "B", ""]}),
    ("expect_column_values_to_not_be_in_set", {"column": "grade", "value_set": ["A", "B"]}),
    ("expect_column_values_to_be_in_set", {"column": "term", "value_set": [36, 60]}),
    ("expect_column_values_to_be_in_set", {"column": "rate", "value_set": [0, 0.1, 0.25]}),
    ("expect_column_values_to_be_in_set", {"column": "rate", "value_set": [0, 1]}),
    ("expect_column_values_to_not_be_in_set", {"column": "rate", "value_set": [0.1]}),
    ("expect_column_values_to_be_between", {"column": "rate", "min_value": 0, "max_value": 1}),
    ("expect_column_values_to_be_between", {"column": "rate", "min_value": 0, "strict_min": True}),
    ("expect_column_values_to_be_between", {"column": "term", "max_value": 59.5}),
    ("expect_column_values_to_be_between", {"column": "term", "min_value": 36, "max_value": 60,
                                            "strict_max": True}),
    ("expect_column_mean_to_be_between", {"column": "term", "min_value": 0, "max_value": 1}),
    ("expect_column_min_to_be_between", {"column": "term", "min_value": 0}),
    ("expect_column_max_to_be_between", {"column": "term", "max_value": 59}),
    # What is not counted here.
    ("expect_column_max_to_be_between", {"column": "rate", "max_value": 1}),
    ("expect_column_values_to_be_in_set", {"column": "grade", "value_set": {"A": 1}}),
    ("expect_column_values_to_match_regex", {"column": "grade", "regex": "^[AB]$"}),
    ("expect_column_values_to_not_be_null", {"column": "rate", "row_condition": "term > 36",
                                             "condition_parser": "spark"}),
    ("expect_column_mean_to_be_between", {"column": "grade", "min_value": 0}),
]  # fmt: skip
# Of them, what fails.
NOT_COUNTED = {
    "expect_column_max_to_be_between",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_not_be_null",
    "expect_column_mean_to_be_between",
}
Own = Callable[[Suites, str, Any], dict[Question, Any]]


@pytest.fixture
def own(monkeypatch) -> Own:
    """What Great Expectations finds on Spark when it is told nothing."""

    def found(suites: Suites, table: str, frame: Any) -> dict[Question, Any]:
        values: dict[Question, Any] = {}
        resolve = SparkDFExecutionEngine.resolve_metrics

        def heard(engine: Any, asked: Any, *more: Any) -> Any:
            resolved = resolve(engine, asked, *more)
            for each in asked:
                question = question_of(each)
                if question and each.id in resolved:
                    values[question] = resolved[each.id]
            return resolved

        with monkeypatch.context() as patched:
            patched.setattr(SparkDFExecutionEngine, "resolve_metrics", heard)
            suites.failures(table, frame)
        return values

    return found


@pytest.fixture
def suites(tmp_path) -> Suites:
    listed = [{"type": type_, "kwargs": kwargs} for type_, kwargs in EXPECTATIONS]
    text = json.dumps({"name": "loans", "expectations": listed})
    (tmp_path / "loans.json").write_text(text, encoding="utf-8")
    return Suites(tmp_path)


@pytest.fixture
def odd(spark, tmp_path) -> tuple[list[str], Any]:
    """Files of odd loans, and all of them on Spark."""
    files = [str(tmp_path / f"{nth}.parquet") for nth in range(3)]
    for file, rows in zip(files, (ODD_LOANS[:2], ODD_LOANS[2:3], ODD_LOANS[3:]), strict=True):
        rows.write_parquet(file)
    return files, spark.read.parquet(*files)


def counted(suites: Suites, files: list[str]) -> Mapping[Question, Any]:
    asked = Questionnaire.of(suites.questions("loans"), TYPES, {})
    answers = asked.answers([numbers_in(file, asked, "loan_id") for file in files])
    for each in asked.unique:
        parts = ranges(ODD_LOANS.height, 2)
        answers[each] = sum(standing_with_others(part, each.column, files) for part in parts)
    return answers


def test_odd_rows_are_counted_as_spark_counts_them(suites, odd, own) -> None:
    files, frame = odd

    answers, found = counted(suites, files), own(suites, "loans", frame)

    assert answers[ROWS] == ODD_LOANS.height
    assert answers[Question(UNIQUE, "loan_id")] == 2
    assert {question: found[question] for question in answers} == pytest.approx(answers)


def test_who_is_told_judges_as_who_asks(suites, odd) -> None:
    files, frame = odd

    told = suites.failures("loans", frame, counted(suites, files))

    assert told == suites.failures("loans", frame)
    assert {each.expectation for each in told} > NOT_COUNTED


def test_an_answer_is_believed(suites, odd) -> None:
    """Spark is not asked again: where the answers say that all is well, all is."""
    files, frame = odd
    answers = dict.fromkeys(counted(suites, files), 0) | {ROWS: 7}

    told = suites.failures("loans", frame, answers)

    assert {each.expectation for each in told} == NOT_COUNTED


def test_an_expectation_that_lacks_something_asks_nothing(tmp_path) -> None:
    """Great Expectations says so itself, when it judges."""
    kwargs = {"column": "rate", "threshold": 0.1}
    lacking = {"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": kwargs}
    text = json.dumps({"name": "loans", "expectations": [lacking]})
    (tmp_path / "loans.json").write_text(text, encoding="utf-8")

    assert Suites(tmp_path).questions("loans") == []


@pytest.mark.parametrize("portfolio", REAL_BOOKS)
def test_a_real_nights_suites_are_answered_as_spark_answers_them(
    spark, own, real_night, tmp_path, portfolio
) -> None:
    contract = load_contract(PROJECT / f"conf/portfolios/{portfolio}.yml")
    as_of = date.fromisoformat(REAL_BOOKS[portfolio][1])
    night = night_of(spark, contract, tmp_path, real_night(portfolio).tables, as_of)
    for table in (loans(contract), scores(contract)):
        now = counted_now(night, table)
        answers = answers_of(night, now)

        found = own(night.suites, table.name, seen_by_suites(night, table, now.files))

        assert set(answers) == set(night.suites.questions(table.name))
        own_answers = {question: found[question] for question in answers}
        assert own_answers == pytest.approx(answers, rel=1e-12)
