"""Treatments of the imbalance, inside training rows only, and what each does to the odds.

A treatment makes good and bad weigh the same. It shifts the log-odds of a fit by a constant
that is known, and calibration takes away again.
"""

from math import exp, log, pi, sqrt
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import Treatment
from credit_spark.modelling.smote import SmotePlan, smoted

WEIGHT = "weight"
NEGLIGIBLE = 1e-12
# From it on, the normal approximation is within a few thousandths of the distribution.
LARGE_MEAN = 50


class Classes(NamedTuple):
    """How many training rows are good and bad, or what they weigh together."""

    good: float
    bad: float

    @property
    def rows(self) -> int:
        """Both together."""
        return int(self.good + self.bad)


def classes(rows: DataFrame) -> Classes:
    """Count rows by `label` (1 bad, 0 good)."""
    counted: dict[float, int] = dict(rows.groupBy("label").count().collect())
    return Classes(counted.get(0.0, 0), counted.get(1.0, 0))


def treated(
    training: DataFrame,
    treatment: Treatment,
    seen: Classes,
    seed: int,
    smote: SmotePlan | None = None,
) -> DataFrame:
    """Training rows with a `weight`, some of them repeated, or others made up beside them.

    In come `loan_id`, `label` and whatever else; `seen` are the rows' classes. `smote` says how
    rows are made up, and must be given for that treatment, which needs the feature columns.
    """
    if treatment == "smote":
        assert smote is not None
        made_equal = smoted(training, seen.rows, seed, smote)
        return made_equal.withColumn(WEIGHT, F.lit(1.0))
    if treatment == "class_weight":
        total = seen.good + seen.bad
        bad, good = F.lit(total / (2 * seen.bad)), F.lit(total / (2 * seen.good))
        return training.withColumn(WEIGHT, F.when(F.col("label") == 1, bad).otherwise(good))
    weighted = training.withColumn(WEIGHT, F.lit(1.0))
    return _oversampled(weighted, seen, seed) if treatment == "oversample" else weighted


def offset(before: Classes, after: Classes) -> float:
    """What a treatment added to the log-odds of bad: to be taken off a fit's intercept.

    Source: King and Zeng (2001), Logistic Regression in Rare Events Data, prior correction.
    """
    return log(after.bad / after.good) - log(before.bad / before.good)


def weights(rows: DataFrame) -> Classes:
    """What the rows of each class weigh together."""
    weighed: dict[float, float] = dict(rows.groupBy("label").agg(F.sum(WEIGHT)).collect())
    return Classes(weighed.get(0.0, 0), weighed.get(1.0, 0))


def _oversampled(training: DataFrame, seen: Classes, seed: int) -> DataFrame:
    """Rows of the smaller class drawn again with replacement until, on average, both are equal.

    Each is kept once and repeated a Poisson number of times, drawn by a hash of its id: the
    bootstrap's draw, with no order or count over the whole set, the same on any number of cores.
    """
    small, large = sorted((seen.good, seen.bad))
    is_small = F.col("label") == (1.0 if seen.bad < seen.good else 0.0)
    hashes = [F.xxhash64(F.lit(seed), F.lit(use), "loan_id") for use in ("oversample", "again")]
    draws = _poisson(_uniform(hashes[0]), _uniform(hashes[1]), large / small - 1)
    copies = F.when(is_small, draws + 1).otherwise(1)
    repeated = training.withColumn("copy", F.explode(F.sequence(F.lit(1), copies)))
    return repeated.drop("copy")


def _uniform(hashed: Column) -> Column:
    """A number in (0, 1) for each hash."""
    return (F.pmod(hashed, F.lit(2**52)) + F.lit(0.5)) / F.lit(float(2**52))


def _poisson(uniform: Column, other: Column, mean: float) -> Column:
    """A Poisson number for each pair of uniform ones, by inversion of the distribution.

    Of a large mean by its normal approximation, with the Box-Muller transform.
    """
    if mean > LARGE_MEAN:
        normal = F.sqrt(-2 * F.log(uniform)) * F.cos(2 * pi * other)
        return F.greatest(F.round(mean + sqrt(mean) * normal), F.lit(0.0)).cast("int")
    passed = [F.when(uniform >= bound, 1).otherwise(0) for bound in _cumulative(mean)]
    number = F.lit(0)
    for step in passed:
        number = number + step
    return number


def _cumulative(mean: float) -> list[float]:
    """P(X <= k) of a Poisson number, for k = 0, 1, ... until what is left is negligible."""
    bounds = [exp(-mean)]
    term = bounds[0]
    while 1 - bounds[-1] > NEGLIGIBLE and term > 0:
        term *= mean / len(bounds)
        bounds.append(bounds[-1] + term)
    return bounds[:-1] or bounds
