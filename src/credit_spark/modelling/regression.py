"""The fit: Spark ML's logistic regression, and its numbers as the document's terms.

In come feature columns, `label` (1 bad, 0 good) and `weight`. The pipeline that goes out beside
the terms is the reference of scoring.
"""

from collections.abc import Mapping, Sequence
from math import fsum
from types import MappingProxyType
from typing import Any, NamedTuple

from pyspark import StorageLevel
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.sql import DataFrame

from credit_spark.contract.models import Penalty
from credit_spark.modelling.document import Category, Level, Number
from credit_spark.modelling.features import Definition
from credit_spark.modelling.imbalance import WEIGHT
from credit_spark.modelling.pipeline import (
    ASSEMBLED,
    Slot,
    Spread,
    assembled,
    medians_of,
    slots_of,
)
from credit_spark.modelling.quantiles import Ends

MOST_ITERATIONS = 500
# Coefficients then agree with those of other solvers to six digits.
TOLERANCE = 1e-9


class Legend(NamedTuple):
    """What terms are told by, none of which moves a log-odds.

    Each feature's reason, each slot's spread, and the ends of what a number attains, if any.
    """

    reasons: Mapping[str, str]
    spreads: Mapping[Slot, Spread]
    attained: Ends = MappingProxyType({})


class Fit(NamedTuple):
    """A fitted pipeline, its terms in the features' order, and its intercept."""

    pipeline: PipelineModel
    terms: tuple[Number | Category, ...]
    intercept: float


def fits(
    training: DataFrame,
    features: Sequence[Definition],
    penalties: Sequence[Penalty],
    legend: Legend,
) -> list[Fit]:
    """A logistic regression for each penalty, on the same rows."""
    assembling = assembled(training, features)
    vectors = assembling.transform(training).select(ASSEMBLED, "label", WEIGHT)
    # Each task of an iteration bears the plan that its rows come from: cut off, a fit of a few
    # thousand rows takes half the time. On disk, since the regression keeps blocks of its own.
    # Not before the first regression looks at them, which saves a pass.
    rows = vectors.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)
    regressions = [_regression(each).fit(rows) for each in penalties]
    slots, medians = slots_of(assembling, features), medians_of(assembling.stages)
    found = []
    for each in regressions:
        slopes = dict(zip(slots, each.coefficients.toArray().tolist(), strict=True))
        terms = tuple(_term(feature, slopes, medians, legend) for feature in features)
        # A term is zero at its slots' means; the regression's own at medians, and without levels.
        moved = fsum(
            slope * (legend.spreads[slot].mean - medians.get(slot.feature, 0.0))
            for slot, slope in slopes.items()
        )
        whole = PipelineModel([*assembling.stages, each])
        found.append(Fit(whole, terms, each.intercept + moved))
    return found


def _regression(penalty: Penalty) -> LogisticRegression:
    """Its standardization is the one that the penalty means: coefficients of scaled features.

    It divides by deviations in its own blocks, so that levels stay sparse.
    """
    return LogisticRegression(
        featuresCol=ASSEMBLED,
        labelCol="label",
        weightCol=WEIGHT,
        regParam=penalty.regularisation,
        elasticNetParam=penalty.elastic_net,
        standardization=True,
        maxIter=MOST_ITERATIONS,
        tol=TOLERANCE,
    )


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
