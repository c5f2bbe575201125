"""Figures from score bins against scikit-learn and imbalanced-learn, ties included."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from imblearn.metrics import classification_report_imbalanced
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
    roc_curve,
)

from credit_spark.evaluation import metrics
from credit_spark.evaluation.classification import printed, report
from credit_spark.evaluation.figures import figures, fold_figures, pooled
from credit_spark.evaluation.score_bins import ScoreBin, by_risk, collected, counted
from tests.frames import rows

SEEDS = range(12)
UNDEFINED_WITHOUT_BADS = (
    "ks",
    "ks_threshold",
    "auc",
    "gini",
    "calibration_slope",
    "calibration_intercept",
)


def drawn(seed: int) -> list[ScoreBin]:
    draw = Random(seed)
    return [
        ScoreBin(number, 0, draw.randint(0, 12), draw.randint(0, 6), draw.randint(0, 3))
        for number in sorted(draw.sample(range(-4000, 3000), 40))
    ]


def loans(score_bins: Sequence[ScoreBin]) -> tuple[np.ndarray, np.ndarray]:
    """One (outcome, PD) a loan with a known outcome."""
    pairs = [(bad, each.pd) for each in score_bins for bad in [0] * each.good + [1] * each.bad]
    outcome, risk = zip(*pairs, strict=True)
    return np.array(outcome), np.array(risk)


@pytest.mark.parametrize("seed", SEEDS)
def test_ranking_agrees_with_scikit_learn(seed) -> None:
    score_bins = drawn(seed)
    outcome, risk = loans(score_bins)
    fpr, tpr, _ = roc_curve(outcome, risk)

    assert metrics.ks(score_bins) == pytest.approx(max(abs(tpr - fpr)), abs=1e-12)
    assert metrics.auc(score_bins) == pytest.approx(roc_auc_score(outcome, risk), abs=1e-12)
    assert metrics.gini(score_bins) == pytest.approx(
        2 * roc_auc_score(outcome, risk) - 1, abs=1e-12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_calibration_agrees_with_scikit_learn(seed) -> None:
    score_bins = drawn(seed)
    outcome, risk = loans(score_bins)
    log_odds = np.log(risk / (1 - risk)).reshape(-1, 1)
    refit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(log_odds, outcome)

    assert metrics.brier(score_bins) == pytest.approx(brier_score_loss(outcome, risk), abs=1e-12)
    assert metrics.log_loss(score_bins) == pytest.approx(log_loss(outcome, risk), abs=1e-12)
    assert metrics.mean_pd(score_bins) == pytest.approx(risk.mean(), abs=1e-12)
    assert metrics.observed_rate(score_bins) == pytest.approx(outcome.mean(), abs=1e-12)
    # Both stop near the same optimum, by different criteria.
    assert metrics.calibration_slope(score_bins) == pytest.approx(refit.coef_[0][0], abs=1e-5)
    assert metrics.calibration_intercept(score_bins) == pytest.approx(refit.intercept_[0], abs=1e-5)
    design = np.column_stack([np.ones(len(log_odds)), log_odds])
    chance = refit.predict_proba(log_odds)[:, 1]
    covariance = np.linalg.inv(design.T @ (design * (chance * (1 - chance))[:, None]))
    error = metrics.calibration_slope_error(score_bins)
    assert error == pytest.approx(np.sqrt(covariance[1, 1]), abs=1e-5)


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_report_is_that_of_imbalanced_learn(seed, threshold) -> None:
    score_bins = drawn(seed)
    outcome, risk = loans(score_bins)
    called = (risk >= threshold).astype(int)
    theirs = classification_report_imbalanced(outcome, called, output_dict=True, zero_division=0)
    names = {"pre": "precision", "rec": "recall", "spe": "specificity", "f1": "f1",
             "geo": "geometric_mean", "iba": "iba", "sup": "support"}  # fmt: skip

    said = classification_report_imbalanced(
        outcome, called, target_names=["good", "bad"], zero_division=0
    )

    assert printed(score_bins, threshold) == said
    ours = report(score_bins, threshold)

    for label, key in (("good", "0"), ("bad", "1")):
        for short, name in names.items():
            assert ours[label, name] == pytest.approx(theirs[key][short], abs=1e-12)
    for short, name in names.items():
        key = "total_support" if short == "sup" else f"avg_{short}"
        assert ours["all", name] == pytest.approx(theirs[key], abs=1e-12)
    assert ours["all", "accuracy"] == pytest.approx(accuracy_score(outcome, called), abs=1e-12)
    assert ours["all", "balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(outcome, called), abs=1e-12
    )


@pytest.mark.parametrize("widest", [8_000, 15_000, 25_000])
def test_calibration_of_scores_far_apart_overflows_nowhere(widest) -> None:
    score_bins = [
        ScoreBin(-widest, 0, 9_000, 2, 0),
        ScoreBin(0, 0, 50, 60, 0),
        ScoreBin(widest, 0, 3, 800, 0),
    ]

    with np.errstate(all="raise"):
        slope = metrics.calibration_slope(score_bins)

    outcome, risk = loans(score_bins)
    log_odds = np.array(
        [score_bin.log_odds for score_bin in score_bins for _ in range(score_bin.known)]
    ).reshape(-1, 1)
    refit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(log_odds, outcome)
    assert len(risk) == len(log_odds)
    assert slope == pytest.approx(refit.coef_[0][0], rel=1e-5)


def test_with_no_outcome_there_is_nothing_to_report() -> None:
    assert printed([ScoreBin(0, 0, 0, 0, 5)], 0.5) == "no outcome is known\n"


def test_expected_calibration_error_by_hand() -> None:
    even = ScoreBin(0, 0, 1, 3, 0)  # four loans at PD 0.5, 0.75 bad

    assert metrics.ece([even]) == pytest.approx(0.25)
    assert metrics.ece([ScoreBin(0, 0, 2, 2, 0)]) == 0


each_metric = pytest.mark.parametrize("name", sorted(metrics.METRICS))


@each_metric
def test_ten_times_the_loans_is_the_same_figure(name) -> None:
    score_bins = drawn(3)
    tenfold = [each._replace(good=each.good * 10, bad=each.bad * 10) for each in score_bins]

    # Of an error: as much less as ten times the loans know more.
    expected = metrics.METRICS[name](score_bins) / (np.sqrt(10) if name.endswith("_error") else 1)
    assert metrics.METRICS[name](tenfold) == pytest.approx(expected, abs=1e-9)


@each_metric
def test_loans_without_an_outcome_change_nothing(name) -> None:
    score_bins = drawn(4)
    opened = [each._replace(open=each.open + 5) for each in score_bins]

    assert metrics.METRICS[name](opened) == metrics.METRICS[name](score_bins)


@each_metric
def test_without_loans_a_figure_is_undefined(name) -> None:
    assert metrics.METRICS[name]([]) is None
    assert metrics.METRICS[name]([ScoreBin(0, 0, 0, 0, 7)]) is None


@pytest.mark.parametrize("name", UNDEFINED_WITHOUT_BADS)
def test_with_one_outcome_only_ranking_is_undefined(name) -> None:
    assert metrics.METRICS[name]([ScoreBin(0, 0, 5, 0, 0), ScoreBin(9, 0, 4, 0, 0)]) is None


def test_one_score_for_all_parts_nothing() -> None:
    assert metrics.ks([ScoreBin(500, 0, 70, 30, 0)]) == 0
    assert metrics.auc([ScoreBin(500, 0, 70, 30, 0)]) == 0.5


def test_bads_all_above_goods_is_perfect() -> None:
    score_bins = [ScoreBin(-700, 0, 6, 0, 0), ScoreBin(300, 0, 0, 4, 0)]

    assert (metrics.ks(score_bins), metrics.auc(score_bins), metrics.gini(score_bins)) == (1, 1, 1)


def test_outcomes_that_do_not_overlap_have_no_calibration_slope() -> None:
    assert (
        metrics.calibration_slope([ScoreBin(-700, 0, 6, 0, 0), ScoreBin(300, 0, 0, 4, 0)]) is None
    )


def test_score_bins_of_one_score_are_added() -> None:
    assert by_risk([ScoreBin(5, 9, 1, 2, 3), ScoreBin(1, 9, 1, 0, 0), ScoreBin(5, 8, 1, 1, 1)]) == [
        ScoreBin(1, 9, 1, 0, 0),
        ScoreBin(5, 8, 2, 3, 4),
    ]


def test_folds_are_told_each_pooled_and_as_mean_and_spread() -> None:
    folds = {0: drawn(0), 1: drawn(1), 2: drawn(2)}

    told = fold_figures(folds, [0.2])
    single = [metrics.ks(score_bins) for score_bins in folds.values()]

    by_name = {
        (each.fold, each.threshold, each.metric): each.value for each in told if each.label == "all"
    }
    assert [by_name[fold, None, "ks"] for fold in (0, 1, 2)] == single
    assert by_name[None, None, "ks_mean"] == pytest.approx(np.mean(single))
    assert by_name[None, None, "ks_sd"] == pytest.approx(np.std(single, ddof=1))
    together = by_risk([score_bin for score_bins in folds.values() for score_bin in score_bins])
    assert pooled(told, "ks") == metrics.ks(together)
    assert (None, 0.2, "accuracy_mean") in by_name


def test_figures_stand_at_the_thresholds_and_where_ks_is_reached() -> None:
    score_bins = drawn(5)

    asked = {each.threshold for each in figures(score_bins, [0.5]) if each.metric == "accuracy"}

    assert asked == {0.5, metrics.ks_threshold(score_bins)}


SCORED = [
    (-1.0004, 600, "good"),
    (-0.9996, 600, "bad"),
    (-1.0, 600, "open"),
    (-1.0, 601, None),
    (-1.0005, 599, "good"),
    (0.0005, 570, "good"),
    (0.00149999, 570, "good"),
    (25.0, 500, "bad"),
]
COUNTED = [
    (-1001, 599, 1, 0, 0),
    (-1000, 600, 1, 1, 1),
    (-1000, 601, 0, 0, 1),
    (1, 570, 2, 0, 0),
    (25000, 500, 0, 1, 0),
]


def test_scores_are_counted_by_score_bin_points_and_outcome(spark) -> None:
    score_bins = counted(
        spark.createDataFrame(SCORED, "log_odds double, points int, outcome string")
    )

    assert sorted(rows(score_bins)) == COUNTED


def test_scores_are_counted_by_other_columns_too(spark) -> None:
    scored = [(*row, decision) for decision in "ab" for row in SCORED[:3]]
    columns = "log_odds double, points int, outcome string, decision string"

    counts = counted(spark.createDataFrame(scored, columns), ["decision"])

    assert sorted(rows(counts)) == [("a", -1000, 600, 1, 1, 1), ("b", -1000, 600, 1, 1, 1)]


def test_score_bins_are_collected_in_order(spark) -> None:
    scored = spark.createDataFrame(SCORED, "log_odds double, points int, outcome string")

    assert collected(counted(scored)) == [ScoreBin(*each) for each in COUNTED]
    assert collected(counted(scored.where("points < 0"))) == []
