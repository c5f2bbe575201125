"""One number everywhere: the scores of Spark, DuckDB, PostgreSQL, the page, plain arithmetic."""

import pyarrow as pa
import pytest

from credit_spark.contract.expressions import expression
from credit_spark.contract.loading import load_contract
from credit_spark.contract.models import HardRule
from credit_spark.scoring.document import Category, Level, ModelDocument, Number, refusals
from credit_spark.scoring.evaluator import RecordScorer
from credit_spark.scoring.scorecard import apportioned, parts
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
from tests.nights import arrow
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
def model(request, done, contract) -> ModelDocument:
    (row,) = arrow(done / "models").to_pylist()
    document = ModelDocument.of(row["document"])
    if request.param == "no rules":
        return document
    if request.param == "best":
        return against_the_best(document)
    # A text with a quote and a backslash, in a feature's SQL and among its levels.
    odd = Category(
        name="odd", reason="It's \\ odd", sql=expression(ODD, contract.kinds).sql,
        levels=(Level(text="it's", mean=0.3, deviation=0.5, coefficient=0.4), Level(text="a\\b", mean=0.2, deviation=0.4, coefficient=-0.3)),
    )  # fmt: skip
    document = document.model_copy(update={"features": (*document.features, odd)})
    rules = {name: HardRule(sql=sql, reason=reason) for name, (sql, reason) in RULES.items()}
    ruled = refusals(contract.model_copy(update={"decline_if": rules}))
    return document.model_copy(update={"refusals": ruled})


def against_the_best(document: ModelDocument) -> ModelDocument:
    """The same, its reasons held against the best that each feature attains."""
    features = tuple(
        each.model_copy(
            update={"low": each.mean - each.deviation, "high": each.mean + each.deviation}
        )
        if isinstance(each, Number)
        else each
        for each in document.features
    )
    plan = document.score.model_copy(update={"reference": "best"})
    return document.model_copy(update={"features": features, "score": plan})


@pytest.fixture(scope="module")
def book(done) -> pa.Table:
    """Loans of the night, and generated ones with nulls, unseen texts, extremes and infinities."""
    return with_strange(arrow(done / "loans"), 300)


@pytest.fixture(scope="module")
def scores(spark, book, model, contract, tmp_path_factory) -> Scores:
    """Every loan's score by the statement that the run executes."""
    return by_spark(spark, tmp_path_factory.mktemp("book"), book, model, contract)


def agree(ours: Scores, theirs: Scores) -> None:
    found = parity(ours, theirs)
    assert found.pd < 1e-12
    assert not found.decided_else


def test_the_book_has_all_that_is_strange(scores) -> None:
    assert sum(each.startswith("strange") for each in scores) == 300
    assert {row["decision"] for row in scores.values()} == {"approve", "review", "decline"}


def test_the_best_leaves_more_to_say_than_the_mean(scores, model) -> None:
    """Few loans are at their best in all but three features; many are better than the mean."""
    silent = sum(row["reason_4"] is None for row in scores.values())
    assert (silent == 0) == (model.score.reference == "best")


def test_a_hard_rule_declines_whatever_the_score(scores, model) -> None:
    if not model.refusals:
        return
    declined = [row for row in scores.values() if row["reason_1"] in dict(RULES.values()).values()]
    assert {row["decision"] for row in declined} == {"decline"}
    assert min(row["pd"] for row in declined) < model.score.decisions.approve_below
    both = [row for row in declined if row["reason_2"] == "The income isn't enough"]
    assert both
    assert all(row["reason_1"] == "The credit history is under five years" for row in both)


def test_plain_arithmetic_agrees(scores, book, model, contract) -> None:
    agree(scores, by_arithmetic(book, model, contract))


def test_the_page_agrees(scores, book, model, contract) -> None:
    agree(scores, by_record(book, model, contract))


def test_every_part_adds_up_to_the_points_exactly(book, model, contract) -> None:
    scorer = RecordScorer(model, contract.kinds)

    for loan in book.slice(0, 50).to_pylist():
        score = scorer.score(loan)
        told = parts(score, model)
        assert sum(round(10 * each.points) for each in told) == 10 * score.points
        exact = -28.85390081777927  # 20 / ln 2
        for part, contribution in zip(told[1:], score.contributions, strict=True):
            assert part.points == pytest.approx(exact * contribution.term, abs=0.2)


@pytest.mark.parametrize(
    ("exact", "whole"),
    [([0.5, 0.5], 1), ([-3.27, 12.91, 0.0], 10), ([600.44, -0.04], 600), ([1.0], 3)],
)
def test_tenths_always_add_up(exact, whole) -> None:
    assert sum(apportioned(exact, whole)) == 10 * whole


def test_duckdb_agrees(scores, book, model, contract) -> None:
    agree(scores, by_duckdb(book, model, contract))


def test_postgresql_agrees(scores, book, model, contract, postgres) -> None:
    agree(scores, by_postgres(postgres, book, model, contract))
