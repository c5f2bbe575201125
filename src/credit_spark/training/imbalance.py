"""Imbalance strategies, inside training rows only, and what each does to the odds.

A strategy makes good and bad weigh the same. It shifts the log-odds of a fit by a constant
that is known, and calibration takes away again. SMOTE makes rows of the smaller class up between
real ones, by imbalanced-learn; categories are SMOTE-NC's.
Source: Chawla et al. (2002), SMOTE: Synthetic Minority Over-sampling Technique.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from math import log, sqrt
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.special import pdtr

from credit_spark.config.models import ImbalanceStrategy
from credit_spark.evaluation.evidence import weight_of_evidence
from credit_spark.features.columns import Definition, numbers_and_texts
from credit_spark.monitoring.baselines import bucketed

NEIGHBOURS = 5
# Of rows with texts alone, imbalanced-learn compares each of the smaller class with each.
MAX_TEXTS = 20_000
# And it holds a number for each row and each text that a category may be: some 600 MB of them.
MAX_CELLS = 10_000_000


WEIGHT = "weight"
NEGLIGIBLE = 1e-12
# Added to each count, so that the log-odds of nothing but good loans are finite.
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

    def evidence(self, whole: "Classes") -> float:
        """Weight of evidence of these rows as a bin of the `whole`; of no rows it is 0."""
        return weight_of_evidence(*self, *whole)


def total(parts: Iterable[Classes]) -> Classes:
    """What several parts have together."""
    return reduce(lambda one, other: Classes(one.good + other.good, one.bad + other.bad), parts)


def classes(rows: DataFrame) -> Classes:
    """Count rows by `label` (1 bad, 0 good)."""
    return weights(rows.withColumn(WEIGHT, F.lit(1)))


def balanced(
    training: DataFrame, strategy: ImbalanceStrategy, seen: Classes, seed: int
) -> DataFrame:
    """Training rows with a `weight`, some of them repeated; SMOTE is `smoted`.

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


class SmotePlan(NamedTuple):
    """The features between whose values rows are made up, and how the work is cut.

    Of the columns `indicated`, a made-up row has no value where most of its neighbours have none. A
    task handles about `rows_a_part` training rows, fewer where features have very many `levels`
    together. In as many `partitions` the rows come out.
    """

    features: Sequence[Definition]
    rows_a_part: int
    partitions: int
    indicated: Sequence[str] = ()
    levels: int = 0

    @property
    def rows_a_task(self) -> int:
        """How many rows a task handles at most, about."""
        wide = max(1, MAX_CELLS // max(1, self.levels))
        only_texts = all(each.is_text for each in self.features)
        return min(self.rows_a_part, wide, MAX_TEXTS if only_texts else wide)


def smoted(training: DataFrame, rows: int, seed: int, plan: SmotePlan) -> DataFrame:
    """Features and `label` of training rows, and of made-up ones until both classes are equal.

    In come `loan_id`, `label` and feature columns of so many `rows`. More than a task's are cut by
    a hash of the id, and each part is made equal. The order of the result depends on the rows
    alone, so that sums over one or two partitions are the same on every run.
    """
    numbers, texts = numbers_and_texts(plan.features)
    columns = [*numbers, *texts, "label"]
    cut = F.xxhash64(F.lit(seed), F.lit("smote"), "loan_id")
    parts = training.select("loan_id", *columns).repartition(
        max(1, -(-rows // plan.rows_a_task)), cut
    )
    schema = training.select(*columns).schema

    def make(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        part = [*batches]
        if part:
            rows = pd.concat(part, ignore_index=True)
            # A part is known by its first loan: its number hangs on what else Spark has to do.
            of_part = crc32(rows["loan_id"].iloc[0].encode())
            yield made_up(rows, numbers, texts, (seed + of_part) % 2**32, plan.indicated)

    made = parts.sortWithinPartitions("loan_id").mapInPandas(make, schema)
    both = training.select(*columns).unionByName(made)
    return both.repartition(plan.partitions, *columns).sortWithinPartitions(*columns)


def made_up(
    rows: pd.DataFrame,
    numbers: Sequence[str],
    texts: Sequence[str],
    seed: int,
    indicated: Sequence[str] = (),
) -> pd.DataFrame:
    """The made-up rows of one part: none where its smaller class has a single row.

    Neighbours are sought with null as the median, in deviations from it: a distance in marks and
    one in years would not compare. A number that no row of the part has is null in made-up rows.
    """
    columns = [*numbers, *texts, "label"]
    counts = rows["label"].value_counts()
    fewest = int(counts.min())
    if len(counts) < 2 or fewest < 2:
        return rows[columns].head(0)
    known = rows[list(numbers)].astype(float)
    known = known.fillna(known.median()).fillna(0.0)
    deviations = known.std().replace(0, 1).fillna(1)
    # Whether a value is missing is a category, as a text is.
    flags = {f"absent_{each}": each for each in indicated}
    absent = rows[list(indicated)].isna().astype(str).set_axis(list(flags), axis=1)
    given = pd.concat([known / deviations, rows[list(texts)].astype(object), absent], axis=1)
    # Takes a second to import, and most batches do not train.
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    about: dict[str, Any] = {"random_state": seed, "k_neighbors": min(NEIGHBOURS, fewest - 1)}
    categories = [*texts, *flags]
    if numbers and categories:
        sampler = SMOTENC(categorical_features=categories, **about)
    else:
        sampler = SMOTE(**about) if numbers else SMOTEN(**about)
    found, labels = sampler.fit_resample(given, rows["label"])
    made: pd.DataFrame = found.iloc[len(rows) :].copy()
    made[list(numbers)] = made[list(numbers)].astype(float) * deviations
    made[[each for each in numbers if rows[each].isna().all()]] = np.nan
    for flag, column in flags.items():
        made.loc[made[flag] == "True", column] = None
    made["label"] = labels.iloc[len(rows) :]
    return made[columns]
