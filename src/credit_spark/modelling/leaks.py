"""A feature that separates good from bad almost alone is no feature but the answer.

Spark counts good and bad in at most BUCKETS cells a feature; the judgement is plain.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.evaluation.cells import Cell
from credit_spark.evaluation.metrics import auc
from credit_spark.features.columns import Definition, column_of

BUCKETS = 20


def single_aucs(training: DataFrame, features: Sequence[Definition]) -> dict[str, float]:
    """The AUC that each feature reaches alone, its cells ordered by their rate of bad.

    A number's cells are twentieths of its values, with null as one of its own; a text's are its
    texts. In come feature columns and `label` (1 bad, 0 good).
    """
    bounds = _bounds(training, [each for each in features if not each.is_text])
    cells = [_cell(each, bounds) for each in features]
    counted = (
        training.select("label", F.explode(F.array(*cells)).alias("cell"))
        .groupBy("cell.feature", "cell.bucket")
        .agg(F.count_if(F.col("label") == 0), F.count_if(F.col("label") == 1))
        .collect()
    )
    return _aucs(counted)


def _bounds(training: DataFrame, numbers: Sequence[Definition]) -> Mapping[str, list[float]]:
    if not numbers:
        return {}
    shares = [nth / BUCKETS for nth in range(1, BUCKETS)]
    columns = [column_of(each.name) for each in numbers]
    found = training.approxQuantile(columns, shares, 0.001)
    return {name: sorted(set(bounds)) for name, bounds in zip(columns, found, strict=True)}


def _cell(feature: Definition, bounds: Mapping[str, list[float]]) -> Column:
    column = column_of(feature.name)
    value = F.col(column)
    if not feature.is_text:
        passed = [F.when(value > bound, 1).otherwise(0) for bound in bounds[column]]
        bucket = sum(passed, F.lit(0))
        value = F.when(value.isNull(), "null").otherwise(bucket.cast("string"))
    return F.struct(F.lit(feature.name).alias("feature"), value.alias("bucket"))


def _aucs(counted: Iterable[Sequence[object]]) -> dict[str, float]:
    by_feature: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for feature, _, good, bad in counted:
        by_feature[str(feature)].append((int(str(good)), int(str(bad))))
    return {feature: _auc(cells) for feature, cells in sorted(by_feature.items())}


def _auc(counts: list[tuple[int, int]]) -> float:
    ordered = sorted(counts, key=lambda each: each[1] / (each[0] + each[1]))
    cells = [Cell(nth, 0, good, bad, 0) for nth, (good, bad) in enumerate(ordered)]
    return auc(cells) or 0.5
