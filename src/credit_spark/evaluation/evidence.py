"""How far the bins of one feature part good loans from bad: weight of evidence, information value.

Loans and bad loans of each bin come in. Weight of evidence is log-odds of bad: above zero, a bin
has more than its share of the bad loans.
Source: Siddiqi, Credit Risk Scorecards, chapter 6, Initial characteristic analysis. There, the sign
of the weight is the other one; the information value is the same.
"""

from collections.abc import Sequence
from math import fsum, log
from typing import NamedTuple

HALF_A_LOAN = 0.5
# What an information value below each bound is called.
STRENGTHS = {0.02: "useless", 0.1: "weak", 0.3: "medium", 0.5: "strong"}
TOO_STRONG = "suspicious: look for a leak"


class Evidence(NamedTuple):
    """A bin: its loans, the bad ones, its weight of evidence, its part of the information value.

    The weight is None where the bin has no loan, or all loans have one outcome.
    """

    loans: int
    bad: int
    weight: float | None
    value: float

    @property
    def bad_rate(self) -> float | None:
        """The share of the bin's loans that is bad."""
        return self.bad / self.loans if self.loans else None


def weight_of_evidence(
    good: float, bad: float, all_good: float, all_bad: float, added: float = HALF_A_LOAN
) -> float:
    """Log-odds of bad of a bin minus those of all loans; 0 where all loans have one outcome.

    ln((bad / all_bad + c) / (good / all_good + c)), where c is `added` loans as a share of the
    rarer outcome: half a bad loan, and as many good ones as there are beside half a bad one. So a
    bin without a bad loan has a finite weight, and a bin with few loans has one near zero.

    >>> [round(weight_of_evidence(good, 0, 9700, 300), 2) for good in (0, 2, 60, 1000)]
    [0.0, -0.12, -1.55, -4.14]
    """
    if not all_good or not all_bad:
        return 0.0
    share = added / min(all_good, all_bad)
    return log((bad / all_bad + share) / (good / all_good + share))


def evidence(
    loans: Sequence[int], bad: Sequence[int], added: float = HALF_A_LOAN
) -> list[Evidence]:
    """The evidence of each bin, from the loans and the bad loans in it.

    value = (b - g) * weight, where b and g are the bin's shares of all bad and all good loans,
    with what the weight adds to each count. Bins with no loan are no part of it.

    >>> [round(each.weight, 3) for each in evidence([100, 100], [20, 80], added=0)]
    [-1.386, 1.386]
    """
    filled = sum(map(bool, loans))
    all_bad = sum(bad)
    all_good = sum(loans) - all_bad
    has_both = bool(all_bad and all_good)
    share = added / min(all_good, all_bad) if has_both else 0.0

    def of_a_bin(own: int, own_bad: int) -> Evidence:
        if not own or not has_both:
            return Evidence(own, own_bad, None, 0.0)
        own_good = own - own_bad
        weight = weight_of_evidence(own_good, own_bad, all_good, all_bad, added)
        apart = (own_bad / all_bad - own_good / all_good) / (1 + filled * share)
        return Evidence(own, own_bad, weight, apart * weight)

    return [of_a_bin(*each) for each in zip(loans, bad, strict=True)]


def information_value(bins: Sequence[Evidence]) -> float:
    """Sum over the bins of (bad share - good share) * weight of evidence; 0 or more."""
    return fsum(each.value for each in bins)


def strength(value: float) -> str:
    """What an information value says of a feature.

    >>> [strength(each) for each in (0.01, 0.02, 0.3, 0.5)]
    ['useless', 'weak', 'strong', 'suspicious: look for a leak']
    """
    return next((word for bound, word in STRENGTHS.items() if value < bound), TOO_STRONG)
