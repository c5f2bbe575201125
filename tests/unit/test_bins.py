"""Bins: what is in them, what they are called, and their evidence by hand."""

from itertools import pairwise
from math import inf, log
from types import SimpleNamespace

import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F

from credit_spark.config.models import Feature
from credit_spark.features.columns import ABSENT, Definition
from credit_spark.training.binning import (
    Classes,
    binned,
    bins_of_number,
    bins_of_text,
    cuts,
    evident,
    means_without_special,
    merged_numbers,
    merged_texts,
    named,
    pre_counted,
)
from credit_spark.training.regression import sql_columns
from credit_spark.training.splits import TrainingRows

LARGEST = "1.7976931348623157e308"
COUNTS = [Classes(90, 10), Classes(80, 20), Classes(50, 50)]


def evidence(counted: Classes, whole: Classes) -> float:
    """With half a bad loan added, and as many good ones as there are beside half a bad one."""
    odds = (counted.bad + 0.5) / (counted.good + 0.5 * whole.good / whole.bad)
    return log(odds) - log(whole.bad / whole.good)


def test_a_numbers_bins_by_hand() -> None:
    bins = bins_of_number([0.1, 2.5], COUNTS, Classes(9, 1), {-1.0: Classes(1, 9)})
    whole = Classes(230, 90)

    assert [each.name for each in bins] == [
        ABSENT,
        "-1.0",
        "under 0.1",
        "0.1 to 2.5",
        "2.5 and more",
    ]
    assert [each.share for each in bins] == [10 / 320, 10 / 320, 100 / 320, 100 / 320, 100 / 320]
    expected = [evidence(each, whole) for each in (Classes(9, 1), Classes(1, 9), *COUNTS)]
    assert [each.evidence for each in bins] == pytest.approx(expected)
    assert named(bins, "x") == (
        f"case when x is null or not x between -{LARGEST} and {LARGEST} then ' (missing)' "
        "when x = -1.0 then '-1.0' when x < 0.1 then 'under 0.1' "
        "when x < 2.5 then '0.1 to 2.5' else '2.5 and more' end"
    )


def test_a_texts_bins_are_groups_and_what_is_in_none_tells_nothing() -> None:
    bins = bins_of_text([["b", "a"], ["it's"]], COUNTS[:2])

    assert [each.name for each in bins] == ["a, b", "it's"]
    assert evident(bins, "x").endswith(" else 0d end")
    assert "coalesce(x, ' (missing)') in ('a', 'b') then 'a, b'" in named(bins, "x")
    assert named(bins, "x").endswith(" else '(any other)' end")


def test_very_many_texts_stand_in_a_few_bins_each_once() -> None:
    loans = {f"zip {nth:03}": Classes(5 + nth % 7, 1 + nth % 50) for nth in range(900)}

    absent, *bins = merged_texts(loans)

    assert absent.texts == (ABSENT,)
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
    assert [each.name for each in numbers] == [ABSENT, "1000001.0", "1000002.0", "any"]


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


@pytest.mark.parametrize("safe", [Classes(1000, 0), Classes(1000, 1)])
def test_a_bin_of_nothing_but_good_loans_stays_a_bin(safe) -> None:
    """AUC of the feature is 0.83: one bin for both would lose it."""
    plan = Feature(sql="x", expect="increases_risk", reason="x")
    of_texts = merged_texts({"secured": safe, "unsecured": Classes(500, 100)})
    of_numbers = merged_numbers({"0": safe, "1": Classes(500, 100)}, [1.0], plan)
    whole = Classes(1500, 100 + safe.bad)
    expected = [evidence(each, whole) for each in (safe, Classes(500, 100))]

    assert [each.evidence for each in of_texts[1:]] == pytest.approx(expected)
    assert [each.evidence for each in of_numbers[1:]] == pytest.approx(expected)


def test_pre_bins_of_one_outcome_are_told_apart() -> None:
    assert cuts([Classes(50, 0), Classes(0, 50)]) == [1]
    assert cuts([Classes(0, 10)] * 5 + [Classes(100, 5)] * 5, "ascending") == []
    assert cuts([Classes(100, 0)] * 5 + [Classes(50, 50)] * 5, "ascending") == [5]
    assert cuts([Classes(80, 20)] * 10) == []


def test_every_bin_has_a_twentieth_of_the_loans() -> None:
    """Of rare texts each with one bad loan of three, hardly any loan would be in a bin."""
    common = {f"common {nth}": Classes(290, 2) for nth in range(10)}
    rare = {f"rare {nth:02}": Classes(2, nth % 5 == 0) for nth in range(25)}

    _, *bins = merged_texts(common | rare)

    assert all(each.share >= 0.05 for each in bins)


def test_few_good_loans_are_no_evidence_of_risk() -> None:
    """A missing or special value of which all loans were repaid is not the riskiest bin."""
    counts = [Classes(1900, 20), Classes(1000, 80)]

    missing, special, *_ = bins_of_number([5.0], counts, Classes(3, 0), {999.0: Classes(2, 0)})

    assert -0.2 < missing.evidence < special.evidence < 0


def test_rare_texts_of_good_loans_are_not_among_the_risky() -> None:
    rare = {f"rare {nth:02}": Classes(20, 0) for nth in range(60)}

    bins = merged_texts({"big": Classes(9900, 60), "risky": Classes(900, 100), **rare})

    (risky,) = [each for each in bins if "risky" in each.texts]
    assert risky.texts == ("risky",)
    assert all(each.evidence < 0 for each in bins if {*each.texts} & {*rare})


def test_pre_bins_are_counted_with_the_missing_and_the_special_apart(spark) -> None:
    rows = [(None, "a", 1.0), (-1.0, "a", 0.0), (0.5, "b", 0.0), (1.0, "b", 1.0), (1.5, "b", 0.0), (2.0, "b", 1.0)]  # fmt: skip
    training = spark.createDataFrame(rows, "feature_x double, feature_t string, label double")
    features = [Definition("x", "x", is_text=False), Definition("t", "t", is_text=True)]

    found = pre_counted(training, features, {"x": (1.0, 2.0)}, {"x": (-1.0, 7.0), "t": ()})
    undivided = pre_counted(training, features[:1], {"x": ()}, {"x": ()})

    assert found == {
        "x": {
            ABSENT: Classes(0, 1), "-1.0": Classes(1, 0), "0": Classes(1, 0),
            "1": Classes(1, 1), "2": Classes(0, 1),
        },
        "t": {"a": Classes(1, 1), "b": Classes(2, 2)},
    }  # fmt: skip
    assert undivided == {"x": {ABSENT: Classes(0, 1), "0": Classes(3, 2)}}


def test_a_number_is_counted_in_the_bin_that_its_sql_puts_it_in(spark) -> None:
    """Zero has two signs, and a feature may be called as another one with a word more."""
    rows = [(-0.0, 0.0), (0.0, -0.0), (-1.0, 1.0), (1.0, 1.0)]
    frame = spark.createDataFrame(rows, "feature_x double, feature_x_bucket double")
    training = frame.withColumn("label", F.lit(0.0))
    features = [Definition(name, name, is_text=False) for name in ("x", "x_bucket")]

    found = pre_counted(training, features, {"x": (-0.0,), "x_bucket": (0.0, 1.0)}, {})

    assert found == {
        "x": {"0": Classes(1, 0), "1": Classes(3, 0)},
        "x_bucket": {"1": Classes(2, 0), "2": Classes(2, 0)},
    }


def test_evidence_that_never_varies_is_zero(spark) -> None:
    """Half a loan more in each bin leaves equal ones with evidence, which no weights may blow up."""
    values = [None] * 15 + [1.0] * 15
    rows = [(value, float(nth % 3 == 0)) for nth, value in enumerate(values)]
    training = spark.createDataFrame(rows, "feature_x double, label double")
    contract = SimpleNamespace(features={"x": Feature(sql="x", reason="x")})
    features = [Definition("x", "x", is_text=False)]
    rows = training.selectExpr("*", "0 as fold", "0 as quarter")

    design = binned(TrainingRows.of(rows, features), features, contract, {"x": 1.0})

    vectors = design.stages.transform(training).select(vector_to_array("scaled"))
    assert {tuple(row[0]) for row in vectors.collect()} == {(0.0,)}


def test_a_text_may_be_the_name_that_a_statement_has_for_its_rows(spark) -> None:
    rows = spark.createDataFrame([("__THIS__",), ("that",)], "w string")

    found = sql_columns(["case when w in ('__THIS__') then 1 else 0 end as `is_it`"]).transform(
        rows
    )

    assert [row["is_it"] for row in found.collect()] == [1, 0]


def test_the_absent_text_has_a_bin_of_its_own_whatever_its_risk() -> None:
    counts = {"a": Classes(90, 10), ABSENT: Classes(90, 10), "(missing)": Classes(80, 20)}

    bins = merged_texts(counts)

    assert [each.texts for each in bins if ABSENT in each.texts] == [(ABSENT,)]
    assert sorted(text for each in bins for text in each.texts) == sorted(counts)


GOOD, BAD = [900, 800, 850, 600, 500], [100, 200, 150, 400, 500]


@pytest.mark.parametrize("expect", ["increases_risk", "lowers_risk", None])
def test_bins_keep_to_what_is_expected(expect) -> None:
    """Data that rises: where it is to fall there is one bin, with no evidence."""
    counts = {str(nth): Classes(*each) for nth, each in enumerate(zip(GOOD, BAD, strict=True))}

    bins = merged_numbers(counts, [1.0, 2.0, 3.0, 4.0], Feature(sql="x", reason="x", expect=expect))

    numbers = [each for each in bins if each.begin is not None]
    rising = [each.evidence for each in numbers]
    if expect == "lowers_risk":
        assert [each.name for each in numbers] == ["any"]
    else:
        assert [each.begin for each in numbers] == [-inf, 1.0, 3.0, 4.0]
        assert rising == sorted(rising)


def test_stated_breaks_are_the_bins() -> None:
    """As they are; merged only where their risk does not go as is expected."""
    counts = {str(nth): Classes(*each) for nth, each in enumerate(zip(GOOD, BAD, strict=True))}
    breaks = [1.0, 2.0, 3.0, 4.0]

    def begins(**about) -> list[float]:
        plan = Feature(sql="x", reason="x", breaks=breaks, **about)
        return [
            each.begin for each in merged_numbers(counts, breaks, plan) if each.begin is not None
        ]

    assert begins() == [-inf, *breaks]
    assert begins(expect="increases_risk") == [-inf, 1.0, 3.0, 4.0]
    assert begins(expect="lowers_risk") == [-inf]


@pytest.mark.parametrize(
    ("stated", "expect", "begins"),
    [
        ([(300, 0), (900, 100), (500, 500)], "increases_risk", [1, 2]),
        ([(300, 10), (900, 100), (0, 40)], "increases_risk", [1, 2]),
        ([(100, 0), (0, 30)], "increases_risk", [1]),
        ([(100, 0), (0, 30)], "lowers_risk", []),
        ([(10, 90), (0, 0), (50, 50), (90, 10)], "lowers_risk", [2, 3]),
        ([(0, 0), (10, 90), (50, 50), (0, 0)], "lowers_risk", [2]),
        ([(90, 10), (50, 50), (60, 40), (10, 90)], "increases_risk", [1, 3]),
    ],
)
def test_stated_bins_are_merged_only_where_their_risk_goes_the_other_way(
    stated, expect, begins
) -> None:
    """Also where a bin has no bad loan, no good one, or none."""
    breaks = [*map(float, range(1, len(stated)))]
    plan = Feature(sql="x", reason="x", expect=expect, breaks=breaks)
    counts = {str(nth): Classes(*each) for nth, each in enumerate(stated)}

    def found(plan: Feature) -> list[float]:
        _, *bins = merged_numbers(counts, breaks, plan)
        return [each.begin for each in bins]

    assert found(plan) == [-inf, *map(float, begins)]
    assert found(plan.model_copy(update={"expect": None})) == [-inf, *breaks]


def test_a_mean_leaves_out_special_and_missing_values(spark, contract) -> None:
    """Codes such as 999 would else move it beyond every value, and every reason with it."""
    plan = contract.features["rate"].model_copy(update={"special": (999.0, -1.0)})
    changed = contract.model_copy(update={"features": {**contract.features, "rate": plan}})
    values = [10.0, 20.0, 60.0, None, *[999.0] * 6, -1.0]
    rows = spark.createDataFrame([(each,) for each in values], "feature_rate double")

    assert means_without_special(rows, changed) == {"rate": 30.0}
    assert means_without_special(rows.where("feature_rate = 999"), changed) == {"rate": None}
    assert means_without_special(rows, contract) == {}


def test_evidence_of_merged_bins_goes_as_expected_also_with_half_a_loan_added() -> None:
    """Their rates rise, 1.250% to 1.266%; the log-odds with half a loan added would fall."""
    loans = [(395, 5), (780, 10), (500, 60), (400, 100)]
    counts = {str(nth): Classes(*each) for nth, each in enumerate(loans)}
    assert Classes(*loans[0]).log_odds > Classes(*loans[1]).log_odds

    for expect, sign, order in (("increases_risk", 1, 1), ("lowers_risk", -1, -1)):
        plan = Feature(sql="x", reason="x", expect=expect)
        own = {str(nth): each for nth, each in enumerate([*counts.values()][::order])}
        _, *bins = merged_numbers(own, [1.0, 2.0, 3.0], plan)
        evidence = [sign * each.evidence for each in bins]
        assert len(bins) == 3
        assert evidence == sorted(evidence)


@pytest.mark.parametrize("counts", [{ABSENT: Classes(100, 20)}, {"a": Classes(9, 1)}])
def test_an_absent_text_has_a_bin_of_its_own_whether_or_not_training_has_it(counts) -> None:
    first, *others = merged_texts(counts)

    assert first.texts == (ABSENT,)
    assert [each.texts for each in others] == [(text,) for text in counts if text != ABSENT]
    assert first.evidence == 0.0 or ABSENT in counts
