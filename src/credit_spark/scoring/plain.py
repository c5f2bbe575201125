"""One loan scored in plain Python, with what each feature costs it: the night's score, explained.

The terms are added in the order in which a night adds them: the sum is the same to the last digit.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from credit_spark.contract.evaluation import Function, Loan, evaluated
from credit_spark.contract.logarithms import exp_of
from credit_spark.contract.models import ScorePlan
from credit_spark.contract.tables import DECISIONS, MISSING, REASONS
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS
from credit_spark.scoring.document import Category, ModelDocument, Number
from credit_spark.scoring.scale import scale_of


class Contribution(NamedTuple):
    """A feature's part: its value, its term of the log-odds of bad, the reason where it costs.

    `cost` is the term less that of the contract's reference.
    """

    feature: str
    value: Any
    term: float
    cost: float
    reason: str


class Score(NamedTuple):
    """A loan's score, as in the table `scores`, and its parts in the contract's order."""

    log_odds: float
    pd: float
    points: int
    band: str
    decision: str
    reasons: tuple[str, ...]
    contributions: tuple[Contribution, ...]


class PlainScorer:
    """A model document made ready to score loans one by one."""

    def __init__(self, document: ModelDocument) -> None:
        self._document = document
        self._terms = [
            (term, held, evaluated(term.sql))
            for term, held in zip(document.terms, document.references, strict=True)
        ]
        self._refusals = [(each.reason, evaluated(each.sql)) for each in document.refusals]

    def score(self, loan: Loan) -> Score:
        """The score of one loan, given by the columns of `loans`; a column left out is null."""
        parts = [_contribution(*each, loan) for each in self._terms]
        log_odds = self._document.constant
        for each in parts:
            log_odds += each.term
        log_odds = max(-WIDEST_LOG_ODDS, min(WIDEST_LOG_ODDS, log_odds))
        pd, plan = 1 / (1 + exp_of(-log_odds)), self._document.score
        refused = [reason for reason, holds in self._refusals if holds(loan)]
        return Score(
            log_odds,
            pd,
            scale_of(plan).points(log_odds),
            band_of(pd, plan),
            DECISIONS[-1] if refused else decision_of(pd, plan),
            (*refused, *dearest(parts))[: len(REASONS)],
            tuple(parts),
        )


def dearest(parts: Sequence[Contribution]) -> tuple[str, ...]:
    """What cost most, the dearest first, ties in the contract's order; nothing cost, none given."""
    dearest_first = sorted(parts, key=lambda each: -each.cost)
    return tuple(each.reason for each in dearest_first[: len(REASONS)] if each.cost > 0)


def band_of(pd: float, plan: ScorePlan) -> str:
    """The contract's band of a PD."""
    *lower, (last, _) = plan.bands.items()
    return next((name for name, below in lower if pd < below), last)


def decision_of(pd: float, plan: ScorePlan) -> str:
    """Approve, review or decline."""
    if pd < plan.decisions.approve_below:
        return "approve"
    return "decline" if pd >= plan.decisions.decline_from else "review"


def _contribution(
    term: Number | Category, held: float, function: Function, loan: Mapping[str, Any]
) -> Contribution:
    value = function(loan)
    if isinstance(term, Number):
        value = value if value is not None and isfinite(value) else None
        known = term.imputed if value is None else value
        found = (known - term.mean) * term.slope
        return Contribution(term.name, value, found, found - held, term.reason)
    text = MISSING if value is None else str(value)
    slope = next((each.slope for each in term.levels if each.text == text), 0.0)
    found = term.unseen + slope
    return Contribution(term.name, text, found, found - held, term.reason)
