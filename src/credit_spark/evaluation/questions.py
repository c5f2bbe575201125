"""What suites ask of a table, counted block by block: a part of the rows tells numbers that add up.

Metrics have Great Expectations' names, and mean what they mean there: an unexpected count is of
the rows that have a value and break the expectation; a mean, a least and a greatest value are of
the rows that have one.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import polars as pl

# Of a part of the rows, for one question; None: no row has a value. And for all questions.
Numbers = Sequence[float | None]
Told = Sequence[Numbers]
LARGEST_WHOLE = 2**53
# What values of a Spark type are in JSON.
OF_THE_TYPE: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "int": (int,), "double": (int, float),
}  # fmt: skip
# Told by all rows beside each other, not by adding up what parts of them tell.
UNIQUE = "column_values.unique.unexpected_count"


class Question(NamedTuple):
    """A metric, of a column ('' is the table), on terms of its own, as JSON."""

    metric: str
    column: str
    terms: str = "{}"

    @classmethod
    def on(cls, metric: str, column: str, terms: Mapping[str, Any]) -> Self:
        """The question on these terms."""
        return cls(metric, column, json.dumps(terms, sort_keys=True, default=str))

    def term(self, name: str) -> Any:
        """One of its terms; None: it is not given."""
        return dict(json.loads(self.terms)).get(name)


ROWS = Question("table.row_count", "")
Answers = dict[Question, float | None]


class Questionnaire(NamedTuple):
    """What is asked of a table's rows, part by part, and what is seen beside its columns.

    Of columns that are to be `unique`, all rows have to be put side by side.
    """

    questions: Sequence[Question] = ()
    unique: Sequence[Question] = ()
    beside: Mapping[str, pl.Expr] = MappingProxyType({})

    @classmethod
    def of(
        cls, asked: Iterable[Question], types: Mapping[str, str], beside: Mapping[str, pl.Expr]
    ) -> Self:
        """Those questions that are answered here, of columns of such Spark types."""
        known = [each for each in asked if is_counted(each, types)]
        told = [each for each in known if each.metric != UNIQUE]
        unique = [each for each in known if each.metric == UNIQUE]
        columns = {each.column for each in told}
        seen = {name: expr for name, expr in beside.items() if name in columns}
        return cls([*dict.fromkeys([ROWS, *told])] if known else [], unique, seen)

    @property
    def columns(self) -> list[str]:
        """The table's columns that have to be read."""
        names = {each.column for each in self.questions} - {"", *self.beside}
        return sorted(names.union(*(each.meta.root_names() for each in self.beside.values())))

    def numbers(self, rows: pl.DataFrame) -> Told:
        """What a part of the rows tells of each question."""
        asked = [FIGURES[each.metric].numbers(each) for each in self.questions]
        named = {f"{nth}": expr for nth, expr in enumerate(expr for each in asked for expr in each)}
        found = rows.with_columns(**self.beside).select(**named)
        numbers = iter(found.row(0) if named else ())
        return [[next(numbers) for _ in each] for each in asked]

    def together(self, parts: Iterable[Told]) -> Told:
        """What several parts of the rows, one at least, tell of each question."""
        of_each = zip(self.questions, zip(*parts, strict=True), strict=True)
        return [_together(FIGURES[each.metric], numbers) for each, numbers in of_each]

    def answers(self, parts: Iterable[Told]) -> Answers:
        """What all parts tell together; None where no row has a value."""
        of_each = zip(self.questions, self.together(parts), strict=True)
        return {each: FIGURES[each.metric].told(*numbers) for each, numbers in of_each}


NOTHING_ASKED = Questionnaire()


class Figure(NamedTuple):
    """How a metric is counted.

    `numbers` are of a block, `together` makes one of two parts' numbers, `told` is the metric
    itself; `suits`: whether it is so counted on a column of a Spark type.
    """

    numbers: Callable[[Question], Sequence[pl.Expr]]
    suits: Callable[[Question, str], bool]
    together: Callable[[float, float], float] = add
    told: Callable[..., float | None] = lambda number: number


def is_counted(question: Question, types: Mapping[str, str]) -> bool:
    """Whether it is answered here, of columns of such Spark types."""
    type_ = types.get(question.column, "")
    if question.metric == UNIQUE:
        return type_ == "string"
    figure = FIGURES.get(question.metric)
    return figure is not None and figure.suits(question, type_)


def _together(figure: Figure, parts: Sequence[Numbers]) -> Numbers:
    return [_merged(figure, numbers) for numbers in zip(*parts, strict=True)]


def _merged(figure: Figure, numbers: Sequence[float | None]) -> float | None:
    known = [each for each in numbers if each is not None]
    return reduce(figure.together, known) if known else None


def _breaking(expected: pl.Expr) -> list[pl.Expr]:
    """How many rows break an expectation; those without a value do not."""
    return [(~expected).sum()]


def _values(question: Question) -> pl.Expr:
    return pl.col(question.column)


def _in_set(question: Question) -> pl.Expr:
    known, values = question.term("value_set"), _values(question)
    if isinstance(known[0], str):
        return values.is_in(known)
    # A set may have whole numbers among others; Polars compares with one type at a time.
    return values.cast(pl.Float64).is_in(pl.Series(known, dtype=pl.Float64).implode())


def _between(question: Question) -> pl.Expr:
    values = _values(question)
    low, high = question.term("min_value"), question.term("max_value")
    above = pl.Expr.gt if question.term("strict_min") else pl.Expr.ge
    below = pl.Expr.lt if question.term("strict_max") else pl.Expr.le
    bounds = [(above, low), (below, high)]
    is_inside = [compared(values, bound) for compared, bound in bounds if bound is not None]
    return pl.all_horizontal(is_inside)


def _sum_and_count(question: Question) -> list[pl.Expr]:
    values = _values(question).cast(pl.Float64)
    return [values.sum(), values.count()]


def _mean(total: float | None, rows: float | None) -> float | None:
    return total / rows if total is not None and rows else None


def _is_of_numbers(_: Question, type_: str) -> bool:
    return type_ in ("int", "double")


def _is_whole(_: Question, type_: str) -> bool:
    """Of doubles, engines do not agree on where one that is no number stands."""
    return type_ == "int"


def _suits_bounds(question: Question, type_: str) -> bool:
    bounds = [question.term("min_value"), question.term("max_value")]
    given = [each for each in bounds if each is not None]
    return _is_of_numbers(question, type_) and bool(given) and _are(given, int, float)


def _suits_set(question: Question, type_: str) -> bool:
    """Values of the column's own type: what others are equal to, engines do not agree on."""
    values = question.term("value_set")
    if not isinstance(values, list) or not values:
        return False
    return type_ in OF_THE_TYPE and _are(values, *OF_THE_TYPE[type_])


def _are(values: Sequence[Any], *types: type) -> bool:
    """Values of such types; of whole numbers, those that a double tells apart."""
    return all(
        type(each) in types and (not isinstance(each, int) or abs(each) < LARGEST_WHOLE)
        for each in values
    )


FIGURES: Mapping[str, Figure] = {
    ROWS.metric: Figure(lambda _: [pl.len()], lambda *_: True),
    "column_values.nonnull.unexpected_count": Figure(
        lambda asked: [_values(asked).null_count()], lambda _, type_: type_ != ""
    ),
    "column_values.in_set.unexpected_count": Figure(
        lambda asked: _breaking(_in_set(asked)), _suits_set
    ),
    "column_values.not_in_set.unexpected_count": Figure(
        lambda asked: _breaking(~_in_set(asked)), _suits_set
    ),
    "column_values.between.unexpected_count": Figure(
        lambda asked: _breaking(_between(asked)), _suits_bounds
    ),
    "column.mean": Figure(_sum_and_count, _is_of_numbers, told=_mean),
    "column.min": Figure(lambda asked: [_values(asked).min()], _is_whole, min),
    "column.max": Figure(lambda asked: [_values(asked).max()], _is_whole, max),
}
