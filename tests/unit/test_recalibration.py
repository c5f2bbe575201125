"""A line through the log-odds, fitted on held-out loans, and never on those that it moves."""

import numpy as np
import pytest

from credit_spark.config.models import Decisions, ScorePlan
from credit_spark.evaluation.metrics import auc, cox, mean_pd_over_observed
from credit_spark.evaluation.score_bins import ScoreBin, by_risk, plainly_counted
from credit_spark.pipeline.assessment import cross_fitted, recalibrated, recalibration
from credit_spark.scoring.document import Recalibration
from credit_spark.scoring.policy import scale_of

PLAN = ScorePlan(bands={"all": 1.0}, decisions=Decisions(approve_below=0.1, decline_from=0.3))


def too_wide(seed: int, loans: int = 6000) -> list[ScoreBin]:
    """Scores that spread twice as wide as the outcomes do, and lie too low."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-1.5, 1, loans)
    bad = rng.random(loans) < 1 / (1 + np.exp(-true))
    return plainly_counted((2 * true - 0.7).tolist(), bad.tolist(), scale_of(PLAN).points)


def test_recalibrated_scores_have_a_slope_of_one_and_true_probabilities() -> None:
    given = too_wide(1)

    there = recalibrated(given, recalibration(given), PLAN)

    line = cox(there)
    assert (line.intercept, line.slope) == pytest.approx((0, 1), abs=0.01)
    assert mean_pd_over_observed(there) == pytest.approx(1, abs=0.001)
    assert mean_pd_over_observed(given) < 0.8
    assert auc(there) == pytest.approx(auc(given), abs=1e-4)
    assert all(each.points == scale_of(PLAN).points(each.log_odds) for each in there[::50])


def test_a_folds_own_outcomes_do_not_move_it() -> None:
    folds = {number: too_wide(number) for number in range(3)}
    turned = {**folds, 0: [each._replace(good=each.bad, bad=each.good) for each in folds[0]]}

    ours, theirs = cross_fitted(folds, PLAN), cross_fitted(turned, PLAN)

    assert [each.score_bin for each in ours[0]] == [each.score_bin for each in theirs[0]]
    assert [each.score_bin for each in ours[1]] != [each.score_bin for each in theirs[1]]


def test_what_chance_makes_of_a_few_loans_is_left_alone() -> None:
    """Of true probabilities, about one book in twenty is moved, of however few loans."""
    moved = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        true = rng.normal(-1.5, 1, 150)
        bad = rng.random(150) < 1 / (1 + np.exp(-true))
        score_bins = plainly_counted(true.tolist(), bad.tolist(), scale_of(PLAN).points)
        moved += recalibration(score_bins) != Recalibration()

    assert 1 <= moved <= 12


def test_calibration_never_turns_a_ranking_round() -> None:
    upside_down = [each._replace(score_bin=-each.score_bin) for each in too_wide(2)]

    assert recalibration(upside_down) == Recalibration()


def test_outcomes_that_do_not_overlap_are_left_as_they_are() -> None:
    parted = [ScoreBin(-700, 0, 60, 0, 0), ScoreBin(300, 0, 0, 40, 0)]

    assert recalibration(parted) == Recalibration()
    assert [each.score_bin for each in recalibrated(parted, Recalibration(), PLAN)] == [-700, 300]


def test_score_bins_that_fall_together_are_added_and_none_leaves_the_scale() -> None:
    given = [ScoreBin(1000, 0, 1, 2, 3), ScoreBin(1001, 0, 4, 5, 6), ScoreBin(24_000, 0, 0, 1, 0)]

    moved = recalibrated(given, Recalibration(intercept=0, slope=0.01), PLAN)
    far = recalibrated(given, Recalibration(intercept=0, slope=3), PLAN)

    assert [each[2:] for each in moved] == [(5, 7, 9), (0, 1, 0)]
    assert by_risk(far)[-1].score_bin == 25_000
