"""What is watched: bins, and what loans come to in each, beside DuckDB's counts."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from credit_spark.evaluation.cells import Cell, cells_of_tallies, tallied
from credit_spark.evaluation.profiles import Bin, by_subject
from credit_spark.modelling.moments import correlations, moments
from credit_spark.modelling.watching import (
    columns_watched,
    named_bins,
    places,
    profiled,
    watched_of,
    watched_score,
    with_bins,
    with_counts,
)
from credit_spark.scoring.document import Facts, ModelDocument, Watched

AMOUNT = Watched(role="feature", name="amount", sql="amount", edges=())
HOME = Watched(role="segment", name="home", sql="home")


def drawn(size: int = 2000) -> pl.DataFrame:
    rng = np.random.default_rng(4)
    amount = pl.Series(rng.lognormal(9, 1, size)).set(pl.Series(rng.random(size) < 0.1), None)
    return pl.DataFrame({
        "amount": amount,
        "home": rng.choice(["OWN", "RENT", None], size, p=[0.3, 0.6, 0.1]),
        "log_odds": rng.normal(-2, 1, size),
        "pd": rng.uniform(0.01, 0.5, size),
        "outcome": rng.choice(["good", "bad", "open", None], size),
    })  # fmt: skip


def test_a_numbers_bins_are_tenths_of_it_rounded() -> None:
    loans = drawn()

    (found,) = with_bins([AMOUNT], loans)

    assert len(found.edges) == 9
    between = found.edges[-1] - found.edges[0]
    assert 1000 <= between < 100_000
    assert all(each == round(each, -2 if between >= 10_000 else -1) for each in found.edges)
    sizes = np.bincount(places(loans, found))
    known = loans["amount"].drop_nulls()
    assert sizes[-1] == loans["amount"].null_count()
    assert all(abs(size - len(known) / 10) < len(known) / 50 for size in sizes[:-1])


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([0, 0, 0, 0, 1, 3, None], (1.0, 3.0)),
        ([7, 7, None], ()),
        ([None, None], ()),
        ([float("nan"), float("inf"), 1.0, 2.0], (2.0,)),
        ([0.0] * 95 + list(range(1, 12)), (1.0,)),
        # Far from zero and close to each other.
        ([100_000.0 + nth for nth in range(20)], tuple(100_000.0 + nth for nth in (2, 4, 6, 8, 10, 12, 14, 16, 18))),
    ],
)  # fmt: skip
def test_few_values_are_bins_of_their_own(values, edges) -> None:
    loans = pl.DataFrame({"amount": pl.Series(values, dtype=pl.Float64, strict=False)})

    (found,) = with_bins([AMOUNT], loans)

    assert found.edges[: len(edges)] == edges
    assert len(found.edges) == len(edges)


def test_a_texts_bins_are_its_levels_then_the_others_then_the_missing() -> None:
    (found,) = with_bins([HOME], drawn())

    assert found.labels == ["OWN", "RENT", "(other)", "(missing)"]
    loans = pl.DataFrame({"home": ["RENT", "CASTLE", None, "OWN"]})
    assert places(loans, found).tolist() == [1, 2, 3, 0]


def test_of_very_many_texts_the_most_frequent_have_bins() -> None:
    texts = [f"zip {nth:02}" for nth in range(60) for _ in range(60 - nth)]

    (found,) = with_bins([HOME], pl.DataFrame({"home": texts}))

    assert found.levels == tuple(f"zip {nth:02}" for nth in range(40))


def test_what_is_not_finite_is_missing() -> None:
    ratio = Watched(role="feature", name="ratio", sql="ratio", edges=(1.0,))
    loans = pl.DataFrame({"ratio": [0.5, 1.0, float("inf"), float("nan"), None, float("-inf")]})

    assert places(loans, ratio).tolist() == [0, 1, 2, 2, 2, 2]


def test_a_profile_is_what_duckdb_counts(duck) -> None:
    loans = drawn()
    watched = with_bins([AMOUNT, HOME], loans)
    profile = profiled(loans, watched, [(1, 0)])
    frame = loans.with_columns(
        amounts=pl.Series(places(loans, watched[0])), homes=pl.Series(places(loans, watched[1]))
    )

    def counted(by: str, frame: pl.DataFrame = frame) -> dict:
        rows = duck.sql(f"""
            select {by} as place, count(*) filter (outcome = 'good'), count(*) filter (outcome = 'bad'),
              count(*) filter (outcome is null or outcome = 'open'), sum(pd),
              coalesce(sum(pd) filter (outcome in ('good', 'bad')), 0)
            from frame group by 1
        """).fetchall()  # fmt: skip
        return {row[0]: row[1:] for row in rows}

    assert frame.height == 2000
    amounts, homes, both = 11, 4, 44
    assert profile.shape == (amounts + homes + both, 5)
    for begin, size, by in ((0, 11, "amounts"), (11, 4, "homes"), (15, 44, "homes * 11 + amounts")):
        found = counted(by)
        for nth in range(size):
            expected = found.get(nth, (0, 0, 0, 0, 0))
            assert profile[begin + nth].tolist() == pytest.approx(list(expected))


def document(*watched: Watched) -> ModelDocument:
    facts = Facts(as_of=date(2026, 1, 1), treatment="none", rows=1, good=1, bad=0, out_of_time_from=None, folds=5, seed=1, regularisation=0, elastic_net=0)  # fmt: skip
    plan = {"bands": {"A": 1.0}, "decisions": {"approve_below": 0.1, "decline_from": 0.2}}
    return ModelDocument(portfolio="p", contract_hash="", features=(), left_out=(), intercept=0, offset=0, score=plan, watched=watched, facts=facts)  # fmt: skip


def test_a_profile_becomes_rows_by_subject() -> None:
    loans = drawn()
    watched = with_bins([AMOUNT, HOME], loans)
    model = document(*with_counts(watched, profiled(loans, watched)))

    rows = [*named_bins(model, [(1, 0)], profiled(loans, watched, [(1, 0)]))]
    found = by_subject(Bin.of(row) for row in rows)

    assert [*found] == [("feature", "amount"), ("pair", "home | amount"), ("segment", "home")]
    for bins in found.values():
        assert sum(each.loans for each in bins) == 2000
    assert [each.reference for each in found["segment", "home"]] == [
        each.loans for each in found["segment", "home"]
    ]
    assert (
        found["pair", "home | amount"][0].label == f"OWN | below {model.watched[0].edges[0]:,.12g}"
    )


def test_the_score_is_watched_in_tenths_of_the_loans_learnt_from() -> None:
    cells = [Cell(nth * 10 - 3000, 500, 3, 1, 7) for nth in range(200)]

    found = watched_score(cells)

    assert (found.role, len(found.edges), len(found.counts)) == ("score", 9, 11)
    assert (sum(found.counts), sum(found.bads)) == (800, 200)
    assert all(abs(each - 80) <= 4 for each in found.counts[:-1])
    assert found.counts[-1] == 0


def test_the_same_loans_have_the_same_profile_of_scores_however_they_are_tied() -> None:
    rng = np.random.default_rng(3)
    scores = rng.choice(rng.normal(-2, 1, 12), 3000)
    loans = pl.DataFrame(
        {
            "log_odds": scores,
            "points": [0] * 3000,
            "pd": [0.1] * 3000,
            "outcome": rng.choice(["good", "bad"], 3000),
        }
    )

    found = watched_score(cells_of_tallies([tallied(loans)]))

    assert profiled(loans, [found])[:, :3].sum(axis=1).astype(int).tolist() == list(found.counts)


def test_a_contract_watches_features_segments_and_analyses(lending_club) -> None:
    from credit_spark.modelling.features import definitions

    found = watched_of(lending_club, definitions(lending_club))

    by_role = {role: [each.name for each in found if each.role == role] for role in ("feature", "segment", "analysis")}  # fmt: skip
    assert by_role["feature"] == list(lending_club.features)
    assert by_role["segment"] == ["grade", "home_ownership", "purpose"]
    assert by_role["analysis"] == ["loan_amount", "debt_to_income", "payment_burden"]
    assert {"grade", "instalment", "issued_on"} <= set(columns_watched(found))


def test_correlations_are_numpys() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(1e6, 5, 500)
    loans = pl.DataFrame(
        {"a": a, "b": a + rng.normal(size=500), "c": rng.normal(size=500), "d": [1.0] * 500}
    )
    watched = with_bins(
        [Watched(role="feature", name=name, sql=name, edges=()) for name in "abcd"], loans
    )

    halves = moments(loans[:200], watched) + moments(loans[200:], watched)
    found = {(one, other): value for one, other, value in correlations(halves, watched)}

    constant = loans.with_columns(a=pl.lit(3e6), b=pl.lit(7.0))
    assert [*correlations(moments(constant, watched), watched)] == []
    oracle = np.corrcoef(loans.select("a", "b", "c").to_numpy().T)
    assert found == {
        ("a", "b"): pytest.approx(oracle[0, 1]),
        ("a", "c"): pytest.approx(oracle[0, 2]),
        ("b", "c"): pytest.approx(oracle[1, 2]),
    }
