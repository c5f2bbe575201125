"""Models that can be defended: on the sample batch, and on the batch of each real book."""

from pathlib import Path

import pytest

from credit_spark.config.loading import load_contract
from credit_spark.scoring.evaluator import RecordScorer
from credit_spark.scoring.policy import Policy
from tests.batches import REAL_BOOKS, arrow
from tests.documents import check_filled
from tests.model_checks import Stated, better_edges, gap_of_pipeline, model_of, stated_reasons
from tests.projects import PROJECT

SAMPLE = "sample"
BOOKS = [SAMPLE, *(pytest.param(each, marks=pytest.mark.release) for each in REAL_BOOKS)]


def contract_of(data: str):
    name = "lending_club" if data == SAMPLE else data
    return load_contract(PROJECT / f"conf/portfolios/{name}.yml")


@pytest.fixture
def tables(request, data) -> Path:
    """The tables of a book's batch."""
    if data == SAMPLE:
        return request.getfixturevalue("done")
    return request.getfixturevalue("real_batch")(data).tables


@pytest.mark.parametrize("data", BOOKS)
def test_no_reason_of_any_loan_is_false(tables, data) -> None:
    found = stated_reasons(tables, contract_of(data))

    assert found.given > 1000
    assert found.false == 0, found.examples


@pytest.mark.parametrize("data", BOOKS)
def test_the_stored_pipeline_is_the_exported_score(spark, tables, data) -> None:
    loans, apart = gap_of_pipeline(spark, tables)

    assert loans > 900
    assert apart < 1e-9


@pytest.mark.parametrize("data", BOOKS)
def test_no_applicant_at_an_edge_looks_better_than_one_beside_it(tables, data) -> None:
    assert better_edges(tables, contract_of(data)) == []


def test_no_income_is_no_better_than_a_little(done) -> None:
    contract = contract_of(SAMPLE)
    scorer = RecordScorer(model_of(done), Policy.of(contract), contract.kinds)
    loan = next(
        each for each in arrow(done / "loans").to_pylist() if each["annual_income"] > 50_000
    )

    pds = [
        scorer.score(loan | {"annual_income": income}).pd for income in (0, 1, 1000, 20_000, 60_000)
    ]

    assert pds[0] == pds[1] == pds[2]
    assert pds == sorted(pds, reverse=True)


@pytest.mark.release
def test_the_document_says_how_many_reasons_are_false(real_batch) -> None:
    """`make reasons` writes the table."""
    counts = {
        data: stated_reasons(real_batch(data).tables, contract_of(data)) for data in REAL_BOOKS
    }
    check_filled(PROJECT / "docs/models.md", "reasons", _table(counts))


def _table(counts: dict[str, Stated]) -> str:
    lines = ["| portfolio | reasons given | false |", "| --- | --- | --- |"]
    lines += [f"| `{data}` | {each.given:,} | {each.false:,} |" for data, each in counts.items()]
    return "\n".join(lines)
