"""A model document compiled to one additive expression: loans to scores.

The log-odds of bad are a sum of one term a feature, each zero at the portfolio's mean. Points
are a linear scale of the log-odds; what a feature costs in points is its term on that scale.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import ScorePlan
from credit_spark.contract.tables import DECISIONS, REASONS
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS
from credit_spark.modelling.document import Category, ModelDocument, Number
from credit_spark.modelling.features import column_of, featured
from credit_spark.modelling.refusals import refused
from credit_spark.modelling.scale import scale_of

REFUSED = "refused_for"


def scored(loans: DataFrame, document: ModelDocument, *beside: str) -> DataFrame:
    """Each loan's score: `log_odds`, `pd`, `points`, `band`, `decision`, four reasons.

    `beside` names columns of `loans` that are kept.
    """
    kept = {name: F.col(name) for name in beside}
    rules = document.refusals
    if rules:
        kept[REFUSED] = refused(rules)
        beside = (*beside, REFUSED)
    features = featured(loans, [each.definition for each in document.features], kept)
    terms = features.select(*beside, *[_term(each).alias(each.name) for each in _renamed(document)])
    names = [each.name for each in _renamed(document)]
    constant = F.lit(document.constant)
    summed = terms.select(
        *beside,
        bounded(sum((F.col(name) for name in names), constant)).alias("log_odds"),
        F.array(*names).alias("costs"),
    )
    judged = summed.select(*beside, "log_odds", _pd().alias("pd"), "costs")
    decision, reasons = _decision(document.score), [F.col(name) for name in REASONS]
    if rules:
        decision = F.when(F.size(REFUSED) > 0, F.lit(DECISIONS[-1])).otherwise(decision)
        reasons = _after_refusals()
    return _reasoned(judged, document).select(
        *[name for name in beside if name != REFUSED],
        "log_odds",
        "pd",
        points(document.score).alias("points"),
        _band(document.score).alias("band"),
        decision.alias("decision"),
        *reasons,
        F.lit(document.version).alias("model_version"),
    )


def _after_refusals() -> list[Column]:
    """The reasons of hard rules, then those that cost most, as many as there is room for."""
    every = F.concat(F.col(REFUSED), F.array_compact(F.array(*REASONS)))
    return [F.get(every, F.lit(nth)).alias(name) for nth, name in enumerate(REASONS)]


def points(plan: ScorePlan) -> Column:
    """Whole points of `log_odds` of bad."""
    scale = scale_of(plan)
    exact = F.lit(scale.at_even_odds) - F.lit(scale.a_unit) * F.col("log_odds")
    return F.floor(exact + 0.5).cast("int")


def bounded(log_odds: Column) -> Column:
    """Log-odds within what a PD can still tell from 0 and 1."""
    return F.greatest(F.least(log_odds, F.lit(WIDEST_LOG_ODDS)), F.lit(-WIDEST_LOG_ODDS))


def _renamed(document: ModelDocument) -> list[Number | Category]:
    """The terms under names that no loan's column has."""
    return [each.model_copy(update={"name": f"term_{each.name}"}) for each in document.terms]


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


def _reasoned(judged: DataFrame, document: ModelDocument) -> DataFrame:
    """The reasons beside their `costs`, the dearest first; ties in the contract's order.

    Plain numbers are sorted, in a loop of Java's own, and each is then looked for among the costs:
    exact, where packing cost and place into one integer would round the cost. Each move stands by
    itself, or it would be made once a reason.
    """
    ascending = judged.select("*", F.sort_array("costs").alias("ascending"))
    count, nths = len(document.features), range(len(REASONS))
    dearest = [F.get("ascending", F.lit(count - 1 - nth)).alias(_dear(nth)) for nth in nths]
    placed = ascending.select("*", *dearest)
    for nth in nths:
        placed = placed.select("*", _place(nth).alias(_place_of(nth)))
    texts = F.array(*[F.lit(each.reason) for each in document.features])
    return placed.select(
        "*", *[_reason(texts, nth).alias(name) for nth, name in enumerate(REASONS)]
    )


def _dear(nth: int) -> str:
    return f"dear_{nth}"


def _place_of(nth: int) -> str:
    return f"place_{nth}"


def _place(nth: int) -> Column:
    """Where the nth dearest cost stands among the costs, from 1: after its equal before it."""
    cost = F.col(_dear(nth))
    first = F.array_position("costs", cost)
    if nth == 0:
        return first
    before = F.col(_place_of(nth - 1)).cast("int")
    after = F.slice("costs", before + 1, F.size("costs"))
    is_tied = cost == F.col(_dear(nth - 1))
    return F.when(is_tied, before + F.array_position(after, cost)).otherwise(first)


def _reason(texts: Column, nth: int) -> Column:
    """The nth dearest reason, null where it costs nothing."""
    place = F.col(_place_of(nth)).cast("int")
    return F.when(F.col(_dear(nth)) > 0, F.get(texts, place - 1))


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
