"""Imbalance strategies, inside training rows only, and what each does to the odds.

A strategy makes good and bad weigh the same. It shifts the log-odds of a fit by a constant
that is known, and calibration takes away again.
"""

from math import log, sqrt
from typing import NamedTuple

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.special import pdtr

from credit_spark.config.models import ImbalanceStrategy
from credit_spark.monitoring.baselines import bucketed

WEIGHT = "weight"
NEGLIGIBLE = 1e-12
# Added to each count, so that a bin of nothing but good loans has evidence that is finite.
HALF = 0.5


class Classes(NamedTuple):
    """How many rows are good and bad, or what they weigh together."""

    good: float
    bad: float

    @property
    def rows(self) -> int:
        """Both together."""
        return int(self.good + self.bad)

    @property
    def log_odds(self) -> float:
        """Log-odds of bad."""
        return log((self.bad + HALF) / (self.good + HALF))


def classes(rows: DataFrame) -> Classes:
    """Count rows by `label` (1 bad, 0 good)."""
    return weights(rows.withColumn(WEIGHT, F.lit(1)))


def balanced(
    training: DataFrame, strategy: ImbalanceStrategy, seen: Classes, seed: int
) -> DataFrame:
    """Training rows with a `weight`, some of them repeated. SMOTE is in smote.smoted.

    `training` has `loan_id` and `label`; `seen` are its classes.
    """
    weight: Column = F.lit(1.0)
    if strategy == "oversample":
        training = _oversampled(training, seen, seed)
    if strategy == "class_weight":
        bad, good = (F.lit(sum(seen) / (2 * each)) for each in (seen.bad, seen.good))
        weight = F.when(F.col("label") == 1, bad).otherwise(good)
    return training.withColumn(WEIGHT, weight)


def offset(before: Classes, after: Classes) -> float:
    """What an imbalance strategy added to the log-odds of bad: to be taken off a fit's intercept.

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
    mean = large / small - 1
    at_most = pdtr(np.arange(mean + 10 * sqrt(mean) + 20), mean)
    fewest = int(np.count_nonzero(at_most <= NEGLIGIBLE))
    hashed = F.xxhash64(F.lit(seed), F.lit("oversample"), "loan_id")
    uniform = (F.pmod(hashed, F.lit(2**52)) + F.lit(0.5)) / F.lit(float(2**52))
    # Inversion of the distribution: how many of its steps a uniform number has reached.
    steps = at_most[(at_most > NEGLIGIBLE) & (at_most < 1 - NEGLIGIBLE)].tolist()
    drawn = bucketed(training.withColumn("copy", uniform), {"copy": steps})
    is_small = F.col("label") == (1.0 if seen.bad < seen.good else 0.0)
    copies = F.when(is_small, F.col("copy") + fewest + 1).otherwise(1)
    return drawn.withColumn("copy", F.explode(F.sequence(F.lit(1), copies))).drop("copy")
