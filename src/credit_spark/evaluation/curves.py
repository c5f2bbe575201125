"""Curves of how well scores rank, and intervals of rates: what charts are drawn from."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from credit_spark.evaluation.cells import Cell, cumulative_shares

# As many as an eye can tell apart.
POINTS = 200
SURE = 1.96


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
    known = sum(each.known for each in cells)
    found, count = [Passed(1.0, 0.0, 0.0, 0.0)], 0
    for cell, (good, bad) in zip(reversed(cells), shares, strict=False):
        count += cell.known
        found.append(Passed(cell.pd, count / known, good, bad))
    if not shares:
        return []
    step = max(1, -(-len(found) // POINTS))
    return [*found[:-1:step], found[-1]]


def bad_among(steps: Sequence[Passed], loans: float) -> float:
    """The share of the bad among the riskiest share of loans; within a tie, evenly."""
    upper = next(nth for nth, each in enumerate(steps) if each.loans >= loans)
    if not upper:
        return steps[0].bad
    low, high = steps[upper - 1], steps[upper]
    return low.bad + (high.bad - low.bad) * (loans - low.loans) / (high.loans - low.loans)


def interval(bad: int, known: int) -> tuple[float, float]:
    """The interval in which a rate lies with 95% confidence. Source: Wilson, 1927.

    >>> [round(each, 3) for each in interval(0, 10)]
    [0.0, 0.278]
    """
    rate, square = bad / known, SURE**2
    middle = (rate + square / (2 * known)) / (1 + square / known)
    half = SURE / (1 + square / known) * sqrt(rate * (1 - rate) / known + square / 4 / known**2)
    # Of none or of all, an end is the rate itself, but for the last digit.
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))
