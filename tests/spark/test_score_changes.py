"""What moved the points of the same loans: their data or the model, and nothing else."""

from datetime import date

import pytest

from credit_spark.config.models import ScorePlan
from credit_spark.monitoring.score_changes import ModelPair, moved
from credit_spark.scoring.document import Baseline, Category, Facts, Level, ModelDocument, Number
from credit_spark.scoring.frames import terms_of
from credit_spark.scoring.policy import scale_of

FACTS = Facts(as_of=date(2026, 1, 1), imbalance="none", rows=1, good=1, bad=0, out_of_time_from=None, folds=5, seed=1, regularisation=0, elastic_net=0)  # fmt: skip
PLAN = ScorePlan(bands={"A": 1.0}, decisions={"approve_below": 0.1, "decline_from": 0.2})
SCALE = scale_of(PLAN)
COLUMNS = "loan_id string, income double, debt double, home string"
KINDS = {"income": "money", "debt": "money", "home": "text"}


def number(name: str, coefficient: float) -> Number:
    return Number(name=name, sql=name, imputed=1.0, mean=1.0, deviation=2.0, coefficient=coefficient)  # fmt: skip


def model(intercept: float, *features) -> ModelDocument:
    return ModelDocument(portfolio="p", contract_hash="", features=features, left_out=(), intercept=intercept, offset=0, facts=FACTS)  # fmt: skip


HOME = Category(name="home", sql="home", levels=(Level(text="RENT", mean=0.5, deviation=0.5, coefficient=0.4),))  # fmt: skip
OLD = model(-2.0, number("income", -0.5), HOME)
NEW = model(-1.5, number("income", -0.8), number("debt", 0.3))
SEGMENT = Baseline(role="segment", name="home", sql="home", levels=("OWN", "RENT"))
# Loans "gone" and "new" are in one frame only.
THEN = [("a", 1.0, 7.0, "RENT"), ("b", 5.0, 1.0, "RENT"), ("c", 9.0, 2.0, "OWN"), ("gone", 1.0, 1.0, "OWN")]  # fmt: skip
NOW = [("a", 3.0, 1.0, "RENT"), ("b", 5.0, 4.0, "OWN"), ("c", None, 2.0, None), ("new", 2.0, 2.0, "OWN")]  # fmt: skip


@pytest.fixture(scope="module")
def then(spark):
    return spark.createDataFrame(THEN, COLUMNS).persist()


@pytest.fixture(scope="module")
def now(spark):
    return spark.createDataFrame(NOW, COLUMNS).persist()


@pytest.fixture(scope="module")
def found(then, now) -> dict:
    return {
        each.part: each for each in moved(then, now, ModelPair(OLD, NEW, KINDS, SCALE), [SEGMENT])
    }


def points(loans, document: ModelDocument) -> float:
    """Points, before they are rounded, of the loans that both frames have."""
    scores = terms_of(loans.where("length(loan_id) = 1"), document, KINDS, ["loan_id"]).collect()
    return sum(SCALE.at_even_odds - SCALE.a_unit * each["log_odds"] for each in scores)


def test_the_parts_add_up_to_the_change_of_the_points(found, then, now) -> None:
    whole = found["all"]

    assert whole.loans == 3
    assert whole.inputs == pytest.approx(points(now, OLD) - points(then, OLD), abs=1e-9)
    assert whole.model == pytest.approx(points(now, NEW) - points(now, OLD), abs=1e-9)
    for prefix in ("feature=", "home="):
        own = [each for part, each in found.items() if part.startswith(prefix)]
        assert sum(each.inputs for each in own) == pytest.approx(whole.inputs, abs=1e-9)
        assert sum(each.model for each in own) == pytest.approx(whole.model, abs=1e-9)
    assert {part: each.loans for part, each in found.items() if part.startswith("home=")} == {
        "home=(missing)": 1,
        "home=OWN": 1,
        "home=RENT": 1,
    }


def test_a_new_model_on_the_same_data_moves_by_the_model_alone(now) -> None:
    by_model = moved(now, now, ModelPair(OLD, NEW, KINDS, SCALE), [])
    by_nothing = moved(now, now, ModelPair(OLD, OLD, KINDS, SCALE), [])

    assert all(each.inputs == 0 for each in by_model)
    assert any(each.model for each in by_model)
    assert all(each.inputs == each.model == 0 for each in by_nothing)
    assert {each.loans for each in by_nothing} == {4}


def test_a_feature_that_only_one_model_has_is_the_models_doing(found) -> None:
    assert found["feature=debt"].inputs == 0
    assert found["feature=debt"].model != 0
    assert found["feature=home"].inputs != 0


def test_where_no_loan_is_in_both_nothing_has_moved(then, now) -> None:
    assert (
        moved(then, now.where("loan_id = 'new'"), ModelPair(OLD, NEW, KINDS, SCALE), [SEGMENT])
        == []
    )
