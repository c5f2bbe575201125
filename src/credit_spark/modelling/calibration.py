"""Probabilities that come true: a line through the log-odds, fitted on held-out loans alone.

The shift that a treatment makes is known and taken off first (imbalance.offset). What is left,
such as a model that spreads its scores too wide, shows on loans that a fit has not seen.
Source: Platt (1999), Probabilistic Outputs for Support Vector Machines; the line is Cox's.
"""

from collections.abc import Iterable

from credit_spark.contract.models import ScorePlan
from credit_spark.evaluation.calibration import cox
from credit_spark.evaluation.cells import PER_LOG_ODDS, WIDEST_LOG_ODDS, Cell, Folds, by_risk
from credit_spark.scoring.document import Recalibration
from credit_spark.scoring.scale import scale_of

# Chi-squared with two degrees of freedom, 95%: Wald's test.
BEYOND_CHANCE = 5.99


def recalibration(held_out: Iterable[Cell]) -> Recalibration:
    """The line that fits held-out loans best.

    None where chance alone makes such a line, as it does on a few loans, or where it would turn
    the ranking round.
    """
    line = cox(by_risk(held_out))
    if line is None or line.slope <= 0 or line.distance < BEYOND_CHANCE:
        return Recalibration()
    return Recalibration(intercept=line.intercept, slope=line.slope)


def cross_fitted(folds: Folds, plan: ScorePlan) -> dict[int | None, list[Cell]]:
    """The cells of each fold, recalibrated by a line that was fitted on the others."""
    found: dict[int | None, list[Cell]] = {}
    for fold, cells in folds.items():
        others = (cell for other in folds if other != fold for cell in folds[other])
        found[fold] = recalibrated(cells, recalibration(others), plan)
    return found


def recalibrated(cells: Iterable[Cell], line: Recalibration, plan: ScorePlan) -> list[Cell]:
    """Cells where a line takes them, with the points that they have there."""
    scale = scale_of(plan)
    moved = []
    for each in cells:
        log_odds = line.intercept + line.slope * each.log_odds
        bounded = max(-WIDEST_LOG_ODDS, min(WIDEST_LOG_ODDS, log_odds))
        there = each._replace(cell=round(bounded * PER_LOG_ODDS))
        moved.append(there._replace(points=scale.points(there.log_odds)))
    return by_risk(moved)
