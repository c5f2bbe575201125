"""The fit against scikit-learn; the exported SQL against the fitted pipeline."""

from math import inf, log, nan
from random import Random

import numpy as np
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F
from sklearn.linear_model import LogisticRegression

from credit_spark.contract.models import Decisions, Penalty, ScorePlan
from credit_spark.contract.tables import MISSING
from credit_spark.features.columns import Definition, column_of, featured
from credit_spark.modelling.imbalance import Classes, classes, offset, treated, weights
from credit_spark.modelling.regression import (
    Fit,
    assembled,
    fit,
    linear,
    scaled,
    terms_of_slope_1,
    vectors,
)
from credit_spark.scoring.document import (
    Facts,
    ModelDocument,
)
from credit_spark.scoring.frames import scores_of
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
KINDS = {"x": "number", "y": "number", "w": "category"}


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
    design = linear(training, FEATURES, terms_of_slope_1(scaling, FEATURES, REASONS, {}))
    untreated = vectors(design, training, "loan_id", "label")
    rows = treated(untreated, treatment, seen or classes(training), 1)
    return fit(design, rows, Penalty(regularisation))


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
    means = scaling.stages[-1].mean.toArray()
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

        found = fit_on(rows, "class_weight", scaling, seen=Classes(1500 - bad, bad))

        assert found.equation.terms[1].slope == 0


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
    loans = spark.createDataFrame(given, DDL)
    features = featured(loans, FEATURES, {"loan_id": F.col("loan_id")})
    probability = vector_to_array("probability")[1]

    pipeline = stored(fitted.pipeline, tmp_path)
    theirs = dict(rows(pipeline.transform(features).select("loan_id", probability)))
    compiled = document(*fitted.equation)
    ours = dict(rows(scores_of(loans, compiled, KINDS, ["loan_id"]).select("loan_id", "pd")))

    assert ours.keys() == theirs.keys()
    assert max(abs(ours[each] - theirs[each]) for each in ours) < 1e-9


def test_a_fit_on_the_same_loans_is_the_same_to_the_last_bit(fitted, scaling, loans) -> None:
    label = F.when(F.col("outcome") == "bad", 1.0).otherwise(0.0)
    again = featured(loans, FEATURES, {"loan_id": F.col("loan_id"), "label": label})
    refit = fit_on(again, "none", scaling)

    assert document(*refit.equation).version == document(*fitted.equation).version


def test_a_hundred_thousand_draws_of_a_large_mean_are_poissons(spark) -> None:
    """800 good loans to a bad one: mean and variance are both the mean."""
    given = spark.range(100_000).select(
        F.col("id").cast("string").alias("loan_id"), F.lit(1.0).alias("label")
    )

    copies = treated(given, "oversample", Classes(801, 1), 1).groupBy("loan_id").count()
    mean, variance = copies.agg(F.avg("count"), F.var_samp("count")).first()

    assert mean == pytest.approx(801, abs=0.5)
    assert variance == pytest.approx(800, rel=0.02)


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
def test_the_offset_restores_the_mean_pd(training, loans, scaling, treatment) -> None:
    seen = classes(training)
    equation = fit_on(training, treatment, scaling, 0.0001).equation
    shift = offset(seen, weights(treated(training, treatment, seen, 1)))

    def mean_pd(taken_off: float) -> float:
        scores = scores_of(loans, document(*equation, taken_off), KINDS, ["loan_id"])
        return float(scores.agg(F.avg("pd")).first()[0])

    observed = seen.bad / (seen.good + seen.bad)
    assert mean_pd(0.0) > 1.8 * observed
    assert mean_pd(shift) == pytest.approx(observed, rel=0.06)


def test_the_offset_is_the_shift_of_the_odds() -> None:
    assert offset(Classes(900, 100), Classes(500, 500)) == pytest.approx(log(9))
