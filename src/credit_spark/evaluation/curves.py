"""Curves of how well scores rank, and intervals of rates: what charts are drawn from."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from credit_spark.evaluation.cells import Cell, cumulative_shares

# As many as an eye can tell apart.
POINTS = 200


class Passed(NamedTuple):
    """Of the riskiest loans, down to a PD: shares of all, of the good, of the bad."""

    pd: float
    loans: float
    good: float
    bad: float


def passed(cells: Sequence[Cell]) -> list[Passed]:
    """The riskiest loans with a known outcome, more of them step by step: POINTS steps at most.

    Empty where there is no good or no bad.
    """
    shares = cumulative_shares(cells)
    if not shares:
        return []
    riskiest_first = cells[::-1]
    counts = list(accumulate(each.known for each in riskiest_first))
    found = [Passed(1.0, 0.0, 0.0, 0.0)]
    for cell, count, (good, bad) in zip(riskiest_first, counts, shares, strict=True):
        found.append(Passed(cell.pd, count / counts[-1], good, bad))
    step = max(1, -(-len(found) // POINTS))
    return [*found[:-1:step], found[-1]]


def bad_among(steps: Sequence[Passed], loans: float) -> float:
    """The share of the bad among the riskiest share of loans; within a tie, evenly."""
    return float(np.interp(loans, [each.loans for each in steps], [each.bad for each in steps]))


def interval(bad: int, known: int) -> tuple[float, float]:
    """The interval in which a rate lies with 95% confidence. Source: Wilson, 1927.

    >>> [round(each, 3) for each in interval(0, 10)]
    [0.0, 0.278]
    """
    from scipy.stats import binomtest  # takes half a second, and few commands draw

    low, high = binomtest(bad, known).proportion_ci(method="wilson")
    return float(low), float(high)
