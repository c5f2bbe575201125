"""The scorecard: points that each feature adds, of a model and of one loan.

A loan's points are those of a loan at every feature's mean, and each feature's own on top.
Source: Siddiqi, Credit Risk Scorecards, chapter 6, Scorecard scaling.
"""

from collections.abc import Iterator, Sequence
from math import floor, fsum
from typing import NamedTuple

from credit_spark.config.models import Contract, ScorePlan
from credit_spark.config.tables import MISSING, WIDEST_LOG_ODDS
from credit_spark.features.columns import ABSENT, label_of
from credit_spark.scoring.document import Category, ModelDocument, Number
from credit_spark.scoring.evaluator import Score
from credit_spark.scoring.policy import scale_of

# Parts of a loan's points are shown to a tenth.
PARTS = 10
BOUND = "bound of the score"


class Row(NamedTuple):
    """A line of the scorecard: what a feature's level, or one deviation more of it, adds."""

    feature: str
    level: str
    points: float


def scorecard(document: ModelDocument, plan: ScorePlan) -> Iterator[Row]:
    """Every line, in the contract's order: the base, each number, each text's levels."""
    scale = scale_of(plan)
    base = scale.at_even_odds - scale.a_unit * document.constant
    yield Row("base", "every feature at its mean", base)
    for term in document.terms:
        if isinstance(term, Number):
            more = f"{term.deviation:.4g} more (one deviation; mean {term.mean:.4g})"
            yield Row(term.name, more, -scale.a_unit * term.coefficient)
            yield Row(term.name, MISSING, -scale.a_unit * term.of_missing)
            continue
        for level in term.levels:
            yield Row(term.name, label_of(level.text), -scale.a_unit * (term.unseen + level.slope))
        yield Row(term.name, "any other", -scale.a_unit * term.unseen)


class PointsPart(NamedTuple):
    """What a feature adds to a loan's points, to a tenth of a point."""

    name: str
    value: str
    points: float


def parts(score: Score, document: ModelDocument, plan: ScorePlan) -> list[PointsPart]:
    """The base and each feature's points of a loan, to a tenth: they add up to its points exactly.

    The largest remainders are rounded up (Hamilton's method). Where the log-odds are bounded, what
    that takes away is a part of its own, so that each feature has what it really adds.
    """
    scale = scale_of(plan)
    base = scale.at_even_odds - scale.a_unit * document.constant
    exact = [base, *(-scale.a_unit * each.term for each in score.contributions)]
    values = [("base", ""), *((each.feature, _said(each.value)) for each in score.contributions)]
    if abs(score.log_odds) >= WIDEST_LOG_ODDS:
        exact.append(score.points - fsum(exact))
        values.append((BOUND, ""))
    tenths = apportioned(exact, score.points)
    return [PointsPart(*value, own / PARTS) for value, own in zip(values, tenths, strict=True)]


def apportioned(exact: Sequence[float], whole: int) -> list[int]:
    """Tenths that add up to a whole number, each within one of its exact value where that can be.

    >>> apportioned([0.44, 0.43, 0.13], 1)
    [5, 4, 1]
    """
    tenths = [floor(each * PARTS) for each in exact]
    missing = whole * PARTS - sum(tenths)
    largest_first = sorted(range(len(exact)), key=lambda nth: tenths[nth] - exact[nth] * PARTS)
    every, some = divmod(missing, len(exact))
    for place, nth in enumerate(largest_first):
        tenths[nth] += every + (place < some)
    return tenths


def _said(value: object) -> str:
    if value is None:
        return "missing"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def at_bound(document: ModelDocument, contract: Contract) -> Iterator[str]:
    """Remarks on features whose values have no weight because the data contradicts `expect`."""
    for each in document.features:
        expected = contract.features[each.name].expect
        if expected and (why := _why_flat(each)):
            so = "it has no weight and gives no reason"
            if apart := _weighs_apart(each):
                so = f"only whether it is {apart} has weight, and its value gives no reason"
            yield f"{each.name}: {why} expect: {expected}, so {so}"


def _why_flat(term: Number | Category) -> str:
    """Why a feature that varies adds the same whatever its value; empty: it does not."""
    if isinstance(term, Number):
        return "the data contradicts" if term.deviation > 0 and term.slope == 0 else ""
    slopes = [level.slope for level in term.levels if level.place is not None]
    if len(slopes) == 1:
        return "no two bins differ in risk as by"
    return "the data contradicts" if slopes and len({*slopes}) == 1 else ""


def _weighs_apart(term: Number | Category) -> str:
    """Which values of a flat feature add something else than all others; empty: none."""
    if isinstance(term, Number):
        return "missing" if term.missing and term.missing.slope else ""
    flat = next(level.slope for level in term.levels if level.place is not None)
    apart = [each.text for each in term.levels if each.place is None and each.slope != flat]
    return " or ".join("missing" if each == ABSENT else each for each in apart)
