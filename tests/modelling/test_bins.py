"""Bins: what is in them, what they are called, and their evidence by hand."""

from itertools import pairwise
from math import log
from types import SimpleNamespace

import pytest
from pyspark.ml.functions import vector_to_array

from credit_spark.features.columns import Definition
from credit_spark.modelling.binning import (
    MISSING,
    Classes,
    binned,
    bins_of_number,
    bins_of_text,
    cuts,
    evident,
    merged_texts,
    named,
    pre_counted,
)
from credit_spark.modelling.regression import sql_columns

LARGEST = "1.7976931348623157e308"
COUNTS = [Classes(90, 10), Classes(80, 20), Classes(50, 50)]


def evidence(counted: Classes, whole: Classes) -> float:
    odds = [(each.bad + 0.5) / (each.good + 0.5) for each in (counted, whole)]
    return log(odds[0]) - log(odds[1])


def test_a_numbers_bins_by_hand() -> None:
    bins = bins_of_number([0.1, 2.5], COUNTS, Classes(9, 1), {-1.0: Classes(1, 9)})
    whole = Classes(230, 90)

    assert [each.name for each in bins] == [
        MISSING,
        "-1.0",
        "under 0.1",
        "0.1 to 2.5",
        "2.5 and more",
    ]
    assert [each.share for each in bins] == [10 / 320, 10 / 320, 100 / 320, 100 / 320, 100 / 320]
    expected = [evidence(each, whole) for each in (Classes(9, 1), Classes(1, 9), *COUNTS)]
    assert [each.evidence for each in bins] == pytest.approx(expected)
    assert named(bins, "x") == (
        f"case when x is null or not x between -{LARGEST} and {LARGEST} then '(missing)' "
        "when x = -1.0 then '-1.0' when x < 0.1 then 'under 0.1' "
        "when x < 2.5 then '0.1 to 2.5' else '2.5 and more' end"
    )


def test_a_texts_bins_are_groups_and_what_is_in_none_tells_nothing() -> None:
    bins = bins_of_text([["b", "a"], ["it's"]], COUNTS[:2])

    assert [each.name for each in bins] == ["a, b", "it's"]
    assert evident(bins, "x").endswith(" else 0d end")
    assert "coalesce(x, '(missing)') in ('a', 'b') then 'a, b'" in named(bins, "x")
    assert named(bins, "x").endswith(" else '(any other)' end")


def test_very_many_texts_stand_in_a_few_bins_each_once() -> None:
    loans = {f"zip {nth:03}": Classes(5 + nth % 7, 1 + nth % 50) for nth in range(900)}

    bins = merged_texts(loans)

    assert sorted(text for each in bins for text in each.texts) == sorted(loans)
    assert 2 <= len(bins) <= 8
    assert [each.evidence for each in bins] == sorted(each.evidence for each in bins)


def test_one_bin_of_all_is_called_any() -> None:
    missing, only = bins_of_number([], [Classes(5, 5)], Classes(0, 0), {})

    assert (only.name, only.share, only.evidence) == ("any", 1.0, 0.0)
    assert (missing.share, missing.evidence) == (0.0, 0.0)


def test_two_bins_never_have_one_name() -> None:
    texts = bins_of_text([["a", "b"], ["a, b"], ["(any other)"]], COUNTS)
    numbers = bins_of_number([], COUNTS[:1], COUNTS[1], {1e6 + 1: COUNTS[0], 1e6 + 2: COUNTS[0]})

    assert [each.name for each in texts] == ["a, b", "a, b (2)", "(any other) (2)"]
    assert [each.texts for each in texts] == [("a", "b"), ("a, b",), ("(any other)",)]
    assert [each.name for each in numbers] == [MISSING, "1000001.0", "1000002.0", "any"]


def test_splits_that_differ_in_the_last_digits_are_named_apart() -> None:
    bins = bins_of_number([0.123456, 0.123457], COUNTS, Classes(1, 1), {})

    assert [each.name for each in bins[1:]] == [
        "under 0.123456",
        "0.123456 to 0.123457",
        "0.123457 and more",
    ]


def test_pre_bins_are_merged_until_their_risk_only_rises() -> None:
    """The third is riskier than the fourth: both together stand between their neighbours."""
    good, bad = [950, 900, 700, 800, 500], [50, 100, 300, 200, 500]

    begins = cuts([*map(Classes, good, bad)])

    bounds = [0, *begins, 5]
    rates = [sum(bad[a:b]) / sum(bad[a:b] + good[a:b]) for a, b in pairwise(bounds)]
    assert begins == [1, 2, 4]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("good", "bad"), [([10], [5]), ([0, 0], [5, 5]), ([5, 5], [0, 0]), ([], [])]
)
def test_where_nothing_can_be_told_apart_there_is_one_bin(good, bad) -> None:
    assert cuts([*map(Classes, good, bad)]) == []


def test_pre_bins_are_counted_with_the_missing_and_the_special_apart(spark) -> None:
    rows = [(None, "a", 1.0), (-1.0, "a", 0.0), (0.5, "b", 0.0), (1.0, "b", 1.0), (1.5, "b", 0.0), (2.0, "b", 1.0)]  # fmt: skip
    training = spark.createDataFrame(rows, "feature_x double, feature_t string, label double")
    features = [Definition("x", "x", is_text=False), Definition("t", "t", is_text=True)]

    found = pre_counted(training, features, {"x": (1.0, 2.0)}, {"x": (-1.0, 7.0), "t": ()})
    undivided = pre_counted(training, features[:1], {"x": ()}, {"x": ()})

    assert found == {
        "x": {
            MISSING: Classes(0, 1), "-1.0": Classes(1, 0), "0": Classes(1, 0),
            "1": Classes(1, 1), "2": Classes(0, 1),
        },
        "t": {"a": Classes(1, 1), "b": Classes(2, 2)},
    }  # fmt: skip
    assert undivided == {"x": {MISSING: Classes(0, 1), "0": Classes(3, 2)}}


def test_evidence_that_never_varies_is_zero(spark) -> None:
    """Half a loan more in each bin leaves equal ones with evidence, which no weights may blow up."""
    values = [None] * 15 + [1.0] * 15
    rows = [(value, float(nth % 3 == 0)) for nth, value in enumerate(values)]
    training = spark.createDataFrame(rows, "feature_x double, label double")
    contract = SimpleNamespace(features={"x": SimpleNamespace(special=())})

    design = binned(training, [Definition("x", "x", is_text=False)], contract)

    vectors = design.stages.transform(training).select(vector_to_array("assembled"))
    assert {tuple(row[0]) for row in vectors.collect()} == {(0.0,)}


def test_a_text_may_be_the_name_that_a_statement_has_for_its_rows(spark) -> None:
    rows = spark.createDataFrame([("__THIS__",), ("that",)], "w string")

    found = sql_columns(["case when w in ('__THIS__') then 1 else 0 end as `is_it`"]).transform(
        rows
    )

    assert [row["is_it"] for row in found.collect()] == [1, 0]
