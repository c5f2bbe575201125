"""How well scores rank and how true PDs are: formulas over score bins, from the least risk up.

Each takes score bins, one a score (score_bins.by_risk), looks at known outcomes, and gives None
where it is undefined.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log
from typing import NamedTuple

import numpy as np

from credit_spark.evaluation.score_bins import ScoreBin, cumulative_shares

Metric = Callable[[Sequence[ScoreBin]], float | None]
TENTHS = 10
NEWTON_STEPS = 50
NEGLIGIBLE = 1e-10


def ks(score_bins: Sequence[ScoreBin]) -> float | None:
    """Kolmogorov-Smirnov: the widest gap between cumulative shares of bad and good, 0 to 1.

    Source: the two-sample Kolmogorov-Smirnov statistic.

    >>> ks([ScoreBin(-1, 0, 3, 1, 0), ScoreBin(1, 0, 1, 3, 0)])
    0.5
    >>> ks([ScoreBin(0, 0, 50, 50, 0)])
    0.0
    """
    return max((abs(bad - good) for good, bad in cumulative_shares(score_bins)), default=None)


def ks_threshold(score_bins: Sequence[ScoreBin]) -> float | None:
    """The PD from which a loan is called bad where KS is reached; the highest of several."""
    gaps = [abs(bad - good) for good, bad in cumulative_shares(score_bins)]
    return score_bins[::-1][gaps.index(max(gaps))].pd if gaps else None


def auc(score_bins: Sequence[ScoreBin]) -> float | None:
    """Area under the ROC curve: a bad loan's chance of the higher risk, a tie counts a half.

    Source: the Mann-Whitney statistic.
    """
    shares = cumulative_shares(score_bins)
    steps = pairwise([(0.0, 0.0), *shares])
    area = sum((g1 - g0) * (b1 + b0) / 2 for (g0, b0), (g1, b1) in steps)
    return area if shares else None


def gini(score_bins: Sequence[ScoreBin]) -> float | None:
    """Gini coefficient: 2 AUC - 1, from -1 to 1."""
    area = auc(score_bins)
    return None if area is None else 2 * area - 1


def brier(score_bins: Sequence[ScoreBin]) -> float | None:
    """Mean squared distance of PD and outcome (1 bad, 0 good), 0 to 1."""
    return _mean(score_bins, lambda each: each.bad * (1 - each.pd) ** 2 + each.good * each.pd**2)


def log_loss(score_bins: Sequence[ScoreBin]) -> float | None:
    """Mean negative log-likelihood of the observed outcomes (cross-entropy)."""
    return _mean(score_bins, lambda each: -each.bad * log(each.pd) - each.good * log(1 - each.pd))


def mean_pd(score_bins: Sequence[ScoreBin]) -> float | None:
    """Mean PD of the loans with a known outcome."""
    return _mean(score_bins, lambda each: each.known * each.pd)


def observed_rate(score_bins: Sequence[ScoreBin]) -> float | None:
    """Share of bad among the known outcomes."""
    return _mean(score_bins, lambda each: each.bad)


def mean_pd_over_observed(score_bins: Sequence[ScoreBin]) -> float | None:
    """Mean PD over the observed rate: 1 where the book as a whole is calibrated."""
    expected, seen = mean_pd(score_bins), observed_rate(score_bins)
    return expected / seen if expected is not None and seen else None


def calibration_slope(score_bins: Sequence[ScoreBin]) -> float | None:
    """Slope b of logit P(bad) = a + b * log-odds: 1 where PDs spread as outcomes do.

    Source: Cox (1958), Two further applications of a model for binary regression.
    """
    line = cox(score_bins)
    return line and line.slope


def calibration_slope_error(score_bins: Sequence[ScoreBin]) -> float | None:
    """Standard error of that slope."""
    line = cox(score_bins)
    return line and line.slope_error


def calibration_intercept(score_bins: Sequence[ScoreBin]) -> float | None:
    """Intercept a of the same fit: 0, beside a slope of 1, where PDs are true."""
    line = cox(score_bins)
    return line and line.intercept


def ece(score_bins: Sequence[ScoreBin]) -> float | None:
    """Expected calibration error: mean distance of mean PD and observed rate, over tenths."""
    each = tenths(score_bins)
    known = sum(tenth.known for tenth in each)
    return sum(abs(tenth.expected - tenth.bad) for tenth in each) / known if known else None


CALIBRATION: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        brier, log_loss, mean_pd, observed_rate, mean_pd_over_observed, calibration_slope,
        calibration_slope_error, calibration_intercept, ece,
    )
}  # fmt: skip
RANKING: dict[str, Metric] = {each.__name__: each for each in (ks, ks_threshold, auc, gini)}
METRICS = RANKING | CALIBRATION


class Tenth(NamedTuple):
    """A tenth of the loans by risk: how many have a known outcome, are bad, were expected bad."""

    nth: int
    known: int
    bad: int
    expected: float


def tenths(score_bins: Sequence[ScoreBin]) -> list[Tenth]:
    """Loans with a known outcome in tenths, from the least risk up; empty ones are left out.

    A score bin belongs whole to the tenth that its middle loan falls into.
    """
    total = sum(each.known for each in score_bins)
    found: dict[int, Tenth] = {}
    passed = 0
    for each in score_bins:
        if each.known:
            nth = 1 + min(int((passed + each.known / 2) / total * TENTHS), TENTHS - 1)
            _, known, bad, pds = found.get(nth, Tenth(nth, 0, 0, 0))
            found[nth] = Tenth(nth, known + each.known, bad + each.bad, pds + each.known * each.pd)
        passed += each.known
    return list(found.values())


class Line(NamedTuple):
    """logit P(bad) = intercept + slope * log-odds, as it was fitted.

    `distance` is Wald's statistic of the line against intercept 0 and slope 1: chi-squared with
    two degrees of freedom where PDs are true.
    """

    intercept: float
    slope: float
    slope_error: float
    distance: float


def cox(score_bins: Sequence[ScoreBin]) -> Line | None:
    """The logistic regression of the outcome on log-odds, by Newton; None: no line fits best.

    Source: Cox (1958), Two further applications of a model for binary regression.
    """
    if not cumulative_shares(score_bins) or len(score_bins) < 2:
        return None
    design = np.array([(1.0, each.log_odds) for each in score_bins])
    known = np.array([each.known for each in score_bins], dtype=float)
    bad = np.array([each.bad for each in score_bins], dtype=float)

    def loss(line: np.ndarray) -> float:
        log_odds = design @ line
        return float((known * np.logaddexp(0, log_odds) - bad * log_odds).sum())

    # From the model that separates no loans.
    line = np.array([log(bad.sum() / (known - bad).sum()), 0.0])
    for _ in range(NEWTON_STEPS):
        chance = np.exp(-np.logaddexp(0, -(design @ line)))
        curve = (design.T * (known * chance * (1 - chance))) @ design
        if not np.isfinite(curve).all() or np.linalg.cond(curve) > 1 / np.finfo(float).eps:
            return None  # bad and good do not overlap: no finite slope fits best
        step = np.linalg.solve(curve, design.T @ (bad - known * chance))
        # Scores that lie far apart let a whole step overshoot.
        while np.abs(step).max() >= NEGLIGIBLE and loss(line + step) > loss(line):
            step = step / 2
        line = line + step
        if np.abs(step).max() < NEGLIGIBLE:
            beside = line - np.array([0.0, 1.0])
            error = np.sqrt(np.linalg.inv(curve)[1, 1])
            return Line(*map(float, (*line, error, beside @ curve @ beside)))
    return None


def _mean(score_bins: Sequence[ScoreBin], amount: Callable[[ScoreBin], float]) -> float | None:
    known = sum(each.known for each in score_bins)
    return sum(map(amount, score_bins)) / known if known else None
