"""Models that can be defended: on the sample night, and on the night of each real book."""

from pathlib import Path

import pytest

from credit_spark.config.loading import load_contract
from credit_spark.scoring.evaluator import RecordScorer
from credit_spark.scoring.policy import Policy
from tests.documents import check_filled
from tests.model_checks import Stated, better_edges, gap_of_pipeline, model_of, stated_reasons
from tests.nights import REAL_BOOKS, arrow
from tests.projects import PROJECT

SAMPLE = "sample"
BOOKS = [SAMPLE, *(pytest.param(each, marks=pytest.mark.release) for each in REAL_BOOKS)]


def contract_of(book: str):
    name = "lending_club" if book == SAMPLE else book
    return load_contract(PROJECT / f"conf/portfolios/{name}.yml")


@pytest.fixture
def tables(request, book) -> Path:
    """The tables of a book's night."""
    if book == SAMPLE:
        return request.getfixturevalue("done")
    return request.getfixturevalue("real_night")(book).tables


@pytest.mark.parametrize("book", BOOKS)
def test_no_reason_of_any_loan_is_false(tables, book) -> None:
    found = stated_reasons(tables, contract_of(book))

    assert found.given > 1000
    assert found.false == 0, found.examples


@pytest.mark.parametrize("book", BOOKS)
def test_the_stored_pipeline_is_the_exported_score(spark, tables, book) -> None:
    loans, apart = gap_of_pipeline(spark, tables)

    assert loans > 900
    assert apart < 1e-9


@pytest.mark.parametrize("book", BOOKS)
def test_no_applicant_at_an_edge_looks_better_than_one_beside_it(tables, book) -> None:
    assert better_edges(tables, contract_of(book)) == []


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
def test_the_document_says_how_many_reasons_are_false(real_night) -> None:
    """`make reasons` writes the table."""
    counts = {
        book: stated_reasons(real_night(book).tables, contract_of(book)) for book in REAL_BOOKS
    }
    check_filled(PROJECT / "docs/models.md", "reasons", _table(counts))


def _table(counts: dict[str, Stated]) -> str:
    lines = ["| portfolio | reasons given | false |", "| --- | --- | --- |"]
    lines += [f"| `{book}` | {each.given:,} | {each.false:,} |" for book, each in counts.items()]
    return "\n".join(lines)
