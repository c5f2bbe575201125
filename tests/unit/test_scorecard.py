"""The scorecard and the parts of a loan's points, by hand."""

from math import exp, log
from types import SimpleNamespace

import pytest

from credit_spark.config.models import Decisions, ScorePlan
from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import Category, Facts, Level, ModelDocument, Number
from credit_spark.scoring.evaluator import Contribution, Score
from credit_spark.scoring.policy import band_of, scale_of
from credit_spark.scoring.scorecard import BOUND, Row, apportioned, at_bound, parts, scorecard

PLAN = ScorePlan(
    points_at=600, odds_at=1, points_to_double_odds=20, bands={"A": 0.1, "B": 0.3, "C": 1.0},
    decisions=Decisions(approve_below=0.1, decline_from=0.3),
)  # fmt: skip
# Points of a unit of log-odds.
UNIT = 20 / log(2)
FACTS = Facts(
    as_of="2026-03-02", imbalance="none", rows=3, good=2, bad=1, out_of_time_from=None,
    folds=2, seed=1, regularisation=0, elastic_net=0,
)  # fmt: skip
INCOME = Number(name="income", sql="income", imputed=4, mean=3, deviation=2, coefficient=-0.5)


def level(text: str, slope: float, place: int | None = None, mean: float = 0.0) -> Level:
    return Level(text=text, mean=mean, deviation=1, coefficient=slope, place=place)


HOME = Category(name="home", sql="home", levels=(level("RENT", 0.4, mean=0.5), level(ABSENT, 0.2)))


def document(*features: Number | Category) -> ModelDocument:
    return ModelDocument(
        portfolio="p", contract_hash="h", left_out=(), intercept=-1.0, offset=0.5, facts=FACTS,
        features=features,
    )  # fmt: skip


def test_a_line_is_what_a_deviation_or_a_level_adds() -> None:
    assert list(scorecard(document(INCOME, HOME), PLAN)) == [
        Row("base", "every feature at its mean", pytest.approx(600 + 1.5 * UNIT)),
        Row("income", "2 more (one deviation; mean 3)", pytest.approx(0.5 * UNIT)),
        Row("income", "(missing)", pytest.approx(0.25 * UNIT)),
        Row("home", "RENT", pytest.approx(-0.2 * UNIT)),
        Row("home", "(missing)", 0.0),
        Row("home", "any other", pytest.approx(0.2 * UNIT)),
    ]


def score(points: int, *contributions: Contribution, log_odds: float = 0.0) -> Score:
    return Score(log_odds, 0.5, points, "A", "approve", (), contributions)


def test_parts_add_up_to_the_points_and_say_each_value() -> None:
    given = [
        Contribution("income", 12345.678, -0.31), Contribution("home", "RENT", 0.2),
        Contribution("age", None, 0.0),
    ]  # fmt: skip
    exact = [600 + 1.5 * UNIT, 0.31 * UNIT, -0.2 * UNIT, 0.0]
    points = round(sum(exact))

    found = parts(score(points, *given), document(INCOME, HOME), PLAN)

    assert [(each.name, each.value) for each in found] == [
        ("base", ""), ("income", "1.235e+04"), ("home", "RENT"), ("age", "missing"),
    ]  # fmt: skip
    assert sum(round(each.points * 10) for each in found) == points * 10
    assert all(abs(each.points - own) < 0.3 for each, own in zip(found, exact, strict=True))


def test_what_the_bound_takes_away_is_a_part_of_its_own() -> None:
    found = parts(
        score(-121, Contribution("income", 1e9, 5000.0), log_odds=25.0), document(INCOME), PLAN
    )

    assert [each.name for each in found] == ["base", "income", BOUND]
    assert found[1].points == pytest.approx(-5000 * UNIT, abs=0.1)
    assert sum(round(each.points * 10) for each in found) == -1210


def test_without_a_bound_there_is_no_part_of_it() -> None:
    found = parts(
        score(500, Contribution("income", 4.0, 0.5), log_odds=1.0), document(INCOME), PLAN
    )

    assert [each.name for each in found] == ["base", "income"]


@pytest.mark.parametrize(
    ("exact", "whole", "tenths"),
    [
        ([0.44, 0.43, 0.13], 1, [5, 4, 1]),
        ([-0.44, 1.44], 1, [-4, 14]),
        ([0.05, 0.05], 0, [0, 0]),
        # More is missing than one tenth each.
        ([0.0, 0.0], 1, [5, 5]),
        ([0.0, 0.0, 0.0], 1, [4, 3, 3]),
    ],
)
def test_tenths_go_to_the_largest_remainders(exact, whole, tenths) -> None:
    assert apportioned(exact, whole) == tenths


FLAT = Number(name="x", sql="x", imputed=0, mean=0, deviation=1, coefficient=0)


@pytest.mark.parametrize(
    ("term", "why"),
    [
        (FLAT, "x: the data contradicts expect: lowers_risk, so it has no weight and gives no reason"),
        (FLAT.model_copy(update={"missing": level(ABSENT, 0.9)}), "x: the data contradicts expect: lowers_risk, so only whether it is missing has weight"),
        (FLAT.model_copy(update={"missing": level(ABSENT, 0.0)}), "x: the data contradicts expect: lowers_risk, so it has no weight and gives no reason"),
        (FLAT.model_copy(update={"deviation": 0.0}), None),
        (FLAT.model_copy(update={"coefficient": 0.1}), None),
        (Category(name="x", sql="x", levels=(level("a", 0.3, 0), level("b", 0.3, 1), level("999", 0.2), level(ABSENT, 0.9))), "x: the data contradicts expect: lowers_risk, so only whether it is 999 or missing has weight"),
        (Category(name="x", sql="x", levels=(level("a", 0.3, 0), level("b", 0.3, 1), level(ABSENT, 0.3))), "x: the data contradicts expect: lowers_risk, so it has no weight"),
        (Category(name="x", sql="x", levels=(level("a", 0.3, 0), level("b", 0.4, 1))), None),
        (Category(name="x", sql="x", levels=(level("a", 0.3, 0), level(ABSENT, 0.9))), "x: no two bins differ in risk as by expect"),
        (Category(name="x", sql="x", levels=(level(ABSENT, 0.9),)), None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("expect", ["lowers_risk", None])
def test_a_feature_that_expect_leaves_no_weight_is_remarked(term, why, expect) -> None:
    contract = SimpleNamespace(features={"x": SimpleNamespace(expect=expect)})

    (found,) = list(at_bound(document(term), contract)) or [None]

    assert (found or "").startswith(why or "") if expect else found is None
    assert (found is None) == (why is None or expect is None)


def test_a_pd_beyond_every_loans_has_the_points_of_the_riskiest() -> None:
    scale = scale_of(PLAN)

    assert scale.points_of_pd(0.5) == 600
    assert scale.points_of_pd(1 / (1 + exp(1))) == round(600 + UNIT)
    assert scale.points_of_pd(1.0) == scale.points(25.0) == round(600 - 25 * UNIT)


@pytest.mark.parametrize(("pd", "band"), [(0.05, "A"), (0.1, "B"), (0.3, "C"), (1.0, "C")])
def test_a_band_ends_below_its_pd(pd, band) -> None:
    assert band_of(pd, PLAN) == band
