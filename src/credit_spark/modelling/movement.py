"""What moved the scores of the same loans between two batch dates: their inputs, or the model.

Points are a sum over features, so the change of a loan's points is, feature by feature, what the
old model makes of its new inputs, and what the new model then makes of them: exactly, but for the
rounding of points to whole ones.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import accumulate
from operator import add
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from credit_spark.modelling.watching import bin_column, binned
from credit_spark.scoring.document import ModelDocument, Watched
from credit_spark.scoring.frames import Kinds, terms_of
from credit_spark.scoring.scale import scale_of
from credit_spark.scoring.sql import column_of

WHOLE, SCALE = "all", "the model's constant"
# Terms of the old model for the earlier loan, of the old and of the new one for the later loan. The
# underscore keeps them apart from a contract's columns.
BEFORE, BETWEEN, AFTER = "_before_", "_between_", "_after_"
INPUTS, MODEL = "inputs", "model"
PARTITIONS = 2


class Moved(NamedTuple):
    """Points that loans have moved by, added up over them; `part` is a feature or a segment's."""

    part: str
    loans: int
    inputs: float
    model: float


class Models(NamedTuple):
    """The model of the earlier date and that of the later one, on columns of such kinds."""

    old: ModelDocument
    new: ModelDocument
    kinds: Kinds

    @property
    def features(self) -> list[str]:
        """Names of the features that either model has."""
        both = (*self.old.features, *self.new.features)
        return list(dict.fromkeys(each.name for each in both))


def moved(
    earlier: DataFrame, later: DataFrame, models: Models, segments: Sequence[Watched]
) -> list[Moved]:
    """What moved the loans that are in both frames, by feature, by segment, and in all.

    Args:
        earlier: Loans of the earlier date: `loan_id`, once each, and the contract's columns.
        later: The same of the later date.
        models: The models that scored them.
        segments: Monitored subjects, whose bins of the later date the change is summed by.

    Returns:
        Sums over the loans; nothing where no loan is in both.
    """
    names = [*models.features, SCALE]
    differences = _differences(earlier, later, models, names, segments)
    sizes = [1, *[len(each.labels) for each in segments]]
    begins = [*accumulate([0, *sizes[:-1]])]
    bins = [F.lit(0), *[F.col(bin_column(nth)) for nth in range(len(segments))]]
    places = [own + begin for own, begin in zip(bins, begins, strict=True)]
    sums = [
        F.struct(*[F.sum(f"{by}_{nth}") for nth in range(len(names) + 1)]).alias(by)
        for by in (INPUTS, MODEL)
    ]
    rows = (
        differences.withColumn("place", F.explode(F.array(*places)))
        .groupBy("place")
        .agg(F.count("*").alias("loans"), *sums)
        .orderBy("place")
        .collect()
    )
    labels = [f"{each.name}={label}" for each in segments for label in each.labels]
    return [each for row in rows for each in _parts(row, names, [WHOLE, *labels])]


def _parts(row: Row, names: Sequence[str], places: Sequence[str]) -> Iterator[Moved]:
    """The sums of all loans by feature and in all, or those of a segment's part."""
    place = places[row["place"]]
    if place == WHOLE:
        for name, inputs, model in zip(names, row["inputs"], row["model"], strict=False):
            yield Moved(f"feature={name}", row["loans"], inputs, model)
    yield Moved(place, row["loans"], row["inputs"][-1], row["model"][-1])


def _differences(
    earlier: DataFrame,
    later: DataFrame,
    models: Models,
    names: Sequence[str],
    segments: Sequence[Watched],
) -> DataFrame:
    """Each loan's bins, and its changes of points by each name, then in all, as `inputs_<nth>`.

    Those by the model are `model_<nth>`. A sum of doubles depends on their order: of two ordered
    partitions it is the same on every run.
    """
    bins = [bin_column(nth) for nth in range(len(segments))]
    then = _renamed(terms_of(earlier, models.old, models.kinds, ["loan_id"]), models.old, BEFORE)
    kept = [F.col(name) for name in later.columns]
    now = _by_both(binned(later, segments, kept), models, ["loan_id", *bins])
    before, between, after = (
        _points(document, prefix, names)
        for document, prefix in (
            (models.old, BEFORE), (models.old, BETWEEN), (models.new, AFTER)
        )
    )  # fmt: skip
    changes = [*_changes(INPUTS, before, between), *_changes(MODEL, between, after)]
    changed = now.join(then, on="loan_id", how="inner").select("loan_id", *bins, *changes)
    return changed.repartition(PARTITIONS, "loan_id").sortWithinPartitions("loan_id")


def _by_both(loans: DataFrame, models: Models, keep: Sequence[str]) -> DataFrame:
    """The columns to `keep`, and each loan's terms by the old model and by the new one."""
    by_old = _renamed(terms_of(loans, models.old, models.kinds, loans.columns), models.old, BETWEEN)
    between = [f"{BETWEEN}{each.name}" for each in models.old.features]
    by_new = terms_of(by_old, models.new, models.kinds, [*keep, *between])
    return _renamed(by_new, models.new, AFTER)


def _renamed(found: DataFrame, document: ModelDocument, prefix: str) -> DataFrame:
    """Terms with a prefix of their own."""
    return found.withColumnsRenamed(
        {column_of(each): f"{prefix}{each.name}" for each in document.features}
    )


def _points(document: ModelDocument, prefix: str, names: Sequence[str]) -> list[Column]:
    """What each name adds to the points, before they are rounded; 0 where the model has it not."""
    scale = scale_of(document.score)
    points = {
        each.name: F.col(f"{prefix}{each.name}") * -scale.a_unit for each in document.features
    }
    points[SCALE] = F.lit(scale.at_even_odds - scale.a_unit * document.constant)
    return [points.get(name, F.lit(0.0)) for name in names]


def _changes(by: str, earlier: Sequence[Column], later: Sequence[Column]) -> list[Column]:
    """The difference of each name, then their sum."""
    each = [late - early for early, late in zip(earlier, later, strict=True)]
    return [column.alias(f"{by}_{nth}") for nth, column in enumerate([*each, reduce(add, each)])]
