"""Treatments' models, recalibrated on held-out loans and tested on what they have not seen."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import Penalty, Treatment
from credit_spark.evaluation.cells import Cell, Folds, collected, counted
from credit_spark.evaluation.figures import pooled
from credit_spark.modelling.splits import random_quarter
from credit_spark.modelling.watching import watched_score
from credit_spark.pipeline.assessment import CV, DataSets, Measured, approval_rate, assessed
from credit_spark.pipeline.book import Book
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.fitting import fitted
from credit_spark.scoring.document import HeldOut, ModelDocument
from credit_spark.scoring.frames import Kinds, kinds_of, scores_of

Made = TypeVar("Made")


class Trial(NamedTuple):
    """A model, and its results on every data set."""

    document: ModelDocument
    measured: Measured


def tried(
    run: RunContext,
    book: Book,
    treatments: Sequence[Treatment],
    penalty: Penalty,
    *,
    random_split: bool = False,
) -> list[Trial]:
    """A fit with each treatment, measured on every data set.

    The folds' fits are held against their held-out loans, each fold's log-odds recalibrated by
    the outcomes of the other folds; the model itself by those of all folds.
    """
    documents, raw = fitted_and_counted(run, book, treatments, penalty)
    if random_split:
        flattered = randomly_held_out(run, book, treatments, penalty)
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
    run: RunContext, book: Book, treatments: Sequence[Treatment], penalty: Penalty
) -> tuple[list[ModelDocument], list[DataSets]]:
    """Fits, not yet recalibrated, and their cells: in the folds, of their own rows, out of time."""
    documents = fitted(run, book, book.development, treatments, [penalty])
    in_folds = cross_validated(run, book, treatments, [penalty])
    others = {"train": book.development.select("loan.*")}
    if book.out_of_time is not None:
        others["out_of_time"] = book.out_of_time
    kinds = kinds_of(run.contract)
    cells = {name: cells_of(rows, documents, kinds) for name, rows in others.items()}
    return documents, [
        {CV: folds, **{name: {None: own[nth]} for name, own in cells.items()}}
        for nth, folds in enumerate(in_folds)
    ]


def cross_validated(
    run: RunContext, book: Book, treatments: Sequence[Treatment], penalties: Sequence[Penalty]
) -> list[Folds]:
    """The cells of each fold, scored by models that were fitted, and treated, on the others.

    As many as `fitted` has documents, in its order.
    """

    def held_out(number: int) -> list[list[Cell]]:
        others = book.development.where(F.col("fold") != number)
        loans = book.development.where(F.col("fold") == number).select("loan.*")
        documents = fitted(run, book, others, treatments, penalties)
        return cells_of(loans, documents, kinds_of(run.contract))

    folds = in_each_fold(run, book, held_out)
    return [dict(zip(folds, each, strict=True)) for each in zip(*folds.values(), strict=True)]


def in_each_fold(
    run: RunContext, book: Book, function: Callable[[int], Made]
) -> dict[int | None, Made]:
    """What a function makes of each fold's number, several at once."""
    folds = range(run.contract.model.folds)
    inheritable = inheritable_thread_target(book.development.sparkSession)
    with ThreadPoolExecutor(run.settings.training.parallel_fits) as pool:
        return dict(zip(folds, pool.map(inheritable(function), folds), strict=True))


def randomly_held_out(
    run: RunContext, book: Book, treatments: Sequence[Treatment], penalty: Penalty
) -> list[list[Cell]]:
    """A random quarter, scored by models, one a treatment, that were fitted on the rest.

    It flatters where equal loans then stand on both sides.
    """
    is_held_out = random_quarter(run.contract)
    others = book.development.where(~is_held_out)
    loans = book.development.where(is_held_out).select("loan.*")
    documents = fitted(run, book, others, treatments, [penalty])
    return cells_of(loans, documents, kinds_of(run.contract))


def cells_of(rows: DataFrame, documents: Sequence[ModelDocument], kinds: Kinds) -> list[list[Cell]]:
    """The cells of loans, scored by each document: one aggregation a document."""
    scored = (scores_of(rows, each, kinds, ["outcome"]) for each in documents)
    return [collected(counted(each)) for each in scored]
