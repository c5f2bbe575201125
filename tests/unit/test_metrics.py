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
from credit_spark.evaluation.classification import counted_calls, printed, report
from credit_spark.evaluation.figures import (
    Figure,
    before,
    figures,
    fold_figures,
    pooled,
    reliability,
    segment_figures,
)
from credit_spark.evaluation.score_bins import (
    ScoreBin,
    by_risk,
    collected,
    counted,
    plainly_counted,
)
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


def test_of_loans_of_one_label_there_is_no_balanced_accuracy() -> None:
    found = report([ScoreBin(-100, 0, 90, 0, 0), ScoreBin(100, 0, 10, 0, 0)], 0.5)

    assert found["all", "accuracy"] == 0.9
    assert ("all", "balanced_accuracy") not in found


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


# The riskier bin has three bad loans of four, the other one of four.
TWO = [ScoreBin(-1000, 5, 3, 1, 0), ScoreBin(1000, 3, 1, 3, 0)]


def test_ks_is_reached_at_the_pd_of_the_widest_gap() -> None:
    assert metrics.ks_threshold(TWO) == pytest.approx(1 / (1 + np.exp(-1)))
    # Of two gaps of the same width, the higher PD.
    flat = [ScoreBin(-1000, 0, 4, 0, 0), ScoreBin(0, 0, 1, 1, 0), ScoreBin(1000, 0, 0, 4, 0)]
    assert metrics.ks_threshold(flat) == pytest.approx(1 / (1 + np.exp(-1)))


def test_without_a_bad_loan_expected_over_observed_is_undefined() -> None:
    assert metrics.mean_pd_over_observed([ScoreBin(0, 0, 5, 0, 0)]) is None


def test_two_bins_have_the_calibration_line_through_their_rates() -> None:
    # Log-odds of 3 to 1 and 1 to 3, at log-odds of 1 and -1.
    assert metrics.calibration_slope(TWO) == pytest.approx(np.log(3), abs=1e-9)
    assert metrics.calibration_intercept(TWO) == pytest.approx(0, abs=1e-9)


def test_where_no_loan_is_called_bad_its_precision_is_zero() -> None:
    found = report(TWO, 0.99)

    assert (found["bad", "precision"], found["bad", "recall"]) == (0, 0)
    assert (found["good", "precision"], found["good", "recall"]) == (0.5, 1)


def test_a_confusion_matrix_is_printed_line_by_line() -> None:
    bins = [ScoreBin(-1000, 0, 1200, 30, 9), ScoreBin(1000, 0, 200, 70, 0)]

    assert counted_calls(bins, 0.5).splitlines() == [
        "              called good    called bad",
        "    is good         1,200           200",
        "     is bad            30            70",
        f"accuracy {1270 / 1500:.3f}, balanced accuracy {(1200 / 1400 + 0.7) / 2:.3f}",
    ]
    assert counted_calls([], 0.5).endswith("accuracy unknown, balanced accuracy unknown")


def test_figures_of_a_fold_carry_its_number_and_all_loans() -> None:
    found = figures(TWO, [0.5], fold=3)

    assert {(each.fold, each.segment, each.rows) for each in found} == {(3, "all", 8)}


def test_with_one_outcome_figures_stand_at_the_thresholds_alone() -> None:
    found = figures([ScoreBin(0, 0, 5, 0, 0)], [0.5])

    assert {each.threshold for each in found} == {None, 0.5}


def test_figures_from_before_calibration_are_those_of_calibration() -> None:
    found = {each.metric: (each.value, each.rows) for each in before(TWO)}

    assert found["calibration_slope_before"] == (metrics.calibration_slope(TWO), 8)
    assert found["ece_before"] == (metrics.ece(TWO), 8)


def test_reliability_is_mean_pd_and_observed_rate_of_each_tenth() -> None:
    low, high = (1 / (1 + np.exp(-each)) for each in (-1, 1))

    assert [(each.metric, each.segment, each.value, each.rows) for each in reliability(TWO)] == [
        ("mean_pd", "pd_tenth=3", pytest.approx(low), 4),
        ("observed_rate", "pd_tenth=3", 0.25, 4),
        ("mean_pd", "pd_tenth=8", pytest.approx(high), 4),
        ("observed_rate", "pd_tenth=8", 0.75, 4),
    ]


def test_figures_of_a_segment_count_open_loans_and_rest_on_known_ones() -> None:
    found = segment_figures("home=RENT", [ScoreBin(0, 0, 3, 1, 6)], ["observed_rate"])

    assert [(each.metric, each.value, each.rows, each.segment) for each in found] == [
        ("loans", 10.0, 4, "home=RENT"), ("observed_rate", 0.25, 4, "home=RENT"),
    ]  # fmt: skip


def test_a_pooled_figure_is_that_of_its_metric_and_threshold() -> None:
    found = [Figure("ks", 0.1, 1, threshold=0.5), Figure("auc", 0.2, 1), Figure("ks", 0.3, 1)]

    assert (pooled(found, "ks"), pooled(found, "ks", 0.5), pooled(found, "gini")) == (
        0.3,
        0.1,
        None,
    )


def test_means_and_deviations_need_two_folds_and_are_of_all_their_loans() -> None:
    other = [ScoreBin(-1000, 5, 4, 0, 0), ScoreBin(1000, 3, 0, 2, 0)]

    one, both = (fold_figures(folds, []) for folds in ({0: TWO}, {0: TWO, 1: other}))

    assert {each.metric for each in one}.isdisjoint({"ks_mean", "ks_sd"})
    found = {each.metric: each for each in both if each.fold is None and each.threshold is None}
    assert found["ks_mean"] == Figure("ks_mean", pytest.approx((0.5 + 1) / 2), 14)
    assert found["ks_sd"] == Figure("ks_sd", pytest.approx(0.5 / np.sqrt(2)), 14)


def test_there_is_no_mean_over_some_of_the_folds() -> None:
    found = fold_figures({0: TWO, 1: TWO, 2: []}, [0.5])

    of_all_folds = {each.metric for each in found if each.metric.endswith(("_mean", "_sd"))}
    assert of_all_folds <= {"geometric_mean"}


def test_a_few_loans_are_counted_with_their_points() -> None:
    counted_ = plainly_counted([0.5, 0.5, 30.0], [1, 0, 1], lambda each: round(100 - each))

    assert counted_ == [ScoreBin(500, 100, 1, 1, 0), ScoreBin(25_000, 75, 0, 1, 0)]
    with pytest.raises(ValueError, match="longer"):
        plainly_counted([0.5], [1, 0], round)
