"""One number everywhere: the scores of Spark, DuckDB, PostgreSQL, the page, plain arithmetic."""

import pyarrow as pa
import pytest

from credit_spark.config.expressions import condition, expression
from credit_spark.config.loading import load_contract
from credit_spark.scoring.document import Category, Level, ModelDocument
from credit_spark.scoring.evaluator import RecordScorer
from credit_spark.scoring.policy import Policy, Reasons, Refusal
from credit_spark.scoring.scorecard import BOUND, apportioned, parts
from tests.batches import arrow
from tests.engines import (
    Scores,
    by_arithmetic,
    by_duckdb,
    by_postgres,
    by_record,
    by_spark,
    parity,
    with_strange,
)
from tests.projects import PROJECT


@pytest.fixture(scope="module")
def contract():
    return load_contract(PROJECT / "conf/portfolios/lending_club.yml")


RULES = {
    "young_credit": ("year(issued_on) - year(earliest_credit_on) < 5", "The credit history is under five years"),
    "no_income": ("annual_income < 40000 or annual_income is null", "The income isn't enough"),
    "renters": ("home_ownership in ('RENT', 'OTHER') and fico < 680", "Rent and a low score"),
}  # fmt: skip

ODD = r"case when grade in ('A', 'it\'s') then 'it\'s' when grade = 'B' then 'a\\b' else grade end"


@pytest.fixture(scope="module", params=["no rules", "hard rules", "best"])
def made(request, done, contract) -> tuple[ModelDocument, Policy]:
    """A model and a policy."""
    (row,) = arrow(done / "models").to_pylist()
    document, policy = ModelDocument.of(row["document"]), Policy.of(contract)
    if request.param == "no rules":
        return document, policy
    if request.param == "best":
        plan = policy.score.model_copy(update={"reference": "best"})
        return document, policy.model_copy(update={"score": plan})
    # A text with a quote and a backslash, in a feature's SQL and among its levels.
    odd = Category(
        name="odd", sql=expression(ODD, contract.kinds).sql,
        levels=(Level(text="it's", mean=0.3, deviation=0.5, coefficient=0.4), Level(text="a\\b", mean=0.2, deviation=0.4, coefficient=-0.3)),
    )  # fmt: skip
    document = document.model_copy(update={"features": (*document.features, odd)})
    refusals = tuple(
        Refusal(name=name, sql=condition(sql, contract.kinds).sql, reason=reason)
        for name, (sql, reason) in RULES.items()
    )
    reasons = policy.reasons | {"odd": Reasons(either="It's \\ odd")}
    return document, policy.model_copy(update={"refusals": refusals, "reasons": reasons})


@pytest.fixture(scope="module")
def model(made) -> ModelDocument:
    return made[0]


@pytest.fixture(scope="module")
def policy(made) -> Policy:
    return made[1]


@pytest.fixture(scope="module")
def data(done) -> pa.Table:
    """Loans of the batch, and generated ones with nulls, unseen texts, extremes and infinities."""
    return with_strange(arrow(done / "loans"), 300)


@pytest.fixture(scope="module")
def scores(spark, data, model, policy, contract, tmp_path_factory) -> Scores:
    """Every loan's score by the statement that the run executes."""
    return by_spark(spark, tmp_path_factory.mktemp("book"), data, model, contract, policy)


def agree(ours: Scores, theirs: Scores) -> None:
    found = parity(ours, theirs)
    assert found.pd < 1e-12
    assert not found.decided_else


def test_the_book_has_all_that_is_strange(scores) -> None:
    assert sum(each.startswith("strange") for each in scores) == 300
    assert {row["decision"] for row in scores.values()} == {"approve", "review", "decline"}


def test_the_best_leaves_more_to_say_than_the_mean(data, model, policy, contract) -> None:
    """Few loans are at their best in all but three features; many are better than the mean."""

    def silent(reference: str) -> int:
        plan = policy.score.model_copy(update={"reference": reference})
        against = policy.model_copy(update={"score": plan})
        scores = by_duckdb(data, model, contract, against)
        return sum(row["reason_4"] is None for row in scores.values())

    assert silent("best") < silent("mean")


def test_a_hard_rule_declines_whatever_the_score(scores, policy) -> None:
    if not policy.refusals:
        return
    declined = [row for row in scores.values() if row["reason_1"] in dict(RULES.values()).values()]
    assert {row["decision"] for row in declined} == {"decline"}
    assert min(row["pd"] for row in declined) < policy.score.decisions.approve_below
    both = [row for row in declined if row["reason_2"] == "The income isn't enough"]
    assert both
    assert all(row["reason_1"] == "The credit history is under five years" for row in both)


def test_plain_arithmetic_agrees(scores, data, model, policy, contract) -> None:
    agree(scores, by_arithmetic(data, model, contract, policy))


def test_the_page_agrees(scores, data, model, policy, contract) -> None:
    agree(scores, by_record(data, model, contract, policy))


A_UNIT = -28.85390081777927  # 20 / ln 2


def test_every_part_adds_up_to_the_points_exactly(data, model, policy, contract) -> None:
    scorer = RecordScorer(model, policy, contract.kinds)

    for loan in data.slice(0, 50).to_pylist():
        score = scorer.score(loan)
        told = parts(score, model, policy.score)
        assert sum(round(10 * each.points) for each in told) == 10 * score.points
        for part, contribution in zip(told[1:], score.contributions, strict=True):
            assert part.points == pytest.approx(A_UNIT * contribution.term, abs=0.2)


@pytest.mark.parametrize("income", [1, 1000, 1e8])
def test_each_feature_has_what_it_adds_where_the_score_is_bounded(
    data, model, policy, contract, income
) -> None:
    """What the bound takes away is a part of its own."""
    scorer = RecordScorer(model, policy, contract.kinds)
    far = {"income": 400.0, "fico": 10.0}
    terms = [
        each.model_copy(update={"coefficient": each.coefficient * far[each.name]})
        if each.name in far
        else each
        for each in model.features
    ]
    extreme = model.model_copy(update={"features": tuple(terms)})
    loan = data.slice(0, 1).to_pylist()[0] | {"annual_income": income}

    score = RecordScorer(extreme, policy, contract.kinds).score(loan)
    told = parts(score, extreme, policy.score)

    assert abs(score.log_odds) == 25
    assert told[-1].name == BOUND
    assert sum(round(10 * each.points) for each in told) == 10 * score.points
    for part, contribution in zip(told[1:-1], score.contributions, strict=True):
        assert part.points == pytest.approx(A_UNIT * contribution.term, abs=0.2)
    usual = parts(scorer.score(loan), model, policy.score)
    same = {each.name: each.points for each in usual if each.name not in (*far, "base", BOUND)}
    assert {each.name: each.points for each in told if each.name in same} == pytest.approx(
        same, abs=0.2
    )


@pytest.mark.parametrize(
    ("exact", "whole"),
    [([0.5, 0.5], 1), ([-3.27, 12.91, 0.0], 10), ([600.44, -0.04], 600), ([1.0], 3)],
)
def test_tenths_always_add_up(exact, whole) -> None:
    assert sum(apportioned(exact, whole)) == 10 * whole


def test_duckdb_agrees(scores, data, model, policy, contract) -> None:
    agree(scores, by_duckdb(data, model, contract, policy))


def test_postgresql_agrees(scores, data, model, policy, contract, postgres) -> None:
    agree(scores, by_postgres(postgres, data, model, contract, policy))
