"""Gains, intervals and cut-offs by hand, on three score bins."""

from math import exp, sqrt
from statistics import NormalDist

import pytest

from credit_spark.evaluation.curves import (
    POINTS,
    CumulativeShares,
    Cutoff,
    bad_among,
    curve,
    cutoff,
    interval,
    passed,
)
from credit_spark.evaluation.score_bins import ScoreBin

# 75 good, 25 bad, 10 open; from the least risk up.
BINS = [ScoreBin(-2000, 0, 40, 0, 10), ScoreBin(0, 0, 30, 10, 0), ScoreBin(2000, 0, 5, 15, 0)]
LOW = 1 / (1 + exp(2))


def test_the_riskiest_loans_are_passed_first() -> None:
    assert passed(BINS) == [
        CumulativeShares(0, 0, 0), CumulativeShares(0.2, 5 / 75, 15 / 25), CumulativeShares(0.6, 35 / 75, 1), CumulativeShares(1, 1, 1),
    ]  # fmt: skip


def test_without_good_or_bad_loans_nothing_is_passed() -> None:
    assert passed([ScoreBin(0, 0, 5, 0, 3)]) == passed([]) == []


def test_of_many_bins_few_steps_are_kept_and_both_ends() -> None:
    steps = passed([ScoreBin(nth, 0, 1, 1, 0) for nth in range(1000)])

    assert POINTS - 40 < len(steps) <= POINTS + 1
    assert (steps[0], steps[-1]) == (CumulativeShares(0, 0, 0), CumulativeShares(1, 1, 1))
    assert all(each.loans == pytest.approx(each.bad) for each in steps)


@pytest.mark.parametrize(("loans", "bad"), [(0.1, 0.3), (0.2, 0.6), (0.4, 0.8), (0.8, 1)])
def test_within_a_tie_bad_loans_are_spread_evenly(loans, bad) -> None:
    assert bad_among(passed(BINS), loans) == pytest.approx(bad)


def test_an_interval_is_wilsons() -> None:
    z, rate, known = NormalDist().inv_cdf(0.975), 0.1, 100
    centre = (rate + z * z / (2 * known)) / (1 + z * z / known)
    half = z / (1 + z * z / known) * sqrt(rate * (1 - rate) / known + z * z / (4 * known**2))

    assert interval(10, 100) == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_a_cutoff_approves_below_its_pd() -> None:
    losses = {-2000: 7.0, 0: 3.0}

    assert cutoff(BINS, 0.5) == Cutoff(0.5, 50, 50 / 110, pytest.approx(LOW), 0.0, None)
    assert cutoff(BINS, 0.6, losses) == Cutoff(
        0.6, 90, 90 / 110, pytest.approx((50 * LOW + 40 * 0.5) / 90), 10 / 80, 10.0
    )
    assert cutoff(BINS, 0.5, losses).expected_loss == 7.0


def test_a_cutoff_of_nothing_has_no_rates() -> None:
    assert cutoff([], 0.5) == Cutoff(0.5, 0, 0.0, None, None, None)
    assert cutoff(BINS, 0.01, {}) == Cutoff(0.01, 0, 0.0, None, None, 0)
    assert cutoff([ScoreBin(-2000, 0, 0, 0, 4)], 0.5).observed_rate is None


def test_a_curve_approves_a_twentieth_more_each_time() -> None:
    twenty, forty = ([ScoreBin(nth, 0, 1, 0, 0) for nth in range(size)] for size in (20, 40))

    assert [each.approved for each in curve(twenty)] == [*range(1, 20)]
    assert [each.approved for each in curve(forty)] == [*range(2, 40, 2)]
    assert [(each.approve_below, each.approved) for each in curve(BINS)] == [
        (pytest.approx(0.5), 50), (pytest.approx(1 - LOW), 90),
    ]  # fmt: skip
    assert [each.expected_loss for each in curve(BINS, {0: 1.0})] == [0, 1]


def test_many_loans_of_one_score_are_several_steps_of_a_curve_at_once() -> None:
    """Half of 2,000 loans share a score, every other one has its own."""
    tied = [ScoreBin(0, 0, 1000, 0, 0), *(ScoreBin(nth, 0, 1, 0, 0) for nth in range(1, 1001))]

    assert [each.approved for each in curve(tied)] == [*range(1000, 2000, 100)]
