"""Great Expectations itself, on small frames."""

import json

import pytest

from credit_spark.contract.errors import InputError
from credit_spark.quality.suites import Suites

COLUMNS = {"loans": {"loan_id", "amount", "is_bad"}}
DDL = "loan_id string, amount double, is_bad double"


@pytest.fixture
def suites(tmp_path):
    """A portfolio's suites, of which that of `loans` has the given expectations."""

    def write(*expectations: tuple[str, dict]) -> Suites:
        listed = [{"type": type_, "kwargs": kwargs} for type_, kwargs in expectations]
        text = json.dumps({"name": "loans", "expectations": listed})
        (tmp_path / "loans.json").write_text(text, encoding="utf-8")
        return Suites(tmp_path)

    return write


def mean(column: str, low: float, high: float) -> tuple[str, dict]:
    kwargs = {"column": column, "min_value": low, "max_value": high}
    return "expect_column_mean_to_be_between", kwargs


def test_what_holds_is_no_failure_and_what_fails_is_told_with_what_was_seen(spark, suites) -> None:
    frame = spark.createDataFrame([("A", 2.0, 0.0), ("B", 4.0, 1.0)], DDL)

    failures = suites(mean("amount", 1, 5), mean("is_bad", 0, 0.1)).failures("loans", frame)

    assert [str(each) for each in failures] == [
        "expect_column_mean_to_be_between (column is_bad, min_value 0.0, max_value 0.1): "
        "observed value 0.5"
    ]


def test_what_is_known_of_no_row_is_judged_only_where_it_must_be(spark, suites) -> None:
    frame = spark.createDataFrame([("A", None, None)], DDL)

    failures = suites(mean("amount", 1, 5), mean("is_bad", 0, 0.1)).failures(
        "loans", frame, where_known={"is_bad"}
    )

    assert [each.about for each in failures] == ["column amount, min_value 1.0, max_value 5.0"]


def test_no_borrowers_value_is_told(spark, suites) -> None:
    frame = spark.createDataFrame([("ANNA", 1.0, 0.0), ("ANNA", 7777.0, 0.0)], DDL)
    unique = ("expect_column_values_to_be_unique", {"column": "loan_id"})
    distinct = ("expect_column_distinct_values_to_be_in_set", {"column": "loan_id", "value_set": ["B"]})  # fmt: skip
    odd = mean("loan_id", 0, 1)

    told = [f"{each}" for each in suites(unique, distinct, odd).failures("loans", frame)]

    assert len(told) == 3
    assert not any("ANNA" in each for each in told)
    assert any("unexpected count 2" in each for each in told)
    assert any("mean" in each and "could not be computed" in each for each in told)


def test_every_fault_of_a_suite_is_told_before_the_night(suites) -> None:
    faulty = suites(
        ("expect_colum_mean_to_be_between", {"column": "amount", "min_value": 1}),
        mean("amout", 1, 5),
        ("expect_column_values_to_be_unique", {"colum": "loan_id"}),
    )

    with pytest.raises(InputError) as error:
        faulty.check(COLUMNS)

    told = str(error.value)
    assert "no such expectation; did you mean 'expect_column_mean_to_be_between'?" in told
    assert "there is no column 'amout'; did you mean 'amount'?" in told
    assert "expectation 3, expect_column_values_to_be_unique" in told
    assert "colum" in told


def test_a_file_that_is_no_suite_is_told(suites, tmp_path) -> None:
    folder = suites()
    (tmp_path / "loans.json").write_text("{", encoding="utf-8")

    with pytest.raises(InputError, match="no suite of Great Expectations"):
        folder.check(COLUMNS)


def test_a_table_with_no_suite_has_none_to_check(tmp_path) -> None:
    Suites(tmp_path).check(COLUMNS)

    assert not Suites(tmp_path).path("loans").exists()
