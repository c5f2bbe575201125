"""One treatment's model: fitted, recalibrated on held-out loans, tested on what it has not seen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import NamedTuple, TypeVar

import polars as pl
import pyarrow as pa
from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.adapters.session import kept
from credit_spark.contract.loading import contract_hash
from credit_spark.contract.models import Contract, Penalty, Treatment
from credit_spark.evaluation.cells import Cell, Folds, added, cells_of_tallies, tallied
from credit_spark.evaluation.figures import pooled
from credit_spark.modelling.binning import BinnedFit, binned_fits
from credit_spark.modelling.document import Facts, HeldOut, ModelDocument
from credit_spark.modelling.imbalance import Classes, classes, offset, treated, weights
from credit_spark.modelling.refusals import refusals
from credit_spark.modelling.regression import Fit, Legend, fits
from credit_spark.modelling.scoring import columns_read, scored
from credit_spark.modelling.smote import SmotePlan
from credit_spark.modelling.splits import random_quarter
from credit_spark.modelling.watching import watched_score
from credit_spark.steps import Night
from credit_spark.steps.assessment import CV, Measured, approval_rate, assessed
from credit_spark.steps.book import Book, partitions_of

Made = TypeVar("Made")
TALLY = "cell int, points int, good bigint, bad bigint, open bigint"


class Trial(NamedTuple):
    """A model, and what it came to on every data set."""

    document: ModelDocument
    measured: Measured


def tried(
    night: Night, book: Book, treatment: Treatment, penalty: Penalty, *, random_split: bool = False
) -> Trial:
    """A fit with one treatment, measured on every data set.

    The folds' fits are held against their held-out loans, each fold's log-odds recalibrated by
    what the other folds came to; the model itself by what all of them came to.
    """
    document, raw = fitted_and_counted(night, book, treatment, penalty)
    if random_split:
        raw["random_split"] = {None: randomly_held_out(night, book, treatment, penalty)}
    found = assessed(raw, document.score, document.offset)
    watched = (watched_score(found.cells["train"][None]), *book.watched)
    held_out = HeldOut(
        auc=pooled(found.figures[CV], "auc"),
        approval_rate=approval_rate(found.cells["train"][None], document.score),
    )
    more = {"recalibration": found.line, "watched": watched, "held_out": held_out}
    document = document.model_copy(update=more)
    return Trial(document, Measured(document.version, treatment, found.cells, found.figures))


def fitted_and_counted(
    night: Night, book: Book, treatment: Treatment, penalty: Penalty
) -> tuple[ModelDocument, dict[str, Folds]]:
    """A fit, not yet recalibrated, and its cells: in the folds, of its own rows, out of time."""
    document = fitted(night, book, book.development, book.seen, treatment, penalty)
    raw: dict[str, Folds] = {
        CV: cross_validated(night, book, treatment, penalty),
        "train": {None: cells_of(book.development.select("loan.*"), document)},
    }
    if book.out_of_time is not None:
        raw["out_of_time"] = {None: cells_of(book.out_of_time, document)}
    return document, raw


def fitted(
    night: Night,
    book: Book,
    rows: DataFrame,
    seen: Classes,
    treatment: Treatment,
    penalty: Penalty,
) -> ModelDocument:
    """Fit on treated rows, and take the treatment's shift of the odds off again."""
    (document,) = fitted_by_each(night, book, rows, seen, treatment, [penalty])
    return document


def fitted_by_each(
    night: Night,
    book: Book,
    rows: DataFrame,
    seen: Classes,
    treatment: Treatment,
    penalties: Sequence[Penalty],
) -> list[ModelDocument]:
    """A document for each penalty, fitted on the same treated rows."""
    contract = night.contract
    after_smote = partitions_of(night, int(2 * max(seen)))
    smote = SmotePlan(book.features, night.settings.training.smote_rows, after_smote)
    # What is made up is dear to make again; the others are a move of what was kept.
    keep = kept if treatment == "smote" else nullcontext
    with keep(treated(rows, treatment, seen, contract.model.seed, smote)) as training:
        found = _of_form(contract, training, book, penalties)
        after = weights(training)
    return [
        ModelDocument(
            portfolio=contract.portfolio,
            contract_hash=contract_hash(contract),
            features=each.terms,
            left_out=book.left_out,
            intercept=each.intercept,
            offset=offset(seen, after),
            score=contract.score,
            refusals=refusals(contract),
            facts=_facts(night, book, seen, treatment, penalty),
        )
        for each, penalty in zip(found, penalties, strict=True)
    ]


def _of_form(
    contract: Contract,
    training: DataFrame,
    book: Book,
    penalties: Sequence[Penalty],
) -> Sequence[Fit | BinnedFit]:
    """A fit for each penalty, in the contract's form."""
    if contract.model.form == "binned":
        return binned_fits(training, book.features, contract, penalties)
    reasons = {name: each.reason for name, each in contract.features.items()}
    return fits(training, book.features, penalties, Legend(reasons, book.spreads, book.attained))


def _facts(
    night: Night, book: Book, seen: Classes, treatment: Treatment, penalty: Penalty
) -> Facts:
    plan = night.contract.model
    return Facts(
        as_of=night.as_of,
        treatment=treatment,
        rows=int(seen.good + seen.bad),
        good=int(seen.good),
        bad=int(seen.bad),
        out_of_time_from=book.cutoff,
        folds=plan.folds,
        seed=plan.seed,
        regularisation=penalty.regularisation,
        elastic_net=penalty.elastic_net,
    )


def cross_validated(
    night: Night, book: Book, treatment: Treatment, penalty: Penalty
) -> dict[int | None, list[Cell]]:
    """The cells of each fold, scored by a model that was fitted, and treated, on the others."""

    def held_out(number: int) -> list[Cell]:
        others = book.development.where(F.col("fold") != number)
        document = fitted(night, book, others, classes(others), treatment, penalty)
        return cells_of(of_fold(book, number), document)

    return in_each_fold(night, book, held_out)


def of_fold(book: Book, number: int) -> DataFrame:
    """The loans of one fold, with their own columns."""
    return book.development.where(F.col("fold") == number).select("loan.*")


def in_each_fold(
    night: Night, book: Book, function: Callable[[int], Made]
) -> dict[int | None, Made]:
    """What a function makes of each fold's number, several at once."""
    folds = range(night.contract.model.folds)
    inheritable = inheritable_thread_target(book.development.sparkSession)
    with ThreadPoolExecutor(night.settings.training.parallel_fits) as pool:
        return dict(zip(folds, pool.map(inheritable(function), folds), strict=True))


def randomly_held_out(
    night: Night, book: Book, treatment: Treatment, penalty: Penalty
) -> list[Cell]:
    """A random quarter, scored by a model that was fitted on the rest.

    It flatters where equal loans then stand on both sides.
    """
    is_held_out = random_quarter(night.contract)
    others = book.development.where(~is_held_out)
    document = fitted(night, book, others, classes(others), treatment, penalty)
    return cells_of(book.development.where(is_held_out).select("loan.*"), document)


def cells_of(rows: DataFrame, document: ModelDocument) -> list[Cell]:
    """Score loans and count them, in the tasks that hold them."""

    def tally(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scores = (scored(pl.DataFrame(batch), document, "outcome") for batch in batches)
        tallies = [tallied(each) for each in scores]
        if tallies:
            yield from added(tallies).to_arrow().to_batches()

    needed = rows.select(*columns_read(document), "outcome")
    return cells_of_tallies([pl.DataFrame(needed.mapInArrow(tally, TALLY).toArrow())])
