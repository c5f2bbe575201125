"""What moved the points of the same loans: their data or the model, and nothing else."""

from datetime import date

import polars as pl
import pytest

from credit_spark.modelling.movement import BEFORE, moved, together
from credit_spark.modelling.scoring import scored
from credit_spark.scoring.document import Category, Facts, Level, ModelDocument, Number, Watched
from credit_spark.scoring.scale import scale_of

FACTS = Facts(as_of=date(2026, 1, 1), treatment="none", rows=1, good=1, bad=0, out_of_time_from=None, folds=5, seed=1, regularisation=0, elastic_net=0)  # fmt: skip
PLAN = {"bands": {"A": 1.0}, "decisions": {"approve_below": 0.1, "decline_from": 0.2}}


def number(name: str, coefficient: float) -> Number:
    return Number(name=name, sql=name, reason=name, imputed=1.0, mean=1.0, deviation=2.0, coefficient=coefficient)  # fmt: skip


def model(intercept: float, *features) -> ModelDocument:
    return ModelDocument(portfolio="p", contract_hash="", features=features, left_out=(), intercept=intercept, offset=0, score=PLAN, facts=FACTS)  # fmt: skip


HOME = Category(name="home", sql="home", reason="home", levels=(Level(text="RENT", mean=0.5, deviation=0.5, coefficient=0.4),))  # fmt: skip
OLD = model(-2.0, number("income", -0.5), HOME)
NEW = model(-1.5, number("income", -0.8), number("debt", 0.3))
SEGMENT = Watched(role="segment", name="home", sql="home", levels=("OWN", "RENT"))
LOANS = pl.DataFrame({
    "income": [3.0, 5.0, None], "debt": [1.0, 4.0, 2.0], "home": ["RENT", "OWN", None],
    f"{BEFORE}income": [1.0, 5.0, 9.0], f"{BEFORE}debt": [7.0, 1.0, 2.0],
    f"{BEFORE}home": ["RENT", "RENT", "OWN"],
})  # fmt: skip


def points(loans: pl.DataFrame, document: ModelDocument) -> float:
    scale = scale_of(document.score)
    return sum(
        scale.at_even_odds - scale.a_unit * each for each in scored(loans, document)["log_odds"]
    )


def test_the_parts_add_up_to_the_change_of_the_points() -> None:
    then = LOANS.select(
        pl.col(f"{BEFORE}{name}").alias(name) for name in ("income", "debt", "home")
    )
    found = {each.part: each for each in moved(LOANS, OLD, NEW, [SEGMENT])}

    whole = found["all"]
    assert whole.loans == 3
    assert whole.inputs == pytest.approx(points(LOANS, OLD) - points(then, OLD), abs=1e-9)
    assert whole.model == pytest.approx(points(LOANS, NEW) - points(LOANS, OLD), abs=1e-9)
    for prefix in ("feature=", "home="):
        own = [each for part, each in found.items() if part.startswith(prefix)]
        assert sum(each.inputs for each in own) == pytest.approx(whole.inputs, abs=1e-9)
        assert sum(each.model for each in own) == pytest.approx(whole.model, abs=1e-9)
    assert {part: each.loans for part, each in found.items() if part.startswith("home=")} == {
        "home=(missing)": 1,
        "home=OWN": 1,
        "home=RENT": 1,
    }


def test_a_new_model_on_the_same_data_moves_by_the_model_alone() -> None:
    same = LOANS.with_columns(
        pl.col(name).alias(f"{BEFORE}{name}") for name in ("income", "debt", "home")
    )

    by_model = [*moved(same, OLD, NEW, [])]
    by_nothing = [*moved(same, OLD, OLD, [])]

    assert all(each.inputs == 0 for each in by_model)
    assert any(each.model for each in by_model)
    assert all(each.inputs == each.model == 0 for each in by_nothing)


def test_a_feature_that_only_one_model_has_is_the_models_doing() -> None:
    found = {each.part: each for each in moved(LOANS, OLD, NEW, [])}

    assert found["feature=debt"].inputs == 0
    assert found["feature=debt"].model != 0
    assert found["feature=home"].inputs != 0


def test_groups_of_loans_add_up() -> None:
    halves = [each for part in (LOANS[:1], LOANS[1:]) for each in moved(part, OLD, NEW, [SEGMENT])]

    whole = {each.part: each for each in moved(LOANS, OLD, NEW, [SEGMENT])}
    for each in together(halves):
        assert each.loans == whole[each.part].loans
        assert each.inputs == pytest.approx(whole[each.part].inputs)
        assert each.model == pytest.approx(whole[each.part].model)
