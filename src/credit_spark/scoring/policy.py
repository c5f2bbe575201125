"""The lender's policy: what a contract decides about a score, apart from the model.

Bands, cut-offs, hard rules, the points scale and reason texts act on the next run, with no
training. A policy is kept with each run, and its hash with each score. The points scale:

points_at + points_to_double_odds / ln 2 * (ln odds of good - ln odds_at), rounded half up
Source: Siddiqi, Credit Risk Scorecards, chapter 6, Scorecard scaling.
"""

import hashlib
from math import exp, floor, log
from typing import NamedTuple, Self

from credit_spark.config.expressions import condition
from credit_spark.config.models import Contract, Feature, FrozenModel, Loss, ScorePlan
from credit_spark.config.tables import WIDEST_LOG_ODDS


class Refusal(FrozenModel):
    """A hard rule: loans for which its SQL holds are declined, for its reason."""

    name: str
    sql: str
    reason: str


class Reasons(FrozenModel):
    """The texts of a feature that costs points: each is stated only where it is true.

    `above` and `below` are of a value on that side of the reference, `either` of any value, and
    `missing` of a missing one. None: nothing is stated.
    """

    above: str | None = None
    below: str | None = None
    either: str | None = None
    missing: str | None = None


class Policy(FrozenModel):
    """Bands, cut-offs, scale, hard rules, reason texts by feature, and the loss of a bad loan."""

    score: ScorePlan
    refusals: tuple[Refusal, ...] = ()
    reasons: dict[str, Reasons]
    loss: Loss | None = None

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that are the same for the same policy and no other."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()[:12]

    def as_json(self) -> str:
        """The policy as stored."""
        return self.model_dump_json(by_alias=True)

    @property
    def without_loss(self) -> Self:
        """The same policy where no exposure is known."""
        return self.model_copy(update={"loss": None})

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """The policy that a contract states, with compiled rules."""
        return cls(
            score=contract.score,
            refusals=tuple(
                Refusal(name=name, sql=condition(rule.sql, contract.kinds).sql, reason=rule.reason)
                for name, rule in contract.decline_if.items()
            ),
            reasons={name: reasons_of(each) for name, each in contract.features.items()},
            loss=contract.loss,
        )


def reasons_of(feature: Feature) -> Reasons:
    """The texts of a feature by the side of the reference that they are stated on."""
    sides = {"increases_risk": "above", "lowers_risk": "below", None: "either"}
    given = {
        "above": feature.reason_high,
        "below": feature.reason_low,
        "missing": feature.reason_missing,
    }
    return Reasons(**(given | {sides[feature.expect]: feature.reason}))


class Scale(NamedTuple):
    """Points at even odds, and how many points a unit of the log-odds of bad costs."""

    at_even_odds: float
    a_unit: float

    def points(self, log_odds: float) -> int:
        """Whole points of log-odds of bad."""
        return floor(self.at_even_odds - self.a_unit * log_odds + 0.5)

    def points_of_pd(self, pd: float) -> int:
        """Whole points of a PD; of one that no loan has, those of the riskiest that one has."""
        bounded = min(pd, 1 / (1 + exp(-WIDEST_LOG_ODDS)))
        return self.points(log(bounded / (1 - bounded)))


def band_of(pd: float, plan: ScorePlan) -> str:
    """The contract's band of a PD."""
    *lower, (last, _) = plan.bands.items()
    return next((name for name, below in lower if pd < below), last)


def scale_of(plan: ScorePlan) -> Scale:
    """The scale of a contract."""
    return Scale(plan.points_at_even_odds, plan.points_a_unit)
