"""Every fault of a suite is found before a run, without data and without Spark."""

import json
from pathlib import Path

import pytest

from credit_spark.config.errors import InputError
from credit_spark.config.loading import load_contract
from credit_spark.pipeline.validate import check_suites
from credit_spark.quality.faults import faults_of
from credit_spark.quality.suites import Suites

PROJECT = Path(__file__).parents[2]
COLUMNS = {
    "loan_id": "string", "grade": "string", "amount": "double", "term_months": "int",
    "issued_on": "date", "ended_on": "date", "is_joint": "boolean", "is_bad": "double",
}  # fmt: skip
BETWEEN, MEAN = "expect_column_values_to_be_between", "expect_column_mean_to_be_between"
MAX, IN_SET = "expect_column_max_to_be_between", "expect_column_values_to_be_in_set"
PAIR, REGEX = (
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_values_to_match_regex",
)
QUERY = "unexpected_rows_expectation"


def when(condition: object, parser: str | None = "spark") -> dict:
    """The kwargs of an expectation that is sound but, perhaps, for its condition."""
    given = {"column": "amount", "min_value": 0, "row_condition": condition}
    return given | ({"condition_parser": parser} if parser else {})


def found(type_: str, kwargs: dict) -> str:
    return "\n".join(faults_of(type_, kwargs, COLUMNS))


@pytest.mark.parametrize(
    ("type_", "kwargs", "words"),
    [
        ("expect_colum_mean_to_be_between", {}, ["did you mean 'expect_column_mean_to_be_between'"]),
        (MEAN, {"column": "amout", "min_value": 1}, ["no column 'amout'", "'amount'"]),
        (MEAN, {"min_value": 1}, ["'column' is missing"]),
        (MEAN, {"colum": "amount", "min_value": 1}, ["no 'colum'", "did you mean 'column'"]),
        (MEAN, {"column": "amount"}, ["neither 'min_value' nor 'max_value'"]),
        (MEAN, {"column": "amount", "min_value": 5, "max_value": 1}, ["5 lies above 'max_value' 1"]),
        (MEAN, {"column": "amount", "min_value": "low"}, ["'low'", "no number"]),
        (MEAN, {"column": "grade", "min_value": 1}, ["'grade' is a text", "computed of a number"]),
        (MEAN, {"column": "issued_on", "min_value": 1}, ["'issued_on' is a date"]),
        (MEAN, {"column": "amount", "min_value": {"$PARAMETER": "low"}}, ["parameter 'low'"]),
        (MEAN, {"column": "amount", "min_value": "$PARAMETER.low"}, ["parameter '$PARAMETER.low'"]),
        (BETWEEN, {"column": "is_joint", "min_value": 1}, ["'is_joint' is a truth value"]),
        (BETWEEN, {"column": "amount", "min_value": "2020-01-01"}, ["no number"]),
        (BETWEEN, {"column": "issued_on", "min_value": 3}, ["3", "no date"]),
        (BETWEEN, {"column": "amount", "min_value": 1, "mostly": 1.5}, ["'mostly'", "1.0"]),
        (MAX, {"column": "issued_on", "max_value": 20300101}, ["no date"]),
        (IN_SET, {"column": "amount", "value_set": ["A"]}, ["'amount' is a number", "'A'"]),
        (IN_SET, {"column": "grade", "value_set": [1]}, ["'grade' is a text", "1"]),
        (IN_SET, {"column": "term_months", "value_set": ["36"]}, ["'term_months' is a number"]),
        (IN_SET, {"column": "issued_on", "value_set": ["soon"]}, ["is a date", "'soon'"]),
        (IN_SET, {"column": "is_joint", "value_set": [0, 1]}, ["is a truth value"]),
        (IN_SET, {"column": "grade", "value_set": ["A", None]}, ["null is a value of no set"]),
        (IN_SET, {"column": "grade", "value_set": {"A": 1}}, ["'value_set' is a list"]),
        (IN_SET, {"column": "grade"}, ["'value_set' is missing"]),
        (PAIR, {"column_A": "amount", "column_B": "grade"}, ["cannot be compared", "'grade' is a text"]),
        (PAIR, {"column_A": "ended_on", "column_B": "isued_on"}, ["did you mean 'issued_on'"]),
        (REGEX, {"column": "amount", "regex": "^1"}, ["'amount' is a number", "computed of a text"]),
        (REGEX, {"column": "grade", "regex": "("}, ["no regular expression"]),
        ("expect_column_values_to_match_strftime_format", {"column": "grade", "strftime_format": "%Y"}, ["Python on every executor"]),
        ("expect_column_values_to_match_like_pattern", {"column": "grade", "like_pattern": "A%"}, ["not compute it on Spark"]),
        ("expect_column_values_to_be_of_type", {"column": "grade", "type_": "Stringtype"}, ["did you mean 'StringType'"]),
        ("expect_column_quantile_values_to_be_between", {"column": "amount", "quantile_ranges": {"quantiles": [0.5, 2], "value_ranges": [[0, 5]]}}, ["2 quantiles and 1 value ranges", "between 0 and 1"]),
        ("expect_multicolumn_sum_to_equal", {"column_list": ["amount", "issued_on"], "sum_total": 3}, ["'issued_on' is a date"]),
        (BETWEEN, when("amount > 1", None), ["no 'condition_parser'", "'spark'", "'great_expectations'"]),
        (BETWEEN, when("amount > 1", "pandas"), ["'pandas'", "'spark'"]),
        (BETWEEN, when("amout > 1"), ["no column 'amout'", "'amount'"]),
        (BETWEEN, when("amount > "), ["cannot be read as Spark SQL"]),
        (BETWEEN, when("grade > 1"), ["`grade`, `1`: a text and a number"]),
        (BETWEEN, when("term_months in ('36')"), ["a number and a text"]),
        (BETWEEN, when("issued_on > 'soon'"), ["'soon' is no date"]),
        (BETWEEN, when("amount"), ["no condition"]),
        (BETWEEN, when("amount + 1"), ["no condition"]),
        (BETWEEN, when("sum(amount) > 1"), ["a condition is of one"]),
        (BETWEEN, when("uper(grade) = 'A'"), ["no function 'uper'", "'upper'"]),
        (BETWEEN, when('col("amout") > 1', "great_expectations"), ["no column 'amout'"]),
        (BETWEEN, when('col("grade") > 1', "great_expectations"), ["'grade' is a text"]),
        (BETWEEN, when("amount > 1", "great_expectations"), ["unable to parse"]),
        (BETWEEN, when({"type": "comparison", "column": {"name": "grade"}, "operator": "==", "parameter": 1}, None), ["'grade' is a text"]),
        (QUERY, {"unexpected_rows_query": "select * from loans"}, ["does not read from {batch}", "reads 'loans'"]),
        (QUERY, {"unexpected_rows_query": "drop table {batch}"}, ["must be a SELECT"]),
        (QUERY, {"unexpected_rows_query": "delete from {batch}"}, ["must be a SELECT"]),
        (QUERY, {"unexpected_rows_query": "select 1 where false -- {batch}"}, ["does not read from {batch}"]),
        (QUERY, {"unexpected_rows_query": "select * from {batch} join delta.`/x` using (loan_id)"}, ["reads 'delta./x'"]),
        (QUERY, {"unexpected_rows_query": "select * from {batch}; drop table x"}, ["is not a single SQL statement"]),
        (BETWEEN, when("amount > 3; drop table x"), ["is not a single SQL statement"]),
        (BETWEEN, when("loans.amount > 3"), ["write the column's name without a table"]),
        (BETWEEN, when("explode(array(1)) > 0.5"), ["yields rows, and a condition is of one"]),
        (BETWEEN, {"column": ["amount"], "min_value": 1}, ["'column' is the name of one column"]),
        (BETWEEN, {"column": 5, "min_value": 1}, ["'column' is the name of one column"]),
        ("expect_column_quantile_values_to_be_between", {"column": "amount", "quantile_ranges": "abc"}, ["'quantile_ranges'"]),
        ("expect_column_quantile_values_to_be_between", {"column": "amount", "quantile_ranges": {"quantiles": ["x"], "value_ranges": [[9, 2]]}}, ["a quantile is a number", "the lower one first, and not [9, 2]"]),
        ("expect_column_kl_divergence_to_be_less_than", {"column": "grade", "threshold": 0.1, "partition_object": {"values": ["A"], "weights": [0.5, 0.5]}}, ["'partition_object'"]),
        ("expect_column_kl_divergence_to_be_less_than", {"column": "grade", "threshold": 0.1, "partition_object": {"bins": ["a", "b"], "weights": [1]}}, ["'partition_object'"]),
        (QUERY, {"unexpected_rows_query": "select amout from {batch}"}, ["did you mean 'amount'"]),
    ],
)  # fmt: skip
def test_fault_is_found(type_, kwargs, words) -> None:
    told = found(type_, kwargs)

    assert [each for each in words if each not in told] == [], told


@pytest.mark.parametrize(
    ("type_", "kwargs"),
    [
        ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 9}),
        ("expect_column_values_to_be_unique", {"column": "loan_id"}),
        (MEAN, {"column": "is_bad", "min_value": 0.1, "max_value": 0.1}),
        (BETWEEN, {"column": "issued_on", "min_value": "2007-01-01"}),
        (MAX, {"column": "issued_on", "max_value": "2030-01-01"}),
        (IN_SET, {"column": "term_months", "value_set": [36, 60]}),
        (IN_SET, {"column": "issued_on", "value_set": ["2020-01-01"]}),
        (IN_SET, {"column": "is_joint", "value_set": [True]}),
        (PAIR, {"column_A": "ended_on", "column_B": "issued_on", "or_equal": True}),
        (PAIR, {"column_A": "amount", "column_B": "term_months"}),
        (REGEX, {"column": "grade", "regex": "^[A-G]$"}),
        ("expect_column_values_to_not_be_null", {"column": "grade", "mostly": 0.9}),
        ("expect_table_columns_to_match_set", {"column_set": list(COLUMNS)}),
        ("expect_column_values_to_be_of_type", {"column": "grade", "type_": "StringType"}),
        (BETWEEN, when("grade = 'A' and issued_on >= '2020-01-01' and is_joint")),
        (BETWEEN, when("xxhash64(loan_id) % 2 = 0 or amount is not null")),
        (BETWEEN, when("term_months between 12 and 36 and not is_joint")),
        (BETWEEN, when('col("amount") > 1', "great_expectations")),
        (BETWEEN, when('col("grade").notNull()', "great_expectations")),
        (QUERY, {"unexpected_rows_query": "select amount as size from {batch} where amount > 1"}),
        (
            QUERY,
            {
                "unexpected_rows_query": "with big as (select * from {batch} where amount > 1) select * from big"
            },
        ),
        (
            "expect_column_quantile_values_to_be_between",
            {
                "column": "amount",
                "quantile_ranges": {"quantiles": [0.5, 1], "value_ranges": [[0, 5], [None, 9]]},
            },
        ),
        (
            "expect_column_kl_divergence_to_be_less_than",
            {
                "column": "grade",
                "threshold": 0.1,
                "partition_object": {"values": ["A", "B"], "weights": [0.5, 0.5]},
            },
        ),
    ],
)
def test_sound_expectation_has_no_fault(type_, kwargs) -> None:
    assert found(type_, kwargs) == ""


@pytest.mark.parametrize(
    "query",
    [
        "with Big as (select * from {batch} where amount > 1) select * from big",
        "select b.amount from {batch} as b join `{batch}` c on b.loan_id = c.loan_id -- all",
        "select * from {batch} /* all */ tablesample (10 percent)",
        "select * from {batch} where amount > 1; -- so",
    ],
)
def test_a_query_may_name_the_table_as_it_likes(query) -> None:
    assert found(QUERY, {"unexpected_rows_query": query}) == ""


def test_all_faults_of_all_suites_are_listed_at_once(tmp_path) -> None:
    listed = [
        {"type": MEAN, "kwargs": {"column": "amout", "min_value": 1}},
        {"type": BETWEEN, "kwargs": when("grade > 1")},
    ]
    (tmp_path / "loans.json").write_text(json.dumps({"name": "a", "expectations": listed}))
    (tmp_path / "scores.json").write_text("{")

    with pytest.raises(InputError) as error:
        Suites(tmp_path).check({"loans": COLUMNS, "scores": {}, "runs": {}})

    told = str(error.value)
    assert f"loans.json: expectation 1, {MEAN}" in told
    assert f"loans.json: expectation 2, {BETWEEN}" in told
    assert "scores.json: it is no suite of Great Expectations" in told


SOUND = {"type": MEAN, "kwargs": {"column": "amount", "min_value": 1}}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("score", "{}", "there is no such table; did you mean 'scores'"),
        ("loans", '{"name": "a", "expectations": [], "expectations": []}', "'expectations' occurs twice"),
        ("loans", json.dumps({"name": " ", "expectations": [SOUND]}), "its name is empty"),
        ("loans", json.dumps({"name": "a", "expectations": []}), "it has no expectation"),
        ("loans", json.dumps({"name": "a", "expectations": [SOUND | {"severty": "x"}]}), "it has no 'severty'; did you mean 'severity'"),
        ("loans", json.dumps({"name": "a", "expectations": [SOUND | {"severity": "warning"}]}), "'severity' must be 'critical' or left out"),
        ("loans", json.dumps({"name": "a", "expectations": [SOUND | {"meta": [1]}]}), "'meta' is an object"),
        ("loans", "[" * 100_000, "it is no suite of Great Expectations (RecursionError"),
    ],
)  # fmt: skip
def test_what_would_switch_a_gate_off_or_end_a_run_is_a_fault(tmp_path, name, text, said) -> None:
    (tmp_path / f"{name}.json").write_text(text)

    with pytest.raises(InputError) as error:
        Suites(tmp_path).check({"loans": COLUMNS, "scores": {}})

    assert said in str(error.value)


def test_a_table_without_a_suite_is_named(tmp_path) -> None:
    (tmp_path / "loans.json").write_text("{}")

    assert Suites(tmp_path).missing(["loans", "scores"]) == [tmp_path / "scores.json"]


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "conf/portfolios").glob("*.yml")), ids=lambda path: path.stem
)
def test_shipped_suites_are_sound(path) -> None:
    contract = load_contract(path)

    check_suites(Suites(PROJECT / "expectations" / contract.portfolio), contract)
