"""What is watched: bins, and what loans come to in each, beside DuckDB's counts."""

from datetime import date
from math import log
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from credit_spark.config.settings import resolve
from credit_spark.evaluation.score_bins import ScoreBin, collected, counted
from credit_spark.monitoring.baselines import (
    MAX_LEVELS,
    baselines_of,
    bin_counts,
    binned,
    edges_of,
    named_bins,
    score_baseline,
    with_bins,
    with_counts,
)
from credit_spark.monitoring.drift import (
    BatchFigures,
    ComparedBin,
    ExpectedFigures,
    by_subject,
    drifts,
    psi,
)
from credit_spark.scoring.document import Baseline, Facts, ModelDocument
from credit_spark.training.diagnostics import correlations

PROJECT = Path(__file__).parents[2]
AMOUNT = Baseline(role="feature", name="amount", sql="amount", edges=())
HOME = Baseline(role="segment", name="home", sql="home")
SIZE = 2000


def drawn() -> pa.Table:
    rng = np.random.default_rng(4)
    is_missing = rng.random(SIZE) < 0.1
    return pa.table({
        "amount": pa.array(rng.lognormal(9, 1, SIZE), mask=is_missing),
        "home": pa.array(rng.choice(["OWN", "RENT", None], SIZE, p=[0.3, 0.6, 0.1]), pa.string()),
        "log_odds": rng.normal(-2, 1, SIZE),
        "pd": rng.uniform(0.01, 0.5, SIZE),
        "outcome": pa.array(rng.choice(["good", "bad", "open", None], SIZE), pa.string()),
    })  # fmt: skip


@pytest.fixture(scope="module")
def loans(spark):
    return spark.createDataFrame(drawn()).persist()


@pytest.fixture(scope="module")
def baselines(loans) -> list[Baseline]:
    return with_bins([AMOUNT, HOME], loans)


def places(loans, *baselines: Baseline) -> list[tuple[int, ...]]:
    return [tuple(row) for row in binned(loans, baselines, []).collect()]


def test_a_numbers_bins_are_tenths_of_it_rounded(baselines, loans) -> None:
    found = baselines[0]

    assert len(found.edges) == 9
    between = found.edges[-1] - found.edges[0]
    assert 1000 <= between < 100_000
    assert all(each == round(each, -2 if between >= 10_000 else -1) for each in found.edges)
    sizes = np.bincount([place for (place,) in places(loans, found)])
    missing = drawn()["amount"].null_count
    assert sizes[-1] == missing
    assert all(abs(size - (SIZE - missing) / 10) < SIZE / 50 for size in sizes[:-1])


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([0, 0, 0, 0, 1, 3], (1.0, 3.0)),
        ([7, 7], ()),
        ([], ()),
        ([0.0] * 95 + list(range(1, 12)), (1.0,)),
        # The tenths are all zero, or the first above it lies far above.
        ([0.0] * 930 + list(range(1, 21)), (1.0,)),
        ([0.0] * 85 + list(range(1, 16)), (1.0, 6.0)),
        # A frequent value in the middle, and the largest one.
        ([*range(20)] + [30.5] * 20 + [*range(40, 60)], (6.0, 12.0, 18.0, 30.5, 40.0, 42.0, 48.0, 54.0)),
        ([*range(100)] + [99] * 30, (13.0, 26.0, 39.0, 52.0, 65.0, 78.0, 91.0, 99.0)),
        # Far from zero and close to each other.
        ([100_000.0 + nth for nth in range(20)], tuple(100_000.0 + nth for nth in (2, 4, 6, 8, 10, 12, 14, 16, 18))),
    ],
)  # fmt: skip
def test_few_values_are_bins_of_their_own(values, edges) -> None:
    assert edges_of(np.array(values, float)) == edges


def test_what_a_tenth_of_the_loans_have_is_a_bin_of_its_own() -> None:
    """However the others lie, so that no move to or from it stays within a bin."""
    for seed in range(200):
        draw = np.random.default_rng(seed)
        common = draw.choice([-7.5, 0.0, 3.0, 1e6], draw.integers(1, 4), replace=False)
        values = np.concatenate([draw.lognormal(0, 3, 300), *[[each] * 100 for each in common]])
        bins = np.searchsorted(edges_of(values), values, "right")

        for each in common:
            (own,) = {*bins[values == each].tolist()}
            assert {*values[bins == own].tolist()} == {each}


def test_a_move_out_of_a_value_that_most_loans_have_is_seen() -> None:
    """By hand: of 93 percent with none, half have some now."""
    learnt, current = (np.array([0.0] * none + [1.0 + nth % 20 for nth in range(1000 - none)]) for none in (930, 500))  # fmt: skip
    edges = edges_of(learnt)
    counts = [
        np.bincount(np.searchsorted(edges, each, "right")).tolist() for each in (current, learnt)
    ]

    assert psi(*counts) == pytest.approx(0.43 * log(0.93 / 0.5) + 0.43 * log(0.5 / 0.07), abs=0.01)


def test_a_texts_bins_are_its_levels_then_the_others_then_the_missing(spark, baselines) -> None:
    home = baselines[1]
    texts = spark.createDataFrame([("RENT",), ("CASTLE",), (None,), ("OWN",)], "home string")

    assert home.labels == ["OWN", "RENT", "(other)", "(missing)"]
    assert places(texts, home) == [(1,), (2,), (3,), (0,)]


def test_a_level_may_have_quotes_and_backslashes_and_there_may_be_none(spark) -> None:
    levels = ("it's", r"a\nb", '"q"')
    texts = spark.createDataFrame([(each,) for each in (*levels, "its", None)], "home string")

    found = places(texts, HOME.model_copy(update={"levels": levels}), HOME)

    assert found == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 1)]


def test_a_text_that_reads_as_a_label_has_a_label_of_its_own() -> None:
    levels = ('"(missing)"', "(missing)", "(other)", "OWN", '"OWN"')

    found = HOME.model_copy(update={"levels": levels}).labels

    assert found == ['""(missing)""', '"(missing)"', '"(other)"', "OWN", '"OWN"', "(other)", "(missing)"]  # fmt: skip


def test_a_text_that_reads_missing_is_not_taken_for_a_missing_one(spark) -> None:
    """A tenth of the training loans have no home told; of half as many this batch a text says so."""
    learnt = ["OWN"] * 700 + ["(missing)"] * 100 + ["(other)"] * 100 + [None] * 100
    current = ["OWN"] * 700 + ["(missing)"] * 150 + ["(other)"] * 100 + [None] * 50
    before, after = (
        spark.createDataFrame([(home, 0.1, "open") for home in homes], "home string, pd double, outcome string")
        for homes in (learnt, current)
    )  # fmt: skip
    home = HOME.model_copy(update={"role": "feature"})
    (found,) = with_bins([home], before)
    model = document(*with_counts([found], bin_counts(before, [found])))

    bins = by_subject(
        map(ComparedBin.of, named_bins(model, [], bin_counts(after, model.baselines)))
    )
    seen, expected = BatchFigures(bins, None, None), ExpectedFigures(None, 900, 100, None)
    bounds = resolve(PROJECT / "conf/base.yml", None, {}).monitor
    figures = {each.measure: each for each in drifts(seen, expected, bounds)}

    own = bins["feature", "home"]
    assert {each.label: (each.loans, each.baseline) for each in own} == {
        '"(missing)"': (150, 100), '"(other)"': (100, 100), "OWN": (700, 700), "(other)": (0, 0), "(missing)": (50, 100),
    }  # fmt: skip
    assert {name: (each.value, each.baseline) for name, each in figures.items() if name != "psi"} == {
        "missing_share": (0.05, 0.1), "unseen_share": (0.0, 0.0),
    }  # fmt: skip
    assert figures["psi"].value == pytest.approx(psi([700, 150, 100, 50], [700, 100, 100, 100]))


def test_of_very_many_texts_the_most_frequent_have_bins(spark) -> None:
    """Of equally frequent ones the first by name."""
    texts = [(f"zip {nth:02}",) for nth in range(60) for _ in range(60 - nth - nth % 2)]

    (found,) = with_bins([HOME], spark.createDataFrame(texts, "home string"))

    assert found.levels == tuple(f"zip {nth:02}" for nth in range(MAX_LEVELS))


def test_what_is_not_finite_is_missing(spark) -> None:
    ratio = Baseline(role="feature", name="ratio", sql="ratio", edges=())
    values = [0.5, 1.0, float("inf"), float("nan"), None, float("-inf")]
    ratios = spark.createDataFrame([(each,) for each in values], "ratio double")

    (found,) = with_bins([ratio], ratios)

    assert found.edges == (1.0,)
    assert places(ratios, found) == [(0,), (1,), (2,), (2,), (2,), (2,)]


def test_a_flag_is_a_text_and_a_whole_number_a_number(spark) -> None:
    owned = Baseline(role="segment", name="owned", sql="owned", levels=("false", "true"))
    age = Baseline(role="feature", name="age", sql="age", edges=(30.0, 40.0))
    rows = [(True, 30), (False, 29), (None, None), (True, 41)]

    found = places(spark.createDataFrame(rows, "owned boolean, age int"), owned, age)

    assert found == [(1, 1), (0, 0), (3, 3), (1, 2)]


def test_a_distribution_is_what_duckdb_counts(duck, loans, baselines) -> None:
    distribution = bin_counts(loans, baselines, [(1, 0)])
    amounts, homes = zip(*places(loans, *baselines), strict=True)
    duck.register("frame", drawn().append_column("amounts", [amounts]).append_column("homes", [homes]))  # fmt: skip

    def counted_by(by: str) -> dict:
        rows = duck.sql(f"""
            select {by} as place, count(*) filter (outcome = 'good'), count(*) filter (outcome = 'bad'),
              count(*) filter (outcome is null or outcome = 'open'), sum(pd),
              coalesce(sum(pd) filter (outcome in ('good', 'bad')), 0)
            from frame group by 1
        """).fetchall()  # fmt: skip
        return {row[0]: row[1:] for row in rows}

    assert distribution.shape == (11 + 4 + 44, 5)
    for begin, size, by in ((0, 11, "amounts"), (11, 4, "homes"), (15, 44, "homes * 11 + amounts")):
        found = counted_by(by)
        for nth in range(size):
            # PDs are added as whole numbers of 2**-36.
            expected = pytest.approx(list(found.get(nth, (0,) * 5)), abs=SIZE * 2**-36)
            assert distribution[begin + nth].tolist() == expected


def test_a_distribution_is_the_same_in_any_order_of_the_loans(loans, baselines) -> None:
    shuffled = loans.repartition(5, "pd").sortWithinPartitions("pd")

    assert bin_counts(shuffled, baselines).tolist() == bin_counts(loans, baselines).tolist()


def document(*baselines: Baseline) -> ModelDocument:
    facts = Facts(as_of=date(2026, 1, 1), imbalance="none", rows=1, good=1, bad=0, out_of_time_from=None, folds=5, seed=1, regularisation=0, elastic_net=0)  # fmt: skip
    return ModelDocument(portfolio="p", contract_hash="", features=(), left_out=(), intercept=0, offset=0, baselines=baselines, facts=facts)  # fmt: skip


def test_a_distribution_becomes_rows_by_subject(loans, baselines) -> None:
    model = document(*with_counts(baselines, bin_counts(loans, baselines)))

    rows = [*named_bins(model, [(1, 0)], bin_counts(loans, baselines, [(1, 0)]))]
    found = by_subject(ComparedBin.of(row) for row in rows)

    assert [*found] == [("feature", "amount"), ("pair", "home | amount"), ("segment", "home")]
    for bins in found.values():
        assert sum(each.loans for each in bins) == SIZE
    assert [each.baseline for each in found["segment", "home"]] == [
        each.loans for each in found["segment", "home"]
    ]
    assert (
        found["pair", "home | amount"][0].label
        == f"OWN | below {model.baselines[0].edges[0]:,.12g}"
    )


def test_the_score_is_watched_in_tenths_of_the_loans_learnt_from() -> None:
    score_bins = [ScoreBin(nth * 10 - 3000, 500, 3, 1, 7) for nth in range(200)]

    found = score_baseline(score_bins)

    assert (found.role, len(found.edges), len(found.counts)) == ("score", 9, 11)
    assert (sum(found.counts), sum(found.bads)) == (800, 200)
    assert all(abs(each - 80) <= 4 for each in found.counts[:-1])
    assert found.counts[-1] == 0


def test_the_same_loans_have_the_same_distribution_of_scores_however_they_are_tied(spark) -> None:
    rng = np.random.default_rng(3)
    scores = rng.choice(rng.normal(-2, 1, 12), 3000).tolist()
    outcomes = rng.choice(["good", "bad"], 3000).tolist()
    rows = [(each, 0, 0.1, outcome) for each, outcome in zip(scores, outcomes, strict=True)]
    loans = spark.createDataFrame(rows, "log_odds double, points int, pd double, outcome string")

    found = score_baseline(collected(counted(loans)))

    assert bin_counts(loans, [found])[:, :3].sum(axis=1).astype(int).tolist() == list(found.counts)


def test_a_contract_watches_features_segments_and_analyses(lending_club) -> None:
    from credit_spark.features.columns import definitions

    found = baselines_of(lending_club, definitions(lending_club))

    by_role = {role: [each.name for each in found if each.role == role] for role in ("feature", "segment", "analysis")}  # fmt: skip
    assert by_role["feature"] == list(lending_club.features)
    assert by_role["segment"] == ["grade", "home_ownership", "purpose"]
    assert by_role["analysis"] == ["loan_amount", "debt_to_income", "payment_burden"]


def test_correlations_are_numpys(spark) -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(1e6, 5, 500)
    values = {"a": a, "b": a + rng.normal(size=500), "c": rng.normal(size=500), "d": [3e6] * 500}
    ids = [f"{nth}" for nth in range(500)]
    loans = spark.createDataFrame(pa.table({"loan_id": ids, **values}))
    baselines = [
        Baseline(role="feature", name=name, sql=name, edges=edges)
        for name, edges in (("a", (1e6,)), ("b", (1e6,)), ("c", (0.0,)), ("d", ()))
    ]

    found = {(one, other): value for one, other, value in correlations(loans, 500, baselines)}

    oracle = np.corrcoef([values["a"], values["b"], values["c"]])
    assert found == {
        ("a", "b"): pytest.approx(oracle[0, 1]),
        ("a", "c"): pytest.approx(oracle[0, 2]),
        ("b", "c"): pytest.approx(oracle[1, 2]),
    }
    assert correlations(loans, 500, [HOME, baselines[0]]) == []


def test_a_feature_with_one_value_correlates_with_nothing(spark) -> None:
    """Of a vector that is mostly zeros, Spark would take differences of sums: rounding errors."""
    names = "abcdefg"
    rows = [(f"{nth}", 3e6 + 0.1, nth % 7 / 7, *[None] * 5) for nth in range(1000)]
    columns = ", ".join(["loan_id string", *[f"{name} double" for name in names]])
    baselines = [Baseline(role="feature", name=name, sql=name, edges=()) for name in names]

    assert correlations(spark.createDataFrame(rows, columns), 1000, baselines) == []
