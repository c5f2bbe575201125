"""Curves of how well scores rank, intervals of rates, and what another cut-off would do."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from credit_spark.evaluation.score_bins import ScoreBin, by_risk, cumulative_shares

# As many as an eye can tell apart.
POINTS = 200
STEPS = 20


class CumulativeShares(NamedTuple):
    """Of the riskiest loans: shares of all, of the good, of the bad."""

    loans: float
    good: float
    bad: float


def passed(score_bins: Sequence[ScoreBin]) -> list[CumulativeShares]:
    """The riskiest loans with a known outcome, more of them step by step: POINTS steps at most.

    Empty where there is no good or no bad.
    """
    shares = cumulative_shares(score_bins)
    if not shares:
        return []
    counts = list(accumulate(each.known for each in score_bins[::-1]))
    both = zip(counts, shares, strict=True)
    found = [
        CumulativeShares(0.0, 0.0, 0.0),
        *[CumulativeShares(count / counts[-1], *own) for count, own in both],
    ]
    step = max(1, -(-len(found) // POINTS))
    return [*found[:-1:step], found[-1]]


def bad_among(steps: Sequence[CumulativeShares], loans: float) -> float:
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


class Cutoff(NamedTuple):
    """Loans approved below a PD: how many, their share, expected and observed rates of bad.

    `observed_rate` is None where no outcome is known, `expected_loss` where losses are not; it is
    a sum, in the book's currency.
    """

    approve_below: float
    approved: int
    share: float
    expected_rate: float | None
    observed_rate: float | None
    expected_loss: float | None


def cutoff(
    score_bins: Iterable[ScoreBin], approve_below: float, losses: Mapping[int, float] | None = None
) -> Cutoff:
    """What a cut-off does to loans that are counted by score.

    `losses` are expected ones, by score bin, where they are known.
    A score bin is approved where its own PD lies below; those of single loans differ from it by a
    thousandth of the log-odds at most.
    """
    ordered = by_risk(score_bins)
    approved = [each for each in ordered if each.pd < approve_below]
    loans, everyone = sum(each.loans for each in approved), sum(each.loans for each in ordered)
    known = sum(each.known for each in approved)
    return Cutoff(
        approve_below,
        loans,
        loans / everyone if everyone else 0.0,
        sum(each.loans * each.pd for each in approved) / loans if loans else None,
        sum(each.bad for each in approved) / known if known else None,
        None if losses is None else sum(losses.get(each.score_bin, 0.0) for each in approved),
    )


def curve(
    score_bins: Sequence[ScoreBin], losses: Mapping[int, float] | None = None
) -> list[Cutoff]:
    """Cut-offs that approve a twentieth more of the loans each, to all but the riskiest."""
    ordered = by_risk(score_bins)
    everyone = sum(each.loans for each in ordered)
    found: list[Cutoff] = []
    passed, step = 0, 1
    for each in ordered:
        if passed * STEPS >= everyone * step:
            found.append(cutoff(ordered, each.pd, losses))
            # Many loans of one score are several steps at once.
            step = passed * STEPS // everyone + 1
        passed += each.loans
    return found
