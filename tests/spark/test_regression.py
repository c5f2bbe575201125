"""The fit against scikit-learn; the exported SQL against the fitted pipeline."""

from math import exp, inf, log, nan
from random import Random
from statistics import fmean
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import functions as F
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from credit_spark.config.models import Feature, Penalty
from credit_spark.features.columns import ABSENT, Definition, column_of, feature_stage, featured
from credit_spark.scoring.document import Facts, ModelDocument, Recalibration, slots_of
from credit_spark.scoring.frames import terms_of
from credit_spark.training.binning import binned
from credit_spark.training.imbalance import Classes, balanced, classes, offset, weights
from credit_spark.training.regression import (
    Columns,
    Equation,
    calibrated,
    fit,
    indexer_of,
    linear,
    slopes_of,
    vectors,
)
from credit_spark.training.splits import TrainingRows
from tests.frames import rows, stored

FEATURES = [
    Definition("x", "x", is_text=False),
    Definition("y", "y", is_text=False),
    Definition("w", "w", is_text=True),
]
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
    return made_ready(loans)


def made_ready(loans) -> TrainingRows:
    beside = {
        "loan_id": F.col("loan_id"), "label": F.when(F.col("outcome") == "bad", 1.0).otherwise(0.0),
        "fold": F.lit(0), "quarter": F.lit(0),
    }  # fmt: skip
    return TrainingRows.of(featured(loans, FEATURES, beside).cache(), FEATURES)


class Fitted(NamedTuple):
    equation: Equation
    model: object
    design: object


@pytest.fixture(scope="module")
def fitted(training):
    return fit_on(training, "none")


def designed(training, indicated=(), indexed=None, **expected):
    columns = Columns(
        FEATURES, indexer_of(indexed or training.rows, FEATURES), frozenset(indicated)
    )
    return linear(training, columns, contract(**expected), {})


def contract(**expected):
    features = {
        each.name: Feature(sql=each.sql, reason="r", expect=expected.get(each.name))
        for each in FEATURES
    }
    return SimpleNamespace(features=features, kinds=KINDS)


def fit_on(training, imbalance, regularisation: float = 0.01, seen=None, **about) -> Fitted:
    return fit_by(designed(training, **about), training, imbalance, regularisation, seen)


def fit_by(design, training, imbalance, regularisation: float = 0.01, seen=None) -> Fitted:
    untreated = vectors(design, training.rows, "loan_id", "label")
    treated = balanced(untreated, imbalance, seen or training.classes, 1)
    model = fit(design, treated, Penalty(regularisation))
    return Fitted(design.equation(slopes_of(design, model), model.intercept), model, design)


def document(equation, shift: float = 0.0, **about) -> ModelDocument:
    facts = Facts(
        as_of="2026-03-02", imbalance="none", rows=1, good=1, bad=1, out_of_time_from=None,
        folds=2, seed=1, regularisation=0, elastic_net=0,
    )  # fmt: skip
    return ModelDocument(
        portfolio="p", contract_hash="h", features=equation.terms, left_out=(),
        intercept=equation.intercept, offset=shift, facts=facts, **about,
    )  # fmt: skip


def slopes(fitted) -> list[float]:
    return [slot.slope for term in fitted.equation.terms for slot in slots_of(term)]


def pds(loans, model: ModelDocument) -> dict[str, float]:
    found = terms_of(loans, model, KINDS, ["loan_id"]).select("loan_id", "log_odds")
    return {loan_id: 1 / (1 + exp(-each)) for loan_id, each in found.collect()}


@pytest.mark.parametrize("imbalance", ["none", "class_weight", "oversample"])
def test_coefficients_are_those_of_scikit_learn(training, imbalance) -> None:
    """On columns scaled by the deviations of the rows that are fitted, weights included."""
    ours = fit_on(training, imbalance, indicated=["x"])
    features, label, weight = matrix(ours.design, training, imbalance)
    deviations = np.sqrt(np.diag(np.cov(features.T, aweights=weight)))

    theirs = LogisticRegression(C=1 / (0.01 * weight.sum()), solver="newton-cholesky", tol=1e-10)
    theirs.fit(features / deviations, label, sample_weight=weight)

    assert slopes(ours) * deviations == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert ours.model.intercept == pytest.approx(theirs.intercept_[0], abs=1e-3)


def matrix(design, training, imbalance) -> list[np.ndarray]:
    """Vectors that are not scaled, labels and weights of treated rows."""
    rows_ = balanced(design.stages.transform(training.rows), imbalance, training.classes, 1)
    columns = rows_.select(vector_to_array("assembled"), "label", "weight")
    return [np.array(each) for each in zip(*columns.collect(), strict=True)]


def test_a_fit_that_keeps_to_signs_is_the_best_that_does(training) -> None:
    """x and y raise the risk: where x may not, its slope is zero, and the rest is fitted anew."""
    ours = fit_on(training, "none", x="lowers_risk", y="increases_risk")
    features, label, _ = matrix(ours.design, training, "none")
    scaled = features / features.std(axis=0, ddof=1)

    def loss(coefficients) -> float:
        given = scaled @ coefficients[:-1] + coefficients[-1]
        return (
            np.logaddexp(0, np.where(label == 1, -given, given)).mean()
            + 0.005 * (coefficients[:-1] ** 2).sum()
        )

    size = scaled.shape[1]
    bounds = [(None, 0), (0, None), *[(None, None)] * (size - 1)]
    theirs = minimize(
        loss, np.zeros(size + 1), bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-10}
    )

    found = [*(slopes(ours) * features.std(axis=0, ddof=1)), ours.model.intercept]
    assert loss(np.array(found)) == pytest.approx(theirs.fun, abs=1e-8)
    assert found == pytest.approx(list(theirs.x), abs=2e-3)
    assert ours.equation.terms[0].slope == 0.0
    free = fit_on(training, "none", x="increases_risk", y="increases_risk")
    unbounded = slopes(fit_on(training, "none"))
    deviations = features.std(axis=0, ddof=1)
    assert slopes(free) * deviations == pytest.approx(unbounded * deviations, abs=1e-4)


@pytest.mark.parametrize("constant", [1000.0, 60.0, 0.1])
def test_what_never_varies_in_the_rows_of_a_fit_has_no_slope(training, constant) -> None:
    """As in a fold's, where all that differ stand in the fold: weights are no round numbers."""
    rows_ = training.rows.withColumn(column_of("y"), F.lit(constant)).cache()
    same = TrainingRows.of(rows_, FEATURES)
    for bad in (13, 29, 71, 113):
        found = fit_on(same, "class_weight", seen=Classes(1500 - bad, bad))

        assert found.equation.terms[1].slope == 0


@pytest.mark.parametrize("expect", [None, "increases_risk"])
def test_a_slot_that_never_varies_in_a_fit_has_no_slope_and_leaves_the_others(
    training, expect
) -> None:
    """As where SMOTE, a draw or a fold loses a text, or all values but one of a number."""
    lost = training.rows.withColumn(column_of("w"), F.lit("a")).withColumn(column_of("y"), F.lit(5))
    learnt = training._replace(rows=lost.cache())

    found = fit_on(learnt, "none", indexed=training.rows, x="increases_risk", y=expect)

    x, y, w = found.equation.terms
    assert x.slope > 0
    assert [each.slope for each in (y, *w.levels) if each] == [0.0] * (1 + len(w.levels))


def test_a_missing_value_has_a_weight_of_its_own(spark) -> None:
    """All that is known is one value: by hand, the log-odds with it and without."""
    counts = {(1.0, "bad"): 119, (1.0, "good"): 101, (None, "bad"): 179, (None, "good"): 1101}
    given = [
        (f"{x} {outcome} {nth}", x, 0.5, "a", outcome)
        for (x, outcome), many in counts.items()
        for nth in range(many)
    ]
    loans = spark.createDataFrame(given, DDL)

    found = fit_on(made_ready(loans), "none", 0.0, indicated=["x"])

    by_id = pds(loans, document(found.equation))
    for (x, _), rate in {(1.0, ""): 119 / 220, (None, ""): 179 / 1280}.items():
        assert by_id[f"{x} bad 0"] == pytest.approx(rate, abs=1e-4)
    # With the median alone, both are one.
    alone = pds(loans, document(fit_on(made_ready(loans), "none", 0.0).equation))
    assert alone["1.0 bad 0"] == alone["None bad 0"] == pytest.approx(298 / 1500, abs=1e-4)


def linear_design(training):
    return designed(training, indicated=["x"])


def binned_design(training):
    return binned(training, FEATURES, contract(x="increases_risk"), {"x": 3.0, "y": 1.0})


@pytest.mark.parametrize("design", [linear_design, binned_design])
def test_the_stored_pipeline_scores_loans_as_the_exported_sql_does(
    spark, training, tmp_path, design
) -> None:
    """From columns of `loans` to a calibrated PD, by plain Spark."""
    strange = [
        ("null", None, None, None, None),
        ("unseen", 1.0, 1.0, "zzz", None),
        ("empty", 1.0, 1.0, "", None),
        ("infinite", inf, -inf, "a", None),
        ("nan", nan, 1.0, "a", None),
        ("large", 20.0, -20.0, "b", None),
    ]
    loans = spark.createDataFrame(drawn(300, seed=8) + strange, DDL)
    line = Recalibration(intercept=0.3, slope=0.8)
    found = fit_by(design(training), training, "class_weight")
    regression = calibrated(found.model, 0.7, line)
    whole = PipelineModel([feature_stage(FEATURES), *found.design.stages.stages, regression])

    pipeline = stored(whole, tmp_path)
    probability = vector_to_array("probability")[1]
    theirs = dict(rows(pipeline.transform(loans).select("loan_id", probability)))
    ours = pds(loans, document(found.equation, 0.7, recalibration=line))

    assert ours.keys() == theirs.keys()
    assert len({*ours.values()}) > 20
    assert max(abs(ours[each] - theirs[each]) for each in ours) < 1e-9


def test_a_fit_on_the_same_loans_is_the_same_to_the_last_bit(fitted, loans) -> None:
    again = fit_on(made_ready(loans), "none")

    assert document(again.equation).version == document(fitted.equation).version


def test_a_hundred_thousand_draws_of_a_large_mean_are_poissons(spark) -> None:
    """800 good loans to a bad one: mean and variance are both the mean."""
    given = spark.range(100_000).select(
        F.col("id").cast("string").alias("loan_id"), F.lit(1.0).alias("label")
    )

    copies = balanced(given, "oversample", Classes(801, 1), 1).groupBy("loan_id").count()
    mean, variance = copies.agg(F.avg("count"), F.var_samp("count")).first()

    assert mean == pytest.approx(801, abs=0.5)
    assert variance == pytest.approx(800, rel=0.02)


def test_a_null_text_is_a_category_and_an_infinite_number_is_null(spark) -> None:
    given = spark.createDataFrame([("A", inf, nan, None, None)], DDL)

    assert rows(featured(given, FEATURES, {})) == [(None, None, ABSENT)]
    assert column_of("x") == "feature_x"


@pytest.mark.parametrize("imbalance", ["class_weight", "oversample"])
def test_a_strategy_makes_both_classes_weigh_the_same(training, imbalance) -> None:
    weighed = weights(balanced(training.rows, imbalance, training.classes, 1))

    # Draws with replacement: 1,500 loans come within a few in a hundred.
    assert weighed.bad / weighed.good == pytest.approx(
        1, abs=1e-9 if imbalance == "class_weight" else 0.06
    )


def test_oversampling_keeps_every_loan_and_repeats_only_the_smaller_class(training) -> None:
    seen, given = training.classes, training.rows
    draw = balanced(given, "oversample", seen, 1)

    copies = dict(draw.groupBy("label").agg(F.count_distinct("loan_id")).collect())

    assert copies == {0.0: seen.good, 1.0: seen.bad}
    assert classes(draw).good == seen.good
    assert rows(draw, "loan_id") == rows(
        balanced(given.repartition(5), "oversample", seen, 1), "loan_id"
    )
    assert rows(draw, "loan_id") != rows(balanced(given, "oversample", seen, 2), "loan_id")


@pytest.mark.parametrize("imbalance", ["class_weight", "oversample"])
def test_the_offset_restores_the_mean_pd(training, loans, imbalance) -> None:
    seen = training.classes
    equation = fit_on(training, imbalance, 0.0001).equation
    shift = offset(seen, weights(balanced(training.rows, imbalance, seen, 1)))

    def mean_pd(taken_off: float) -> float:
        return fmean(pds(loans, document(equation, taken_off)).values())

    observed = seen.bad / (seen.good + seen.bad)
    assert mean_pd(0.0) > 1.8 * observed
    assert mean_pd(shift) == pytest.approx(observed, rel=0.06)


def test_the_offset_is_the_shift_of_the_odds() -> None:
    assert offset(Classes(900, 100), Classes(500, 500)) == pytest.approx(log(9))
