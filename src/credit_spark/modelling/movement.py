"""What moved the scores of the same loans between two nights: their inputs, or the model.

Points are a sum over features, so the change of a loan's points is, feature by feature, what the
old model makes of its new inputs, and what the new model then makes of them: exactly, but for the
rounding of points to whole ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from credit_spark.modelling.scoring import terms_of
from credit_spark.modelling.watching import places
from credit_spark.scoring.document import ModelDocument, Watched
from credit_spark.scoring.scale import scale_of

WHOLE, SCALE = "all", "the model's constant"
# The blank keeps it apart from any column of a contract.
BEFORE = "before: "


class Moved(NamedTuple):
    """Points that loans have moved by, added up over them; `part` is a feature or a segment's."""

    part: str
    loans: int
    inputs: float
    model: float


def moved(
    loans: pl.DataFrame, old: ModelDocument, new: ModelDocument, segments: Sequence[Watched]
) -> Iterator[Moved]:
    """What moved loans that stand in both nights, by feature, by segment, and in all.

    In come the columns that both models and the segments read; with the prefix BEFORE, the same of
    the night before.
    """
    earlier = [name for name in loans.columns if name.startswith(BEFORE)]
    then = loans.select(earlier).rename({name: name.removeprefix(BEFORE) for name in earlier})
    before, between, after = _points(then, old), _points(loans, old), _points(loans, new)
    names = list(dict.fromkeys([*before.columns, *after.columns]))
    inputs = _difference(between, before, names)
    model = _difference(after, between, names)
    for name in names:
        yield _sum(f"feature={name}", inputs[name], model[name])
    total = pl.DataFrame({"inputs": inputs.sum_horizontal(), "model": model.sum_horizontal()})
    yield _sum(WHOLE, total["inputs"], total["model"])
    for segment in segments:
        beside = total.with_columns(level=pl.Series(places(loans, segment)))
        sums = beside.group_by("level").agg(pl.len(), pl.col("inputs", "model").sum())
        for level, count, by_inputs, by_model in sums.sort("level").iter_rows():
            yield Moved(f"{segment.name}={segment.labels[level]}", count, by_inputs, by_model)


def together(parts: Iterable[Moved]) -> list[Moved]:
    """What moved several groups of loans, part by part."""
    sums: dict[str, Moved] = {}
    for each in parts:
        own = sums.get(each.part, Moved(each.part, 0, 0.0, 0.0))
        sums[each.part] = Moved(
            each.part, own.loans + each.loans, own.inputs + each.inputs, own.model + each.model
        )
    return list(sums.values())


def _sum(part: str, inputs: pl.Series, model: pl.Series) -> Moved:
    return Moved(part, len(inputs), float(inputs.sum()), float(model.sum()))


def _points(loans: pl.DataFrame, document: ModelDocument) -> pl.DataFrame:
    """What each feature adds to the points of each loan, before they are rounded."""
    scale = scale_of(document.score)
    points = terms_of(loans, document) * -scale.a_unit
    constant = scale.at_even_odds - scale.a_unit * document.constant
    return points.with_columns(pl.lit(constant).alias(SCALE))


def _difference(later: pl.DataFrame, earlier: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The one less the other; a feature that a model has not adds nothing in it."""
    return pl.DataFrame({name: _of(later, name) - _of(earlier, name) for name in names})


def _of(points: pl.DataFrame, name: str) -> pl.Series:
    return points[name] if name in points.columns else pl.repeat(0.0, points.height, eager=True)
