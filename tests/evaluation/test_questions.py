"""What suites ask, counted a part at a time: the parts tell what all rows tell."""

from datetime import date
from math import inf, nan

import polars as pl
import pytest

from credit_spark.evaluation.questions import ROWS, UNIQUE, Question, Questionnaire, is_counted

TYPES = {"id": "string", "grade": "string", "term": "int", "rate": "double", "big": "bigint"}
ROWS_OF_LOANS = pl.DataFrame(
    {
        "id": ["1", "2", "3", "4", "5", "6"],
        "grade": ["A", "B", None, "Z", "A", "a"],
        "term": [36, 60, None, 48, -1, 36],
        "rate": [0.1, None, -0.5, 0.25, nan, inf],
    },
    schema_overrides={"term": pl.Int32},
)
BESIDE = {"is_long": pl.when(pl.col("term") > 40).then(1.0).otherwise(0.0)}


def on(metric: str, column: str = "", **terms: object) -> Question:
    return Question.on(metric, column, terms)


def breaking(expectation: str, column: str, **terms: object) -> Question:
    return on(f"column_values.{expectation}.unexpected_count", column, **terms)


def told(question: Question, *parts: pl.DataFrame) -> float | None:
    asked = Questionnaire.of([question], {**TYPES, "is_long": "double"}, BESIDE)
    return asked.answers([asked.numbers(part) for part in parts])[question]


CASES = [
    (ROWS, 6),
    (breaking("nonnull", "grade"), 1),
    (breaking("nonnull", "id"), 0),
    (breaking("in_set", "grade", value_set=["A", "B"]), 2),
    (breaking("not_in_set", "grade", value_set=["A", "B"]), 3),
    (breaking("in_set", "term", value_set=[36, 60]), 2),
    (breaking("in_set", "rate", value_set=[0.1, 0.25]), 3),
    (breaking("between", "term", min_value=36, max_value=60), 1),
    (breaking("between", "term", min_value=36, max_value=60, strict_min=True), 3),
    (breaking("between", "term", min_value=36, max_value=60, strict_max=True), 2),
    (breaking("between", "term", min_value=36.5, max_value=None), 3),
    (breaking("between", "term", min_value=None, max_value=47.5), 2),
    # As Spark has it, no number is greater than one that is none.
    (breaking("between", "rate", min_value=0, max_value=1), 3),
    (on("column.mean", "term"), 35.8),
    (on("column.min", "term"), -1),
    (on("column.max", "term"), 60),
    (on("column.mean", "is_long"), 2 / 6),
]


@pytest.mark.parametrize(("question", "expected"), CASES, ids=str)
def test_a_question_is_answered_by_parts_as_by_all_rows(question: Question, expected) -> None:
    empty = ROWS_OF_LOANS.head(0)

    assert told(question, ROWS_OF_LOANS) == pytest.approx(expected)
    assert told(question, ROWS_OF_LOANS[:2], ROWS_OF_LOANS[2:3], ROWS_OF_LOANS[3:]) == (
        pytest.approx(expected)
    )
    assert told(question, empty, ROWS_OF_LOANS, empty) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["column.mean", "column.min", "column.max"])
def test_where_no_row_has_a_value_there_is_no_figure(metric: str) -> None:
    unknown = ROWS_OF_LOANS.with_columns(term=pl.lit(None, pl.Int32))

    assert told(on(metric, "term"), unknown, unknown) is None


@pytest.mark.parametrize(
    "question",
    [
        on("column.mean", "grade"),
        on("column.mean", "big"),
        on("column.median", "term"),
        breaking("between", "grade", min_value="A", max_value="B"),
        breaking("between", "term", min_value="36", max_value=None),
        breaking("between", "term", min_value=date(2012, 1, 31)),
        breaking("between", "term"),
        breaking("in_set", "grade", value_set=["A", 1]),
        breaking("in_set", "grade", value_set=["A", None]),
        breaking("in_set", "term", value_set=[36, 36.5]),
        breaking("in_set", "term", value_set=[True]),
        breaking("in_set", "grade", value_set=[]),
        breaking("match_regex", "grade", regex="A"),
        breaking("in_set", "grade", value_set={"A": 1}),
        breaking("in_set", "term", value_set=[10**400]),
        breaking("nonnull", "nowhere"),
        on("column.max", "rate"),
        on(UNIQUE, "term"),
        on("column.mean", "nowhere"),
    ],
    ids=str,
)
def test_what_engines_may_not_agree_on_is_not_counted(question: Question) -> None:
    assert not is_counted(question, TYPES)
    assert not Questionnaire.of([question], TYPES, {}).questions


def test_columns_are_those_of_the_table_that_have_to_be_read() -> None:
    asked = Questionnaire.of(
        [ROWS, on("column.mean", "is_long"), breaking("nonnull", "grade"), on(UNIQUE, "id")],
        {**TYPES, "is_long": "double"},
        BESIDE,
    )

    assert asked.columns == ["grade", "term"]
    assert asked.unique == [on(UNIQUE, "id")]
