"""What moved the scores of the same loans between two batch dates: their inputs, or the model.

Points are a sum over features, so the change of a loan's points is, feature by feature, what the
old model makes of its new inputs, and what the new model then makes of them: exactly, but for the
rounding of points to whole ones.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.monitoring.baselines import bin_column, binned
from credit_spark.scoring.document import Baseline, ModelDocument
from credit_spark.scoring.frames import Kinds, terms_of
from credit_spark.scoring.policy import Scale
from credit_spark.scoring.sql import term_column

WHOLE, SCALE = "all", "the model's constant"
# Points by the old model of the earlier loan, by the old and by the new one of the later loan. The
# underscore keeps them apart from a contract's columns.
BEFORE, BETWEEN, AFTER = "_before", "_between", "_after"
INPUTS, MODEL = "inputs", "model"
PARTITIONS = 2


class ScoreChange(NamedTuple):
    """Points that loans have moved by, added up over them, by feature or by part of a segment."""

    part: str
    loans: int
    inputs: float
    model: float


class ModelPair(NamedTuple):
    """The model of the earlier date and that of the later one, on columns of such kinds.

    Points of both are on one scale: the contract's of today.
    """

    old: ModelDocument
    new: ModelDocument
    kinds: Kinds
    scale: Scale


def moved(
    earlier: DataFrame, later: DataFrame, models: ModelPair, segments: Sequence[Baseline]
) -> list[ScoreChange]:
    """What moved the loans that are in both frames, by feature, by segment, and in all.

    A frame has `loan_id`, once each, and the contract's columns. The change is summed by the
    `segments`' bins of the later date; nothing is returned where no loan is in both.
    """
    both = (*models.old.features, *models.new.features)
    names = [*dict.fromkeys(each.name for each in both), SCALE]
    parts, places = [WHOLE], [F.lit(0)]
    for nth, each in enumerate(segments):
        places.append(F.col(bin_column(nth)) + len(parts))
        parts += [f"{each.name}={label}" for label in each.labels]
    sums = [
        F.struct(*[F.sum(F.col(by)[nth]) for nth in range(len(names) + 1)]).alias(by)
        for by in (INPUTS, MODEL)
    ]
    rows = (
        _changes(earlier, later, models, names, segments)
        .withColumn("place", F.explode(F.array(*places)))
        .groupBy("place")
        .agg(F.count("*").alias("loans"), *sums)
        .orderBy("place")
        .collect()
    )
    of_features = [
        (f"feature={name}", row, nth) for row in rows[:1] for nth, name in enumerate(names)
    ]
    of_parts = [(parts[row["place"]], row, -1) for row in rows]
    return [
        ScoreChange(part, row["loans"], row[INPUTS][nth], row[MODEL][nth])
        for part, row, nth in of_features + of_parts
    ]


def _changes(
    earlier: DataFrame,
    later: DataFrame,
    models: ModelPair,
    names: Sequence[str],
    segments: Sequence[Baseline],
) -> DataFrame:
    """Each loan's bins, and its changes of points by each name, then in all: arrays.

    A sum of doubles depends on their order: of two ordered partitions it is the same on every run.
    """
    old, new, kinds, scale = models
    beside = ["loan_id", *[bin_column(nth) for nth in range(len(segments))]]
    then = terms_of(earlier, old, kinds, ["loan_id"])
    then = then.select("loan_id", _points(old, scale, names).alias(BEFORE))
    now = binned(later, segments, [F.col(name) for name in later.columns])
    by_old = terms_of(now, old, kinds, now.columns)
    by_old = by_old.select(*now.columns, _points(old, scale, names).alias(BETWEEN))
    by_new = terms_of(by_old, new, kinds, [*beside, BETWEEN])
    by_both = by_new.select(*beside, BETWEEN, _points(new, scale, names).alias(AFTER))
    changed = by_both.join(then, on="loan_id", how="inner").select(
        *beside,
        _differences(BEFORE, BETWEEN, len(names)).alias(INPUTS),
        _differences(BETWEEN, AFTER, len(names)).alias(MODEL),
    )
    return changed.repartition(PARTITIONS, "loan_id").sortWithinPartitions("loan_id")


def _points(document: ModelDocument, scale: Scale, names: Sequence[str]) -> Column:
    """What each name adds to the points, before they are rounded; 0 where the model has it not."""
    points = {each.name: F.col(term_column(each)) * -scale.a_unit for each in document.features}
    points[SCALE] = F.lit(scale.at_even_odds - scale.a_unit * document.constant)
    return F.array(*[points.get(name, F.lit(0.0)) for name in names])


def _differences(earlier: str, later: str, size: int) -> Column:
    """The difference of each name, then their sum."""
    each = [F.col(later)[nth] - F.col(earlier)[nth] for nth in range(size)]
    return F.array(*each, reduce(add, each))
