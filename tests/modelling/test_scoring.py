"""The fit against scikit-learn; the compiled score against the fitted pipeline."""

from math import inf, log, nan
from random import Random
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F
from sklearn.linear_model import LogisticRegression

from credit_spark.contract.models import Decisions, Penalty, ScorePlan
from credit_spark.contract.tables import MISSING
from credit_spark.modelling.features import Definition, column_of, featured
from credit_spark.modelling.imbalance import Classes, classes, offset, treated, weights
from credit_spark.modelling.linear import Legend, linear
from credit_spark.modelling.pipeline import assembled, medians_of, scaled, spreads_of
from credit_spark.modelling.regression import Fit, fits, vectors
from credit_spark.modelling.scoring import columns_read, scored
from credit_spark.scoring.document import (
    Category,
    Facts,
    Level,
    ModelDocument,
    Number,
    Refusal,
)
from credit_spark.scoring.plain import PlainScorer
from tests.frames import rows, stored

PLAN = ScorePlan(
    points_at=600,
    odds_at=30,
    points_to_double_odds=20,
    bands={"A": 0.1, "B": 0.3, "C": 1.0},
    decisions=Decisions(approve_below=0.1, decline_from=0.3),
)
FEATURES = [
    Definition("x", "x", is_text=False),
    Definition("y", "y", is_text=False),
    Definition("w", "w", is_text=True),
]
REASONS = {"x": "x is high", "y": "y is high", "w": "the word"}
DDL = "loan_id string, x double, y double, w string, outcome string"
SCHEMA = {
    "loan_id": pl.String,
    "x": pl.Float64,
    "y": pl.Float64,
    "w": pl.String,
    "outcome": pl.String,
}
REASON = ["reason_1", "reason_2", "reason_3", "reason_4"]


def drawn(count: int, seed: int = 7) -> list[tuple[object, ...]]:
    draw = Random(seed)
    loans: list[tuple[object, ...]] = []
    for number in range(count):
        x, y, w = draw.gauss(3, 2), draw.expovariate(1), draw.choice("abbccc")
        chance = 1 / (1 + np.exp(2.2 - 0.5 * (x - 3) - 0.4 * y - 0.6 * (w == "a")))
        bad = "bad" if draw.random() < chance else "good"
        gap = draw.random()
        loans.append((f"n{number}", x if gap > 0.05 else None, y, w if gap < 0.96 else None, bad))
    return loans


@pytest.fixture(scope="module")
def loans(spark):
    return spark.createDataFrame(drawn(1500), DDL).repartition(2, "loan_id").cache()


@pytest.fixture(scope="module")
def training(loans):
    label = F.when(F.col("outcome") == "bad", 1.0).otherwise(0.0)
    return featured(loans, FEATURES, {"loan_id": F.col("loan_id"), "label": label}).cache()


@pytest.fixture(scope="module")
def scaling(training):
    return scaled(training, FEATURES)


@pytest.fixture(scope="module")
def fitted(training, scaling):
    return fit_on(training, "none", scaling)


def fit_on(training, treatment, scaling, regularisation: float = 0.01, seen=None) -> Fit:
    design = linear(training, FEATURES, Legend(REASONS, spreads_of(scaling, FEATURES)))
    untreated = vectors(design, training, "loan_id", "label")
    rows = treated(untreated, treatment, seen or classes(training), 1)
    return fits(design, rows, [Penalty(regularisation)])[0]


def frame(*given: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(given), schema=SCHEMA, orient="row")


def document(
    terms, intercept: float = 0.0, shift: float = 0.0, refusals=(), score=None
) -> ModelDocument:
    facts = Facts(
        as_of="2026-03-02", treatment="none", rows=1, good=1, bad=1, out_of_time_from=None,
        folds=2, seed=1, regularisation=0, elastic_net=0,
    )  # fmt: skip
    return ModelDocument(
        portfolio="p", contract_hash="h", features=tuple(terms), left_out=(), score=score or PLAN,
        intercept=intercept, offset=shift, facts=facts, refusals=tuple(refusals),
    )  # fmt: skip


@pytest.mark.parametrize("treatment", ["none", "class_weight", "oversample"])
def test_coefficients_are_those_of_scikit_learn(training, scaling, treatment) -> None:
    """On columns scaled by the deviations of the rows that are fitted, weights included."""
    assembling = assembled(training, FEATURES)
    rows = treated(assembling.transform(training), treatment, classes(training), 1)
    columns = rows.select(vector_to_array("assembled"), "label", "weight")
    features, label, weight = map(np.array, zip(*columns.collect(), strict=True))
    deviations = np.sqrt(np.diag(np.cov(features.T, aweights=weight)))
    medians = medians_of(assembling.stages)
    means = [
        spread.mean - medians.get(slot.feature, 0)
        for slot, spread in spreads_of(scaling, FEATURES).items()
    ]
    penalty = 1 / (0.01 * weight.sum())

    theirs = LogisticRegression(C=penalty, solver="newton-cholesky", tol=1e-10)
    theirs.fit((features - means) / deviations, label, sample_weight=weight)

    ours = fit_on(training, treatment, scaling).equation
    slopes = [slot.slope for term in ours.terms for slot in getattr(term, "levels", [term])]
    assert slopes * deviations == pytest.approx(theirs.coef_[0], abs=1e-6)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-6)


@pytest.mark.parametrize("constant", [1000.0, 60.0, 0.1])
def test_what_never_varies_in_the_rows_of_a_fit_has_no_slope(training, scaling, constant) -> None:
    """As in a fold's, where all that differ stand in the fold: weights are no round numbers."""
    for bad in (13, 29, 71, 113):
        rows = training.withColumn(column_of("y"), F.lit(constant))

        fit = fit_on(rows, "class_weight", scaling, seen=Classes(1500 - bad, bad))

        assert fit.equation.terms[1].slope == 0


def test_the_compiled_score_is_the_pipelines(spark, fitted, tmp_path) -> None:
    strange = [
        ("null", None, None, None, None),
        ("unseen", 1.0, 1.0, "zzz", None),
        ("empty", 1.0, 1.0, "", None),
        ("infinite", inf, -inf, "a", None),
        ("nan", nan, 1.0, "a", None),
        ("extreme", 1e300, -1e300, "b", None),
    ]
    given = drawn(300, seed=8) + strange
    features = featured(spark.createDataFrame(given, DDL), FEATURES, {"loan_id": F.col("loan_id")})
    probability = vector_to_array("probability")[1]

    pipeline = stored(fitted.pipeline, tmp_path)
    theirs = dict(rows(pipeline.transform(features).select("loan_id", probability)))
    compiled = document(*fitted.equation)
    ours = dict(scored(frame(*given), compiled, "loan_id").select("loan_id", "pd").rows())

    assert ours.keys() == theirs.keys()
    assert max(abs(ours[each] - theirs[each]) for each in ours) < 1e-9


def test_a_fit_on_the_same_loans_is_the_same_to_the_last_bit(fitted, scaling, loans) -> None:
    label = F.when(F.col("outcome") == "bad", 1.0).otherwise(0.0)
    again = featured(loans, FEATURES, {"loan_id": F.col("loan_id"), "label": label})
    refit = fit_on(again, "none", scaling)

    assert document(*refit.equation).version == document(*fitted.equation).version


def number(name: str, slope: float, mean: float = 0.0) -> Number:
    return Number(
        name=name,
        sql=name,
        reason=REASONS[name],
        imputed=mean,
        mean=mean,
        deviation=1,
        coefficient=slope,
    )


def word(**slopes: float) -> Category:
    levels = [
        Level(text=text, mean=0, deviation=1, coefficient=slope) for text, slope in slopes.items()
    ]
    return Category(name="w", sql="w", reason=REASONS["w"], levels=tuple(levels))


def score_of(terms, x, y, w, **parts) -> SimpleNamespace:
    scores = scored(frame(("A", x, y, w, None)), document(terms, **parts))
    return SimpleNamespace(**scores.row(0, named=True))


def reasons_of(*given) -> list[str | None]:
    row = vars(score_of(*given))
    return [row[name] for name in REASON]


def test_points_lie_on_the_stated_scale() -> None:
    terms = [number("x", 1.0)]

    at_30_to_1 = score_of(terms, -log(30), 0.0, "a")
    at_60_to_1 = score_of(terms, -log(60), 0.0, "a")

    assert (at_30_to_1.points, at_60_to_1.points) == (600, 620)
    assert at_30_to_1.pd == pytest.approx(1 / 31)


@pytest.mark.parametrize(
    ("pd", "band", "decision"),
    [(0.05, "A", "approve"), (0.1, "B", "review"), (0.29, "B", "review"), (0.3, "C", "decline"), (0.9, "C", "decline")],
)  # fmt: skip
def test_bands_and_decisions_follow_the_pd(pd, band, decision) -> None:
    # A hair above, since the PD comes back through an exponential.
    row = score_of([number("x", 1.0)], log(pd / (1 - pd)) + 1e-12, 0.0, "a")

    assert (row.band, row.decision) == (band, decision)


def test_reasons_are_what_cost_most_in_the_contracts_order() -> None:
    terms = [number("x", 1.0), number("y", 1.0), word(a=2.0, b=-1.0)]

    assert reasons_of(terms, 1.0, 0.5, "a") == ["the word", "x is high", "y is high", None]
    assert reasons_of(terms, 1.0, 1.0, "b") == ["x is high", "y is high", None, None]
    assert reasons_of(terms, -1.0, 0.0, "b") == [None, None, None, None]
    assert reasons_of(terms, -1.0, 3.0, "zzz") == ["y is high", None, None, None]


def test_reasons_may_be_held_against_the_best_that_is_attained() -> None:
    """x attains 0.5 to 2, y (which lowers the risk) -1 to 4, and b is the best word."""
    x, y = number("x", 1.0), number("y", -1.0)
    ends = [
        x.model_copy(update={"low": 0.5, "high": 2.0}),
        y.model_copy(update={"low": -1.0, "high": 4.0}),
    ]
    terms = [*ends, word(a=2.0, b=-1.0)]
    best = PLAN.model_copy(update={"reference": "best"})

    def reasons(*given) -> list[str | None]:
        row = vars(score_of(terms, *given, score=best))
        return [row[name] for name in REASON]

    assert reasons(0.5, 4.0, "b") == [None, None, None, None]
    assert reasons(1.0, 3.0, "b") == ["y is high", "x is high", None, None]
    assert reasons(1.5, 4.0, "a") == ["the word", "x is high", None, None]
    assert score_of(terms, 1.0, 3.0, "b", score=best).pd == score_of(terms, 1.0, 3.0, "b").pd


def dearest(costs: list[float], texts: list[str]) -> list[str | None]:
    """The oracle: the four dearest that cost anything, ties in the contract's order."""
    order = sorted(range(len(costs)), key=lambda nth: (-costs[nth], nth))
    chosen: list[str | None] = [texts[nth] for nth in order if costs[nth] > 0]
    return [*chosen, None, None, None, None][:4]


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_reasons_are_those_of_plain_python(count) -> None:
    """Ties, nulls, infinities, nothing that costs, and costs a hair apart, the later one dearer."""
    draw = Random(count)
    names = [f"v{nth}" for nth in range(count)]
    terms = [
        Number(name=name, sql=name, reason=f"reason {name}", imputed=0.25, mean=0.0, deviation=1.0,
               coefficient=draw.choice([1.0, -1.0, 0.5]))
        for name in names
    ]  # fmt: skip
    values = [0.0, 1.0, 1.0, 2.0, -1.0, None, inf, nan, 1e-14, 1.0 + 2**-52, 1.0 + 2**-45]
    loans = [(str(each), *draw.choices(values, k=count)) for each in range(400)]
    loans.append(("free", *[-1e-9 * term.coefficient for term in terms]))
    schema = {"loan_id": pl.String, **dict.fromkeys(names, pl.Float64)}

    scores = scored(pl.DataFrame(loans, schema, orient="row"), document(terms), "loan_id")
    ours = {row[0]: list(row[1:]) for row in scores.select("loan_id", *REASON).rows()}

    def costs(given) -> list[float]:
        known = [0.25 if v is None or not abs(v) < inf else v for v in given]
        return [v * term.coefficient for v, term in zip(known, terms, strict=True)]

    texts = [term.reason for term in terms]
    assert ours == {loan_id: dearest(costs(given), texts) for loan_id, *given in loans}
    assert ours["free"] == [None, None, None, None]


def refusal(name: str, sql: str) -> Refusal:
    return Refusal(name=name, sql=sql, reason=f"{name} holds")


def test_hard_rules_decline_and_come_before_what_costs_most() -> None:
    terms = [number("x", 1.0), number("y", 1.0), word(a=2.0)]
    rules = [refusal("low", "x < 1.0"), refusal("b", "w = 'b'"), refusal("void", "y IS NULL")]
    loans = [
        ("sound", -9.0 + 10, -9.0, "c", None),
        ("low", -9.0, 1.0, "b", None),
        ("unknown", None, -4.0, None, None),
        ("all", 0.5, None, "b", None),
        ("costly", 0.5, 0.7, "a", None),
    ]

    scores = scored(frame(*loans), document(terms, refusals=rules), "loan_id")

    assert scores.select("loan_id", "decision", *REASON).rows() == [
        ("sound", "approve", "x is high", None, None, None),
        ("low", "decline", "low holds", "b holds", "y is high", None),
        ("unknown", "approve", None, None, None, None),
        ("all", "decline", "low holds", "b holds", "void holds", "x is high"),
        ("costly", "decline", "low holds", "the word", "y is high", "x is high"),
    ]


def test_polars_scores_as_plain_python_does_to_the_last_bit() -> None:
    word_of_none = word(a=0.7, c=-0.4, **{MISSING: 0.9})
    wanted = document([number("x", 0.3, 2.9), number("y", -0.7, 0.1), word_of_none], -1.3, 0.2)
    strange = [("nothing", None, nan, None, None), ("huge", 1e308, -inf, "zzz", None)]
    loans = frame(*drawn(3000), *strange)
    scorer = PlainScorer(wanted)

    ours = scored(loans, wanted)

    for row, loan in zip(ours.to_dicts(), loans.to_dicts(), strict=True):
        plain = scorer.score(loan)
        decided = (plain.log_odds, plain.pd, plain.points, plain.band, plain.decision)
        names = ("log_odds", "pd", "points", "band", "decision")
        assert tuple(row[name] for name in names) == decided
        assert [row[name] for name in REASON if row[name]] == list(plain.reasons)


def test_a_pd_at_a_bound_is_above_it() -> None:
    even = PLAN.model_copy(
        update={
            "bands": {"A": 0.5, "B": 1.0},
            "decisions": Decisions(approve_below=0.5, decline_from=0.5),
        }
    )
    wanted = document([number("x", 1.0)]).model_copy(update={"score": even})

    row = scored(frame(("A", 0.0, 0.0, "a", None)), wanted).row(0, named=True)

    assert (row["pd"], row["band"], row["decision"]) == (0.5, "B", "decline")


def test_scores_keep_the_order_and_the_columns_that_are_asked_for() -> None:
    terms = [number("x", 1.0), number("y", 1.0), word(a=2.0)]
    wanted = document(terms)
    loans = frame(*drawn(20_000))

    scores = scored(loans, wanted, "outcome", "loan_id")

    assert scores.schema == {
        "outcome": pl.String, "loan_id": pl.String, "log_odds": pl.Float64, "pd": pl.Float64,
        "points": pl.Int32, "band": pl.String, "decision": pl.String,
        **dict.fromkeys([*REASON, "model_version"], pl.String),
    }  # fmt: skip
    assert scores.select("outcome", "loan_id").equals(loans.select("outcome", "loan_id"))
    assert set(scores["model_version"]) == {wanted.version}
    assert scored(loans[:0], wanted, "loan_id").schema == scores.drop("outcome").schema
    by_parts = [scored(part, wanted, "outcome", "loan_id") for part in loans.iter_slices(777)]
    assert pl.concat(by_parts).equals(scores)


def test_a_feature_that_reads_no_column_has_one_value_for_all_loans() -> None:
    constant = number("x", 2.0).model_copy(update={"sql": "CAST(3 AS DOUBLE)"})

    scores = scored(frame(*drawn(5)), document([constant]))

    assert scores["log_odds"].to_list() == [6.0] * 5


def test_columns_read_are_those_of_features_and_hard_rules() -> None:
    rules = [refusal("late", "day > DATE('2011-01-01') AND NOT x IS NULL")]

    assert columns_read(document([word(a=1.0), number("x", 1.0)], refusals=rules)) == [
        "day", "w", "x",
    ]  # fmt: skip


@pytest.mark.parametrize("x", [1e6, -1e6])
def test_no_pd_is_quite_0_or_1(x) -> None:
    """So that its log-odds can be taken again, and each loan has a cell."""
    row = score_of([number("x", 1.0)], x, 0.0, "a")

    assert 0 < row.pd < 1
    assert abs(row.log_odds) == 25
    assert log(row.pd / (1 - row.pd)) == pytest.approx(row.log_odds, abs=0.001)


def test_a_hundred_thousand_draws_of_a_large_mean_are_poissons(spark) -> None:
    """800 good loans to a bad one: mean and variance are both the mean."""
    given = spark.range(100_000).select(
        F.col("id").cast("string").alias("loan_id"), F.lit(1.0).alias("label")
    )

    copies = treated(given, "oversample", Classes(801, 1), 1).groupBy("loan_id").count()
    mean, variance = copies.agg(F.avg("count"), F.var_samp("count")).first()

    assert mean == pytest.approx(801, abs=0.5)
    assert variance == pytest.approx(800, rel=0.02)


def test_the_offset_is_taken_off_the_log_odds() -> None:
    row = score_of([number("x", 1.0)], 0.0, 0.0, "a", intercept=1.0, shift=1.5)

    assert row.log_odds == pytest.approx(-0.5)


def test_a_null_text_is_a_category_and_an_infinite_number_is_null(spark) -> None:
    given = spark.createDataFrame([("A", inf, nan, None, None)], DDL)

    assert rows(featured(given, FEATURES, {})) == [(None, None, MISSING)]
    assert column_of("x") == "feature_x"


@pytest.mark.parametrize("treatment", ["class_weight", "oversample"])
def test_a_treatment_makes_both_classes_weigh_the_same(training, treatment) -> None:
    seen = classes(training)

    weighed = weights(treated(training, treatment, seen, 1))

    # Draws with replacement: 1,500 loans come within a few in a hundred.
    assert weighed.bad / weighed.good == pytest.approx(
        1, abs=1e-9 if treatment == "class_weight" else 0.06
    )


def test_oversampling_keeps_every_loan_and_repeats_only_the_smaller_class(training) -> None:
    seen = classes(training)
    draw = treated(training, "oversample", seen, 1)

    copies = dict(draw.groupBy("label").agg(F.count_distinct("loan_id")).collect())

    assert copies == {0.0: seen.good, 1.0: seen.bad}
    assert classes(draw).good == seen.good
    assert rows(draw, "loan_id") == rows(
        treated(training.repartition(5), "oversample", seen, 1), "loan_id"
    )
    assert rows(draw, "loan_id") != rows(treated(training, "oversample", seen, 2), "loan_id")


@pytest.mark.parametrize("treatment", ["class_weight", "oversample"])
def test_the_offset_restores_the_mean_pd(training, scaling, treatment) -> None:
    seen = classes(training)
    equation = fit_on(training, treatment, scaling, 0.0001).equation
    shift = offset(seen, weights(treated(training, treatment, seen, 1)))

    def mean_pd(taken_off: float) -> float:
        scores = scored(frame(*drawn(1500)), document(*equation, taken_off))
        return float(scores["pd"].mean())

    observed = seen.bad / (seen.good + seen.bad)
    assert mean_pd(0.0) > 1.8 * observed
    assert mean_pd(shift) == pytest.approx(observed, rel=0.06)


def test_the_offset_is_the_shift_of_the_odds() -> None:
    assert offset(Classes(900, 100), Classes(500, 500)) == pytest.approx(log(9))
