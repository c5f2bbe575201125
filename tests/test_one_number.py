"""One number everywhere: the night's scores, plain Python, DuckDB, Spark's and PostgreSQL's SQL."""

from math import inf, nan

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credit_spark.contract.expressions import expression
from credit_spark.contract.loading import load_contract
from credit_spark.contract.models import HardRule
from credit_spark.contract.tables import REASONS
from credit_spark.modelling.document import Category, Level, ModelDocument
from credit_spark.modelling.export import exported
from credit_spark.modelling.plain import PlainScorer
from credit_spark.modelling.refusals import refusals
from credit_spark.modelling.scorecard import apportioned, parts
from credit_spark.modelling.scoring import scored
from tests.nights import arrow
from tests.postgres import server
from tests.projects import PROJECT

DECIDED = ("points", "band", "decision", *REASONS)
STRANGE = {
    "double": [None, inf, -inf, nan, 0.0, 1e300, -1e300],
    "string": [None, "", "never seen", "it's"],
}


@pytest.fixture(scope="module")
def contract():
    return load_contract(PROJECT / "conf/portfolios/lending_club.yml")


RULES = {
    "young_credit": ("year(issued_on) - year(earliest_credit_on) < 5", "The credit history is under five years"),
    "no_income": ("annual_income < 40000 or annual_income is null", "The income isn't enough"),
    "renters": ("home_ownership in ('RENT', 'OTHER') and fico < 680", "Rent and a low score"),
}  # fmt: skip

ODD = r"case when grade in ('A', 'it\'s') then 'it\'s' when grade = 'B' then 'a\\b' else grade end"


def kinds_of(contract) -> dict:
    return {name: promise.kind for name, promise in contract.columns.items()}


@pytest.fixture(scope="module", params=["no rules", "hard rules"])
def model(request, done, contract) -> ModelDocument:
    (row,) = arrow(done / "models").to_pylist()
    document = ModelDocument.of(row["document"])
    if request.param == "no rules":
        return document
    # A text with a quote and a backslash, in a feature's SQL and among its levels.
    odd = Category(
        name="odd", reason="It's \\ odd", sql=expression(ODD, kinds_of(contract)).sql,
        levels=(Level(text="it's", mean=0.3, deviation=0.5, coefficient=0.4), Level(text="a\\b", mean=0.2, deviation=0.4, coefficient=-0.3)),
    )  # fmt: skip
    document = document.model_copy(update={"features": (*document.features, odd)})
    rules = {name: HardRule(sql=sql, reason=reason) for name, (sql, reason) in RULES.items()}
    ruled = refusals(contract.model_copy(update={"decline_if": rules}))
    return document.model_copy(update={"refusals": ruled})


@pytest.fixture(scope="module")
def book(done) -> pa.Table:
    """Loans of the night, and generated ones with nulls, unseen texts, extremes and infinities."""
    loans = arrow(done / "loans")
    strange = loans.slice(0, 300).to_pylist()
    for nth, row in enumerate(strange):
        row["loan_id"] = f"strange {nth}"
        for place, field in enumerate(loans.schema):
            kind = (
                "string"
                if field.type == pa.large_string() or field.type == pa.string()
                else str(field.type)
            )
            choices = STRANGE.get(kind, [None])
            if (
                field.name not in ("loan_id", "source_file", "as_of", "run_id")
                and (nth + place) % 3
            ):
                row[field.name] = choices[(nth * 7 + place) % len(choices)]
    return pa.concat_tables([loans, pa.Table.from_pylist(strange, schema=loans.schema)])


@pytest.fixture(scope="module")
def nights(book, model) -> dict[str, dict]:
    """Every loan's score as the night computes it."""
    rows = scored(pl.DataFrame(book), model, "loan_id").to_dicts()
    return {row["loan_id"]: row for row in rows}


def agree(ours: dict[str, dict], theirs: dict[str, dict]) -> None:
    assert ours.keys() == theirs.keys()
    for loan_id, row in ours.items():
        other = theirs[loan_id]
        assert abs(row["pd"] - other["pd"]) < 1e-9
        assert {each: row[each] for each in DECIDED} == {each: other[each] for each in DECIDED}


def test_the_book_has_all_that_is_strange(nights) -> None:
    assert sum(each.startswith("strange") for each in nights) == 300
    assert {row["decision"] for row in nights.values()} == {"approve", "review", "decline"}
    assert any(row["reason_4"] is None for row in nights.values())


def test_a_hard_rule_declines_whatever_the_score(nights, model) -> None:
    if not model.refusals:
        return
    declined = [row for row in nights.values() if row["reason_1"] in dict(RULES.values()).values()]
    assert {row["decision"] for row in declined} == {"decline"}
    assert min(row["pd"] for row in declined) < model.score.decisions.approve_below
    both = [row for row in declined if row["reason_2"] == "The income isn't enough"]
    assert both
    assert all(row["reason_1"] == "The credit history is under five years" for row in both)


def test_plain_python_scores_as_the_night_does(nights, book, model) -> None:
    scorer = PlainScorer(model)
    ours = {}
    for loan in book.to_pylist():
        score = scorer.score(loan)
        given = [*score.reasons, *[None] * (4 - len(score.reasons))]
        ours[loan["loan_id"]] = {**score._asdict(), **dict(zip(REASONS, given, strict=True))}

    agree(ours, nights)


def test_every_part_adds_up_to_the_points_exactly(book, model) -> None:
    scorer = PlainScorer(model)

    for loan in book.slice(0, 500).to_pylist():
        score = scorer.score(loan)
        told = parts(score, model)
        assert sum(each.tenths for each in told) == 10 * score.points
        exact = -28.85390081777927  # 20 / ln 2
        for part, contribution in zip(told[1:], score.contributions, strict=True):
            assert part.points == pytest.approx(exact * contribution.term, abs=0.2)


@pytest.mark.parametrize(
    ("exact", "whole"),
    [([0.5, 0.5], 1), ([-3.27, 12.91, 0.0], 10), ([600.44, -0.04], 600), ([1.0], 3)],
)
def test_tenths_always_add_up(exact, whole) -> None:
    assert sum(apportioned(exact, whole)) == 10 * whole


def test_duckdb_scores_as_the_night_does(nights, book, model, contract) -> None:
    kinds = kinds_of(contract)
    with duckdb.connect() as connection:
        connection.register("loans", book)
        rows = connection.sql(exported(model, kinds, "duckdb")).fetch_arrow_table().to_pylist()

    agree({row["loan_id"]: row for row in rows}, nights)


def test_sparks_sql_scores_as_the_night_does(
    spark, nights, book, model, contract, tmp_path
) -> None:
    kinds = kinds_of(contract)
    pq.write_table(book, tmp_path / "loans.parquet")
    spark.read.parquet(str(tmp_path / "loans.parquet")).createOrReplaceTempView("loans")

    rows = spark.sql(exported(model, kinds, "spark")).collect()

    agree({row["loan_id"]: row.asDict() for row in rows}, nights)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A real server of our own, for as long as the tests need it."""
    with server(tmp_path_factory.mktemp("postgres")) as address:
        yield address


def test_postgresql_scores_as_the_night_does(nights, book, model, contract, postgres) -> None:
    kinds = kinds_of(contract)
    types = {
        "double": "double precision",
        "int32": "integer",
        "date32[day]": "date",
        "bool": "boolean",
    }
    columns = ", ".join(
        f"{field.name} {types.get(str(field.type), 'text')}" for field in book.schema
    )
    postgres.run(f"drop table if exists loans; create table loans ({columns})")
    postgres.copy("loans", book)

    rows = postgres.rows(exported(model, kinds, "postgres"))

    ours = {
        row["loan_id"]: {**row, "pd": float(row["pd"]), "points": int(row["points"])}
        for row in rows
    }
    agree(ours, nights)
