"""A linear design: a line through each number, a step for each text, in deviations from a mean."""

from collections.abc import Mapping, Sequence
from math import fsum
from types import MappingProxyType
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from credit_spark.features.columns import Definition
from credit_spark.modelling.pipeline import Slot, Spread, assembled, medians_of, slots_of
from credit_spark.modelling.quantiles import Ends
from credit_spark.modelling.regression import Design, Equation
from credit_spark.scoring.document import Category, Level, Number


class Legend(NamedTuple):
    """What terms are told by, none of which moves a log-odds.

    Each feature's reason, each slot's spread, and the ends of what a number attains, if any.
    """

    reasons: Mapping[str, str]
    spreads: Mapping[Slot, Spread]
    attained: Ends = MappingProxyType({})


def linear(training: DataFrame, features: Sequence[Definition], legend: Legend) -> Design:
    """The design of training rows, features: medians and levels are theirs."""
    stages = assembled(training, features)
    slots, medians = slots_of(stages, features), medians_of(stages.stages)

    def told(slopes: Sequence[float], intercept: float) -> Equation:
        of_slots = dict(zip(slots, slopes, strict=True))
        terms = tuple(_term(each, of_slots, medians, legend) for each in features)
        # A term is zero at its slots' means; the regression's own at medians, and without levels.
        moved = fsum(
            slope * (legend.spreads[slot].mean - medians.get(slot.feature, 0.0))
            for slot, slope in of_slots.items()
        )
        return Equation(terms, intercept + moved)

    return Design(stages, told)


def _term(
    feature: Definition,
    slopes: Mapping[Slot, float],
    medians: Mapping[str, float],
    legend: Legend,
) -> Number | Category:
    name = feature.name
    about: dict[str, Any] = {"name": name, "sql": feature.sql, "reason": legend.reasons[name]}
    own = {
        slot: _in_deviations(slope, legend.spreads[slot])
        for slot, slope in slopes.items()
        if slot.feature == name
    }
    if feature.is_text:
        levels = tuple(Level(text=str(slot.level), **told) for slot, told in own.items())
        return Category(**about, levels=levels)
    low, high = legend.attained.get(name, (None, None))
    return Number(**about, imputed=medians[name], low=low, high=high, **own[Slot(name)])


def _in_deviations(slope: float, spread: Spread) -> dict[str, Any]:
    """What a slope is once its slot has the mean 0 and the deviation 1."""
    return spread._asdict() | {"coefficient": slope * spread.deviation}
