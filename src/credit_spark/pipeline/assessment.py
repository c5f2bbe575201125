"""A model's results on each data set: its calibrated score bins, and every figure of them.

Calibration is a line through the log-odds, fitted on held-out loans alone. The shift that an
imbalance strategy makes is taken off before (imbalance.offset). What is left, such as scores that
spread too wide, shows on loans that a fit has not seen.
Source: Platt (1999), Probabilistic Outputs for Support Vector Machines; the line is Cox's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from credit_spark.config.models import ScorePlan
from credit_spark.config.tables import METRICS, SCORE_DISTRIBUTION, WIDEST_LOG_ODDS
from credit_spark.evaluation.figures import Figure, before, figures, fold_figures, reliability
from credit_spark.evaluation.metrics import cox
from credit_spark.evaluation.score_bins import (
    PER_LOG_ODDS,
    Folds,
    ScoreBin,
    by_risk,
)
from credit_spark.pipeline.context import RunContext
from credit_spark.scoring.document import Recalibration
from credit_spark.scoring.policy import scale_of

CV = "cv"
ANY_BAD_AT = 0.5
# Chi-squared with two degrees of freedom, 95%: Wald's test.
BEYOND_CHANCE = 5.99
DataSets = Mapping[str, Folds]


class Measured(NamedTuple):
    """A model, with the score bins and the figures of each data set that it was measured on."""

    model_version: str
    imbalance: str
    score_bins: DataSets
    figures: Mapping[str, Sequence[Figure]]


def assessed(
    raw: DataSets, plan: ScorePlan, offset: float = 0.0
) -> tuple[Recalibration, DataSets, Mapping[str, list[Figure]]]:
    """Calibrate score bins of log-odds, the held-out folds `cv` among them, and measure them.

    Each fold is moved by a line that was fitted on the others, every other data set by a line that
    was fitted on all folds. `offset` is what a strategy had added to the log-odds: figures from
    before calibration have it back, and the PD that then had even odds, from which a notebook
    would call loans bad, is a threshold, too.

    Returns:
        The line of all folds, and by data set the calibrated score bins and their figures.
    """
    line = recalibration(pooled_score_bins(raw[CV]))
    even = line.pd(-offset)
    thresholds = [even, *thresholds_of(plan)]
    score_bins: dict[str, Folds] = {}
    measured = {}
    for name, folds in raw.items():
        own = pooled_score_bins(folds)
        if name == CV:
            score_bins[name] = cross_fitted(folds, plan)
            rows = fold_figures(score_bins[name], thresholds)
        else:
            score_bins[name] = {None: recalibrated(own, line, plan)}
            rows = figures(score_bins[name][None], thresholds)
        uncalibrated = recalibrated(own, Recalibration(intercept=offset), plan)
        known = sum(each.known for each in uncalibrated)
        measured[name] = [
            *rows,
            *reliability(pooled_score_bins(score_bins[name])),
            *before(uncalibrated),
            Figure("balanced_even_odds", even, known),
        ]
    return line, score_bins, measured


def recalibration(held_out: Iterable[ScoreBin]) -> Recalibration:
    """The line that fits held-out loans best.

    The identity where chance alone makes such a line, as it does on a few loans, or where it would
    turn the ranking round.
    """
    line = cox(by_risk(held_out))
    if line is None or line.slope <= 0 or line.distance < BEYOND_CHANCE:
        return Recalibration()
    return Recalibration(intercept=line.intercept, slope=line.slope)


def cross_fitted(folds: Folds, plan: ScorePlan) -> dict[int | None, list[ScoreBin]]:
    """The score bins of each fold, recalibrated by a line that was fitted on the others."""
    found: dict[int | None, list[ScoreBin]] = {}
    for fold, score_bins in folds.items():
        others = (score_bin for other in folds if other != fold for score_bin in folds[other])
        found[fold] = recalibrated(score_bins, recalibration(others), plan)
    return found


def recalibrated(
    score_bins: Iterable[ScoreBin], line: Recalibration, plan: ScorePlan
) -> list[ScoreBin]:
    """Score bins where a line takes them, with the points that they have there."""
    scale = scale_of(plan)
    moved = []
    for each in score_bins:
        log_odds = line.intercept + line.slope * each.log_odds
        bounded = max(-WIDEST_LOG_ODDS, min(WIDEST_LOG_ODDS, log_odds))
        there = each._replace(score_bin=round(bounded * PER_LOG_ODDS))
        moved.append(there._replace(points=scale.points(there.log_odds)))
    return by_risk(moved)


def thresholds_of(plan: ScorePlan) -> list[float]:
    """PDs from which a loan is called bad: even odds, and the contract's own decisions."""
    decisions = plan.decisions
    return sorted({ANY_BAD_AT, decisions.approve_below, decisions.decline_from})


def pooled_score_bins(folds: Folds) -> list[ScoreBin]:
    """The score bins of all folds, one a score."""
    return by_risk(score_bin for score_bins in folds.values() for score_bin in score_bins)


def stage_measured(run: RunContext, models: Sequence[Measured], within: str) -> None:
    """Replace the date's rows `within` a condition in `score_distribution` and `metrics`."""
    count_rows, metric_rows = [], []
    for model in models:
        about = {"model_version": model.model_version, "imbalance": model.imbalance}
        count_rows += [
            {**about, "dataset": dataset, "fold": fold, **score_bin._asdict()}
            for dataset, folds in model.score_bins.items()
            for fold, score_bins in folds.items()
            for score_bin in score_bins
        ]
        metric_rows += [
            {**about, "dataset": dataset, **figure._asdict()}
            for dataset, figures_ in model.figures.items()
            for figure in figures_
        ]
    run.tables.stage_rows(SCORE_DISTRIBUTION, count_rows, within)
    run.tables.stage_rows(METRICS, metric_rows, within)
