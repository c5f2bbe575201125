"""Treatments of the imbalance, inside training rows only, and what each does to the odds.

A treatment makes good and bad weigh the same. It shifts the log-odds of a fit by a constant
that is known, and calibration takes away again. SMOTE makes up rows of the smaller class between
real ones, by imbalanced-learn; categories are SMOTE-NC's. No made-up row knows a held-out one.
Source: Chawla et al. (2002), SMOTE: Synthetic Minority Over-sampling Technique.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import log, sqrt
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.special import pdtr

from credit_spark.contract.models import Treatment
from credit_spark.features.columns import Definition, numbers_and_texts
from credit_spark.modelling.watching import bucketed

WEIGHT = "weight"
NEGLIGIBLE = 1e-12
NEIGHBOURS = 5
# Of rows with texts alone, imbalanced-learn compares each of the smaller class with each.
MOST_TEXTS = 20_000


class SmotePlan(NamedTuple):
    """The features between whose values rows are made up, and how the work is cut.

    A task handles about `rows_a_part` training rows. In as many `partitions` the rows come out.
    """

    features: Sequence[Definition]
    rows_a_part: int
    partitions: int


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
    return weights(rows.withColumn(WEIGHT, F.lit(1)))


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
        bad, good = (F.lit(sum(seen) / (2 * each)) for each in (seen.bad, seen.good))
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


def smoted(training: DataFrame, rows: int, seed: int, plan: SmotePlan) -> DataFrame:
    """Features and `label` of training rows, and of made-up ones until both classes are equal.

    In come `loan_id`, `label` and feature columns of so many `rows`. More than a task's are cut by
    a hash of the id, and each part is made equal. Out they come in an order that hangs on the rows
    alone, so that sums over one or two partitions are the same on every run.
    """
    numbers, texts = numbers_and_texts(plan.features)
    columns = [*numbers, *texts, "label"]
    cut = F.xxhash64(F.lit(seed), F.lit("smote"), "loan_id")
    most = plan.rows_a_part if numbers else min(plan.rows_a_part, MOST_TEXTS)
    parts = training.select("loan_id", *columns).repartition(max(1, -(-rows // most)), cut)
    schema = training.select(*columns).schema

    def make(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        part = [*batches]
        if part:
            rows = pd.concat(part, ignore_index=True)
            # A part is known by its first loan: its number hangs on what else Spark has to do.
            of_part = crc32(rows["loan_id"].iloc[0].encode())
            yield made_up(rows, numbers, texts, (seed + of_part) % 2**32)

    made = parts.sortWithinPartitions("loan_id").mapInPandas(make, schema)
    both = training.select(*columns).unionByName(made)
    return both.repartition(plan.partitions, *columns).sortWithinPartitions(*columns)


def made_up(
    rows: pd.DataFrame, numbers: Sequence[str], texts: Sequence[str], seed: int
) -> pd.DataFrame:
    """The made-up rows of one part: none where its smaller class has a single row.

    Neighbours are sought with null as the median, in deviations from it: a distance in marks and
    one in years would not compare.
    """
    columns = [*numbers, *texts, "label"]
    counts = rows["label"].value_counts()
    fewest = int(counts.min())
    if len(counts) < 2 or fewest < 2:
        return rows[columns].head(0)
    known = rows[list(numbers)].astype(float)
    known = known.fillna(known.median()).fillna(0.0)
    deviations = known.std().replace(0, 1).fillna(1)
    given = pd.concat([known / deviations, rows[list(texts)].astype(object)], axis=1)
    sampler = _sampler(numbers, texts, min(NEIGHBOURS, fewest - 1), seed)
    found, labels = sampler.fit_resample(given, rows["label"])
    made: pd.DataFrame = found.iloc[len(rows) :].copy()
    made[list(numbers)] = made[list(numbers)].astype(float) * deviations
    made["label"] = labels.iloc[len(rows) :]
    return made[columns]


def _sampler(numbers: Sequence[str], texts: Sequence[str], neighbours: int, seed: int) -> Any:
    # Takes a second to import, and most nights do not train.
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    given = {"random_state": seed, "k_neighbors": neighbours}
    if numbers and texts:
        return SMOTENC(categorical_features=[*texts], **given)
    return SMOTE(**given) if numbers else SMOTEN(**given)
