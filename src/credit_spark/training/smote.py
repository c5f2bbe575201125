"""SMOTE: rows of the smaller class made up between real ones, by imbalanced-learn.

Categories are SMOTE-NC's. In come training rows alone, so no made-up row knows a held-out one.
Source: Chawla et al. (2002), SMOTE: Synthetic Minority Over-sampling Technique.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.features.columns import Definition, numbers_and_texts

NEIGHBOURS = 5
# Of rows with texts alone, imbalanced-learn compares each of the smaller class with each.
MOST_TEXTS = 20_000


class SmotePlan(NamedTuple):
    """The features between whose values rows are made up, and how the work is cut.

    Of the columns `indicated`, a made-up row has no value where most of its neighbours have none. A
    task handles about `rows_a_part` training rows. In as many `partitions` the rows come out.
    """

    features: Sequence[Definition]
    rows_a_part: int
    partitions: int
    indicated: Sequence[str] = ()


def smoted(training: DataFrame, rows: int, seed: int, plan: SmotePlan) -> DataFrame:
    """Features and `label` of training rows, and of made-up ones until both classes are equal.

    In come `loan_id`, `label` and feature columns of so many `rows`. More than a task's are cut by
    a hash of the id, and each part is made equal. The order of the result depends on the rows
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
    for flag, column in flags.items():
        made.loc[made[flag] == "True", column] = None
    made["label"] = labels.iloc[len(rows) :]
    return made[columns]
