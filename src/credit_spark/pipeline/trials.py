"""Treatments' models, recalibrated on held-out loans and tested on what they have not seen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import polars as pl
import pyarrow as pa
from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import Penalty, Treatment
from credit_spark.evaluation.cells import Cell, Folds, added, cells_of_tallies, tallied
from credit_spark.evaluation.figures import pooled
from credit_spark.modelling.scoring import Scorer, columns_read
from credit_spark.modelling.splits import random_quarter
from credit_spark.modelling.watching import watched_score
from credit_spark.pipeline.assessment import CV, DataSets, Measured, approval_rate, assessed
from credit_spark.pipeline.book import Book
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.fitting import fitted
from credit_spark.scoring.document import HeldOut, ModelDocument

Made = TypeVar("Made")
# Which of the documents counted.
BY = "document"
TALLY = f"{BY} int, cell int, points int, good bigint, bad bigint, open bigint"


class Trial(NamedTuple):
    """A model, and what it came to on every data set."""

    document: ModelDocument
    measured: Measured


def tried(
    night: RunContext,
    book: Book,
    treatments: Sequence[Treatment],
    penalty: Penalty,
    *,
    random_split: bool = False,
) -> list[Trial]:
    """A fit with each treatment, measured on every data set.

    The folds' fits are held against their held-out loans, each fold's log-odds recalibrated by
    what the other folds came to; the model itself by what all of them came to.
    """
    documents, raw = fitted_and_counted(night, book, treatments, penalty)
    if random_split:
        flattered = randomly_held_out(night, book, treatments, penalty)
        raw = [
            {**own, "random_split": {None: cells}}
            for own, cells in zip(raw, flattered, strict=True)
        ]
    return [_trial(book, *each) for each in zip(documents, raw, strict=True)]


def _trial(book: Book, document: ModelDocument, raw: DataSets) -> Trial:
    """A fit that is recalibrated and measured by its cells."""
    found = assessed(raw, document.score, document.offset)
    watched = (watched_score(found.cells["train"][None]), *book.watched)
    held_out = HeldOut(
        auc=pooled(found.figures[CV], "auc"),
        approval_rate=approval_rate(found.cells["train"][None], document.score),
    )
    more = {"recalibration": found.line, "watched": watched, "held_out": held_out}
    document = document.model_copy(update=more)
    treatment = document.facts.treatment
    return Trial(document, Measured(document.version, treatment, found.cells, found.figures))


def fitted_and_counted(
    night: RunContext, book: Book, treatments: Sequence[Treatment], penalty: Penalty
) -> tuple[list[ModelDocument], list[DataSets]]:
    """Fits, not yet recalibrated, and their cells: in the folds, of their own rows, out of time."""
    documents = fitted(night, book, book.development, treatments, [penalty])
    in_folds = cross_validated(night, book, treatments, [penalty])
    others = {"train": book.development.select("loan.*")}
    if book.out_of_time is not None:
        others["out_of_time"] = book.out_of_time
    cells = {name: cells_of(rows, documents) for name, rows in others.items()}
    return documents, [
        {CV: folds, **{name: {None: own[nth]} for name, own in cells.items()}}
        for nth, folds in enumerate(in_folds)
    ]


def cross_validated(
    night: RunContext, book: Book, treatments: Sequence[Treatment], penalties: Sequence[Penalty]
) -> list[Folds]:
    """The cells of each fold, scored by models that were fitted, and treated, on the others.

    As many as `fitted` has documents, in its order.
    """

    def held_out(number: int) -> list[list[Cell]]:
        others = book.development.where(F.col("fold") != number)
        loans = book.development.where(F.col("fold") == number).select("loan.*")
        return cells_of(loans, fitted(night, book, others, treatments, penalties))

    folds = in_each_fold(night, book, held_out)
    return [dict(zip(folds, each, strict=True)) for each in zip(*folds.values(), strict=True)]


def in_each_fold(
    night: RunContext, book: Book, function: Callable[[int], Made]
) -> dict[int | None, Made]:
    """What a function makes of each fold's number, several at once."""
    folds = range(night.contract.model.folds)
    inheritable = inheritable_thread_target(book.development.sparkSession)
    with ThreadPoolExecutor(night.settings.training.parallel_fits) as pool:
        return dict(zip(folds, pool.map(inheritable(function), folds), strict=True))


def randomly_held_out(
    night: RunContext, book: Book, treatments: Sequence[Treatment], penalty: Penalty
) -> list[list[Cell]]:
    """A random quarter, scored by models, one a treatment, that were fitted on the rest.

    It flatters where equal loans then stand on both sides.
    """
    is_held_out = random_quarter(night.contract)
    others = book.development.where(~is_held_out)
    loans = book.development.where(is_held_out).select("loan.*")
    return cells_of(loans, fitted(night, book, others, treatments, [penalty]))


def cells_of(rows: DataFrame, documents: Sequence[ModelDocument]) -> list[list[Cell]]:
    """Score loans by each document and count them, in the tasks that hold them."""

    def tally(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorers = [Scorer(each) for each in documents]
        sums: list[pl.DataFrame] = []
        for loans in map(pl.DataFrame, batches):
            tallies = [tallied(each.scored(loans, ["outcome"])) for each in scorers]
            by_document = [
                each.select(pl.lit(nth, pl.Int32).alias(BY), "*")
                for nth, each in enumerate(tallies)
            ]
            # Added as it goes: as many rows as scales have, however many batches.
            sums = [added([*sums, *by_document], [BY])]
        for each in sums:
            yield from each.to_arrow().to_batches()

    columns = sorted({column for each in documents for column in columns_read(each)})
    counts = pl.DataFrame(rows.select(*columns, "outcome").mapInArrow(tally, TALLY).toArrow())
    of_each = (counts.filter(pl.col(BY) == nth).drop(BY) for nth in range(len(documents)))
    return [cells_of_tallies([each]) for each in of_each]
