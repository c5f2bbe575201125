"""How well scores rank: formulas over cells, from the least risk up, and every metric by its name.

Each takes cells one a score (see cells.by_risk), looks only at known outcomes, and gives None
where it is undefined.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from credit_spark.evaluation import calibration
from credit_spark.evaluation.calibration import Metric
from credit_spark.evaluation.cells import Cell, cumulative_shares


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
    shares = cumulative_shares(cells)
    if not shares:
        return None
    gaps = [abs(bad - good) for good, bad in shares]
    return cells[::-1][gaps.index(max(gaps))].pd


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


METRICS: Mapping[str, Metric] = MappingProxyType(
    {**{metric.__name__: metric for metric in (ks, ks_threshold, auc, gini)}, **calibration.METRICS}
)
