"""Score bins to the rows of `metrics`: one data set, its folds, their mean and spread."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from credit_spark.evaluation.classification import report
from credit_spark.evaluation.metrics import CALIBRATION, METRICS, ks_threshold, tenths
from credit_spark.evaluation.score_bins import ScoreBin, by_risk

ALL = "all"


class Figure(NamedTuple):
    """A row of `metrics`, but for what it is about (model, data set, imbalance strategy)."""

    metric: str
    value: float | None
    rows: int
    segment: str = ALL
    fold: int | None = None
    label: str = ALL
    threshold: float | None = None


def figures(
    score_bins: Iterable[ScoreBin], thresholds: Sequence[float], fold: int | None = None
) -> list[Figure]:
    """Every metric of one set of score bins, at the thresholds and where KS is reached."""
    ordered = by_risk(score_bins)
    rows = sum(each.known for each in ordered)
    whole = [Figure(name, metric(ordered), rows, fold=fold) for name, metric in METRICS.items()]
    at_ks = ks_threshold(ordered)
    wanted = {*thresholds, *([] if at_ks is None else [at_ks])}
    return whole + [
        Figure(name, value, rows, ALL, fold, label, threshold)
        for threshold in sorted(wanted)
        for (label, name), value in report(ordered, threshold).items()
    ]


def before(score_bins: Iterable[ScoreBin]) -> list[Figure]:
    """Every metric of calibration of the same loans before they were calibrated."""
    ordered = by_risk(score_bins)
    rows = sum(each.known for each in ordered)
    return [Figure(f"{name}_before", metric(ordered), rows) for name, metric in CALIBRATION.items()]


def reliability(score_bins: Iterable[ScoreBin]) -> list[Figure]:
    """Mean PD and observed rate of each tenth of the loans, from the least risk up."""
    return [
        Figure(metric, value, tenth.known, f"pd_tenth={tenth.nth}")
        for tenth in tenths(by_risk(score_bins))
        for metric, value in (
            ("mean_pd", tenth.expected / tenth.known),
            ("observed_rate", tenth.bad / tenth.known),
        )
    ]


def fold_figures(
    folds: Mapping[int | None, Sequence[ScoreBin]], thresholds: Sequence[float]
) -> list[Figure]:
    """Every metric of each fold, of all folds pooled, and its `_mean` and `_sd` over the folds.

    The standard deviation is the sample's, over folds; it is left out where a fold has no value.
    """
    ordered = sorted(folds, key=str)
    each = [figure for fold in ordered for figure in figures(folds[fold], thresholds, fold)]
    pooled = figures(
        [score_bin for score_bins in folds.values() for score_bin in score_bins], thresholds
    )
    return each + pooled + _deviations(each, thresholds)


def segment_figures(
    segment: str, score_bins: Sequence[ScoreBin], names: Sequence[str]
) -> list[Figure]:
    """Of a part of the loans: how many `loans`, open ones too, and metrics by their names."""
    loans, known = sum(each.loans for each in score_bins), sum(each.known for each in score_bins)
    values = {"loans": float(loans)} | {name: METRICS[name](score_bins) for name in names}
    return [Figure(name, value, known, segment) for name, value in values.items()]


# By whether the champion and the challenger approve.
APPROVED_BY = {
    (True, True): "approved_by=both",
    (True, False): "approved_by=champion",
    (False, True): "approved_by=challenger",
    (False, False): "approved_by=neither",
}


class Swap(NamedTuple):
    """Loans that share the challenger's score and what each of both models would do."""

    champion_approves: bool
    challenger_approves: bool
    score_bin: ScoreBin


def swap_figures(swaps: Iterable[Swap]) -> list[Figure]:
    """Whom champion and challenger decide differently, counted on the same loans.

    Of each quarter of this swap set: `loans`, open ones too, `observed_rate`, and `mean_pd`. The
    PD is the challenger's, of loans with a known outcome, as the observed rate is.
    """
    quarters: dict[str, list[ScoreBin]] = {name: [] for name in APPROVED_BY.values()}
    for each in swaps:
        quarters[APPROVED_BY[each.champion_approves, each.challenger_approves]].append(
            each.score_bin
        )
    return [
        figure
        for name, score_bins in quarters.items()
        for figure in segment_figures(name, by_risk(score_bins), ("observed_rate", "mean_pd"))
    ]


def pooled(measured: Iterable[Figure], metric: str, threshold: float | None = None) -> float | None:
    """The value of a metric over all folds, or of a data set that has none, for all loans."""
    wanted = (each for each in measured if each.metric == metric and each.threshold == threshold)
    whole = (each for each in wanted if each.fold is None and each.segment == each.label == ALL)
    return next((each.value for each in whole), None)


def _deviations(each: Sequence[Figure], thresholds: Sequence[float]) -> list[Figure]:
    by_name = defaultdict(list)
    for figure in each:
        if figure.threshold is None or figure.threshold in thresholds:
            by_name[figure.metric, figure.label, figure.threshold].append(figure)
    folds = {figure.fold for figure in each}
    deviations: list[Figure] = []
    for (metric, label, threshold), same in by_name.items():
        values = [figure.value for figure in same if figure.value is not None]
        if len(values) == len(folds) > 1:
            rows = sum(figure.rows for figure in same)
            for name, value in (("mean", fmean(values)), ("sd", stdev(values))):
                deviations.append(
                    Figure(f"{metric}_{name}", value, rows, ALL, None, label, threshold)
                )
    return deviations
