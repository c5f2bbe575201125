"""The fit: Spark ML's logistic regression, and its numbers as the document's terms.

In come feature columns, `label` (1 bad, 0 good) and `weight`. The pipeline that goes out beside
the terms is the reference of scoring.
"""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any, NamedTuple

from pyspark import StorageLevel
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression, LogisticRegressionModel
from pyspark.sql import DataFrame

from credit_spark.contract.models import Penalty
from credit_spark.modelling.document import Category, Level, Number
from credit_spark.modelling.features import Definition
from credit_spark.modelling.imbalance import WEIGHT
from credit_spark.modelling.pipeline import (
    ASSEMBLED,
    Moments,
    Slot,
    assembled,
    medians_of,
    slots_of,
)
from credit_spark.modelling.quantiles import Ends, ends

MOST_ITERATIONS = 500
# Coefficients then agree with those of other solvers to six digits.
TOLERANCE = 1e-9


class Fit(NamedTuple):
    """A fitted pipeline, its terms in the features' order, and its intercept."""

    pipeline: PipelineModel
    terms: tuple[Number | Category, ...]
    intercept: float


def fits(
    training: DataFrame,
    features: Sequence[Definition],
    reasons: Mapping[str, str],
    penalties: Sequence[Penalty],
    moments: Mapping[Slot, Moments],
    *,
    with_ends: bool = False,
) -> list[Fit]:
    """A logistic regression for each penalty, on the same rows.

    Each term is told from the `moments` of its slots, which need not be those of these rows: the
    log-odds are the same from any. Where `with_ends`, the terms know what their features attain.
    """
    assembling = assembled(training, features)
    vectors = assembling.transform(training).select(ASSEMBLED, "label", WEIGHT)
    # Each task of an iteration bears the plan that its rows come from: cut off, a fit of a few
    # thousand rows takes half the time. On disk, since the regression keeps blocks of its own.
    # Not before the first regression looks at them, which saves a pass.
    rows = vectors.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)
    found = ends(training, features) if with_ends else {}
    regressions = [_regression(each).fit(rows) for each in penalties]
    return [_fit(assembling, each, features, reasons, moments, found) for each in regressions]


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


def _fit(
    assembling: PipelineModel,
    regression: LogisticRegressionModel,
    features: Sequence[Definition],
    reasons: Mapping[str, str],
    moments: Mapping[Slot, Moments],
    attained: Ends,
) -> Fit:
    slots, medians = slots_of(assembling, features), medians_of(assembling)
    slopes = dict(zip(slots, regression.coefficients.toArray().tolist(), strict=True))
    scaled = {slot: _scaled(slope, moments[slot]) for slot, slope in slopes.items()}

    def term(feature: Definition) -> Number | Category:
        name = feature.name
        about: dict[str, Any] = {"name": name, "sql": feature.sql, "reason": reasons[name]}
        if feature.is_text:
            own = [slot for slot in slots if slot.feature == name]
            levels = tuple(Level(text=str(slot.level), **scaled[slot]) for slot in own)
            return Category(**about, levels=levels)
        low, high = attained.get(name, (None, None))
        return Number(**about, imputed=medians[name], low=low, high=high, **scaled[Slot(name)])

    # Every term is zero at its slots' means, the regression's own at zero.
    at_means = fsum(slope * moments[slot].mean for slot, slope in slopes.items())
    pipeline = PipelineModel([*assembling.stages, regression])
    return Fit(pipeline, tuple(map(term, features)), regression.intercept + at_means)


def _scaled(slope: float, moments: Moments) -> dict[str, Any]:
    """What a slope is once its slot has the mean 0 and the deviation 1."""
    return moments._asdict() | {"coefficient": slope * moments.deviation}
