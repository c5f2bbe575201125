"""A model document compiled to one additive expression: loans to scores.

The log-odds of bad are a sum of one term a feature, each zero at the portfolio's mean. Points
are a linear scale of the log-odds; what a feature costs in points is its term on that scale.
"""

from collections.abc import Sequence
from math import log

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import ScorePlan
from credit_spark.contract.tables import REASONS
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS
from credit_spark.modelling.document import Category, ModelDocument, Number
from credit_spark.modelling.features import column_of, featured

# Of a packed cost: its place takes the lower bits, and the cost, in log-odds, those above them.
PLACE_BITS, COST_BITS, DEAREST = 12, 40, 1000.0


def scored(loans: DataFrame, document: ModelDocument, *beside: str) -> DataFrame:
    """Each loan's score: `log_odds`, `pd`, `points`, `band`, `decision`, four reasons.

    `beside` names columns of `loans` that are kept.
    """
    kept = {name: F.col(name) for name in beside}
    features = featured(loans, [each.definition for each in document.features], kept)
    terms = features.select(*beside, *[_term(each).alias(each.name) for each in _renamed(document)])
    names = [each.name for each in _renamed(document)]
    constant = F.lit(document.intercept - document.offset)
    summed = terms.select(
        *beside,
        _bounded(sum((F.col(name) for name in names), constant)).alias("log_odds"),
        F.sort_array(F.array(*[_packed(nth, F.col(name)) for nth, name in enumerate(names)])).alias(
            "costs"
        ),
    )
    judged = summed.select(*beside, "log_odds", _pd().alias("pd"), "costs")
    reasons = [_reason(document, nth).alias(name) for nth, name in enumerate(REASONS)]
    return judged.select(
        *beside,
        "log_odds",
        "pd",
        points(document.score).alias("points"),
        _band(document.score).alias("band"),
        _decision(document.score).alias("decision"),
        *reasons,
        F.lit(document.version).alias("model_version"),
    )


def points(plan: ScorePlan) -> Column:
    """Points of `log_odds` of bad, rounded half up to whole ones.

    points_at + points_to_double_odds / ln 2 * (ln odds of good - ln odds_at)
    Source: Siddiqi, Credit Risk Scorecards, chapter 6, Scorecard scaling.
    """
    factor = plan.points_to_double_odds / log(2)
    exact = F.lit(plan.points_at - factor * log(plan.odds_at)) - F.lit(factor) * F.col("log_odds")
    return F.floor(exact + 0.5).cast("int")


def _bounded(log_odds: Column) -> Column:
    return F.greatest(F.least(log_odds, F.lit(WIDEST_LOG_ODDS)), F.lit(-WIDEST_LOG_ODDS))


def _renamed(document: ModelDocument) -> list[Number | Category]:
    """The terms under names that no loan's column has."""
    return [each.model_copy(update={"name": f"term_{each.name}"}) for each in document.features]


def _term(feature: Number | Category) -> Column:
    value = F.col(column_of(feature.name.removeprefix("term_")))
    if isinstance(feature, Number):
        known = F.coalesce(value, F.lit(feature.imputed))
        return (known - F.lit(feature.mean)) * F.lit(feature.slope)
    cases = [(value == level.text, F.lit(feature.unseen + level.slope)) for level in feature.levels]
    return _chosen(cases, F.lit(feature.unseen))


def _chosen(cases: Sequence[tuple[Column, Column]], otherwise: Column) -> Column:
    """The value of the first case that holds."""
    if not cases:
        return otherwise
    (holds, value), *others = cases
    chain = F.when(holds, value)
    for holds, value in others:
        chain = chain.when(holds, value)
    return chain.otherwise(otherwise)


def _packed(nth: int, cost: Column) -> Column:
    """A cost and its place as one integer: the dearer, then the earlier, the smaller it is.

    Whole numbers are sorted in a loop of Java's own, structs one comparison at a time. Costs are
    told apart to 2**-COST_BITS of log-odds, less than what their sums are rounded to.
    """
    bounded = F.greatest(F.least(cost, F.lit(DEAREST)), F.lit(-DEAREST))
    units = (bounded * F.lit(-(2.0**COST_BITS))).cast("bigint")
    return F.shiftleft(units, PLACE_BITS) + F.lit(nth)


def _reason(document: ModelDocument, nth: int) -> Column:
    """The nth dearest reason, null where it costs nothing."""
    texts = F.array(*[F.lit(each.reason) for each in document.features])
    packed = F.get("costs", F.lit(nth))
    place = packed.bitwiseAND(2**PLACE_BITS - 1).cast("int")
    return F.when(packed < 0, F.get(texts, place))


def _pd() -> Column:
    return F.lit(1.0) / (F.lit(1.0) + F.exp(-F.col("log_odds")))


def _band(plan: ScorePlan) -> Column:
    *lower, (last, _) = plan.bands.items()
    cases = [(F.col("pd") < below, F.lit(name)) for name, below in lower]
    return _chosen(cases, F.lit(last))


def _decision(plan: ScorePlan) -> Column:
    is_approved = F.col("pd") < plan.decisions.approve_below
    is_declined = F.col("pd") >= plan.decisions.decline_from
    return F.when(is_approved, "approve").when(is_declined, "decline").otherwise("review")
