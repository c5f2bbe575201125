"""How well scores rank and how true PDs are: formulas over cells, from the least risk up.

Each takes cells one a score (see cells.by_risk), looks only at known outcomes, and gives None
where it is undefined.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log
from typing import NamedTuple

import numpy as np

from credit_spark.evaluation.cells import Cell, cumulative_shares

Metric = Callable[[Sequence[Cell]], float | None]
TENTHS = 10
NEWTON_STEPS = 50
NEGLIGIBLE = 1e-10


def ks(cells: Sequence[Cell]) -> float | None:
    """Kolmogorov-Smirnov: the widest gap between cumulative shares of bad and good, 0 to 1.

    Source: the two-sample Kolmogorov-Smirnov statistic.

    >>> ks([Cell(-1, 0, 3, 1, 0), Cell(1, 0, 1, 3, 0)])
    0.5
    >>> ks([Cell(0, 0, 50, 50, 0)])
    0.0
    """
    return max((abs(bad - good) for good, bad in cumulative_shares(cells)), default=None)


def ks_threshold(cells: Sequence[Cell]) -> float | None:
    """The PD from which a loan is called bad where KS is reached; the highest of several."""
    gaps = [abs(bad - good) for good, bad in cumulative_shares(cells)]
    return cells[::-1][gaps.index(max(gaps))].pd if gaps else None


def auc(cells: Sequence[Cell]) -> float | None:
    """Area under the ROC curve: a bad loan's chance of the higher risk, a tie counts a half.

    Source: the Mann-Whitney statistic.
    """
    shares = cumulative_shares(cells)
    steps = pairwise([(0.0, 0.0), *shares])
    area = sum((g1 - g0) * (b1 + b0) / 2 for (g0, b0), (g1, b1) in steps)
    return area if shares else None


def gini(cells: Sequence[Cell]) -> float | None:
    """Gini coefficient: 2 AUC - 1, from -1 to 1."""
    area = auc(cells)
    return None if area is None else 2 * area - 1


def brier(cells: Sequence[Cell]) -> float | None:
    """Mean squared distance of PD and outcome (1 bad, 0 good), 0 to 1."""
    return _mean(cells, lambda each: each.bad * (1 - each.pd) ** 2 + each.good * each.pd**2)


def log_loss(cells: Sequence[Cell]) -> float | None:
    """Mean negative logarithm of the probability given to what came true."""
    return _mean(cells, lambda each: -each.bad * log(each.pd) - each.good * log(1 - each.pd))


def mean_pd(cells: Sequence[Cell]) -> float | None:
    """Mean PD of the loans with a known outcome."""
    return _mean(cells, lambda each: each.known * each.pd)


def observed_rate(cells: Sequence[Cell]) -> float | None:
    """Share of bad among the known outcomes."""
    return _mean(cells, lambda each: each.bad)


def mean_pd_over_observed(cells: Sequence[Cell]) -> float | None:
    """Mean PD over the observed rate: 1 where the book as a whole is calibrated."""
    expected, seen = mean_pd(cells), observed_rate(cells)
    return expected / seen if expected is not None and seen else None


def calibration_slope(cells: Sequence[Cell]) -> float | None:
    """Slope b of logit P(bad) = a + b * log-odds: 1 where PDs spread as outcomes do.

    Source: Cox (1958), Two further applications of a model for binary regression.
    """
    line = cox(cells)
    return line and line.slope


def calibration_slope_error(cells: Sequence[Cell]) -> float | None:
    """Standard error of that slope."""
    line = cox(cells)
    return line and line.slope_error


def calibration_intercept(cells: Sequence[Cell]) -> float | None:
    """Intercept a of the same fit: 0, beside a slope of 1, where PDs are true."""
    line = cox(cells)
    return line and line.intercept


def ece(cells: Sequence[Cell]) -> float | None:
    """Expected calibration error: mean distance of mean PD and observed rate, over tenths."""
    each = tenths(cells)
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


def tenths(cells: Sequence[Cell]) -> list[Tenth]:
    """Loans with a known outcome in tenths, from the least risk up; empty ones are left out.

    A cell belongs whole to the tenth that its middle loan falls into.
    """
    total = sum(each.known for each in cells)
    found: dict[int, Tenth] = {}
    passed = 0
    for each in cells:
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


def cox(cells: Sequence[Cell]) -> Line | None:
    """The logistic regression of the outcome on log-odds, by Newton; None: no line fits best.

    Source: Cox (1958), Two further applications of a model for binary regression.
    """
    if not cumulative_shares(cells) or len(cells) < 2:
        return None
    design = np.array([(1.0, each.log_odds) for each in cells])
    known = np.array([each.known for each in cells], dtype=float)
    bad = np.array([each.bad for each in cells], dtype=float)

    def loss(line: np.ndarray) -> float:
        log_odds = design @ line
        return float((known * np.logaddexp(0, log_odds) - bad * log_odds).sum())

    # From the model that tells nobody apart.
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


def _mean(cells: Sequence[Cell], amount: Callable[[Cell], float]) -> float | None:
    known = sum(each.known for each in cells)
    return sum(map(amount, cells)) / known if known else None
