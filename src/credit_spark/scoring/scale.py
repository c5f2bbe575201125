"""The points scale: log-odds of bad to points, for a loan, a score bin, or a column of loans.

points_at + points_to_double_odds / ln 2 * (ln odds of good - ln odds_at), rounded half up
Source: Siddiqi, Credit Risk Scorecards, chapter 6, Scorecard scaling.
"""

from math import exp, floor, log
from typing import NamedTuple

from credit_spark.config.models import ScorePlan
from credit_spark.evaluation.score_bins import WIDEST_LOG_ODDS


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
    """The scale that a contract asks for."""
    a_unit = plan.points_to_double_odds / log(2)
    return Scale(plan.points_at - a_unit * log(plan.odds_at), a_unit)
