"""Training rows -> model documents, recalibrated on held-out loans and tested on unseen ones.

One design serves all treatments and penalties.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from pyspark import inheritable_thread_target
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.loading import contract_hash
from credit_spark.contract.models import Contract, Penalty, Treatment
from credit_spark.evaluation.cells import Cell, Folds, collected, counted
from credit_spark.evaluation.curves import cutoff
from credit_spark.evaluation.figures import Figure, pooled
from credit_spark.evaluation.metrics import auc, log_loss
from credit_spark.modelling.binning import binned
from credit_spark.modelling.imbalance import WEIGHT, Classes, classes, offset, treated, weights
from credit_spark.modelling.regression import Design, fit, linear, vectors
from credit_spark.modelling.smote import SmotePlan, smoted
from credit_spark.modelling.splits import random_quarter
from credit_spark.modelling.watching import watched_score
from credit_spark.pipeline.assessment import CV, Measured, assessed, pooled_cells
from credit_spark.pipeline.book import Book, partitions_of
from credit_spark.pipeline.context import RunContext
from credit_spark.scoring.document import Facts, HeldOut, ModelDocument, refusals
from credit_spark.scoring.frames import Kinds, scores_of

Made = TypeVar("Made")
Variants = Sequence[tuple[Treatment, Penalty]]


class TrainingSet(NamedTuple):
    """Rows to learn from, their classes, their design and vectors: the same for every treatment."""

    rows: DataFrame
    counts: Classes
    design: Design
    vectors: DataFrame


class Trial(NamedTuple):
    """A model, and its results on every data set."""

    document: ModelDocument
    measured: Measured


def fitted(run: RunContext, book: Book, rows: DataFrame, variants: Variants) -> list[ModelDocument]:
    """A document for each treatment and penalty, fitted on the same rows."""
    contract, plan = run.contract, run.contract.model
    learnt = training_set(contract, book, rows)
    counts = learnt.counts
    documents = []
    for treatment, penalty in variants:
        training = _treated(run, book, learnt, treatment)
        equation = fit(learnt.design, training, penalty).equation
        facts = Facts(
            as_of=run.as_of,
            treatment=treatment,
            rows=counts.rows,
            **counts._asdict(),
            out_of_time_from=book.cutoff,
            folds=plan.folds,
            seed=plan.seed,
            **penalty._asdict(),
        )
        document = ModelDocument(
            portfolio=contract.portfolio,
            contract_hash=contract_hash(contract),
            features=equation.terms,
            left_out=book.left_out,
            intercept=equation.intercept,
            # What the treatment has shifted the odds by is taken off.
            offset=offset(counts, weights(training)),
            score=contract.score,
            refusals=refusals(contract),
            facts=facts,
        )
        documents.append(document)
    return documents


def training_set(contract: Contract, book: Book, rows: DataFrame) -> TrainingSet:
    """Rows of the book, all or some, made ready for a model of the contract's form."""
    if contract.model.form == "binned":
        design = binned(rows, book.features, contract)
    else:
        design = linear(rows, book.features, book.terms)
    return TrainingSet(rows, classes(rows), design, vectors(design, rows, "loan_id", "label"))


def _treated(run: RunContext, book: Book, learnt: TrainingSet, treatment: Treatment) -> DataFrame:
    """Treated vectors, with `label` and `weight`."""
    counts, seed = learnt.counts, run.contract.model.seed
    if treatment != "smote":
        return treated(learnt.vectors, treatment, counts, seed)
    # Rows are made up between features, not between vectors, where a text is several numbers.
    after_smote = partitions_of(run, int(2 * max(counts)))
    plan = SmotePlan(book.features, run.settings.training.smote_rows, after_smote)
    made_equal = smoted(learnt.rows, counts.rows, seed, plan).withColumn(WEIGHT, F.lit(1.0))
    return vectors(learnt.design, made_equal, "label", WEIGHT)


def tried(run: RunContext, book: Book, variants: Variants, *, random_split: bool) -> list[Trial]:
    """A fit with each treatment and penalty, measured on every data set."""
    documents, raw = fitted_and_counted(run, book, variants)
    if random_split:
        # It flatters where equal loans then stand on both sides.
        quarter = held_out(run, book, random_quarter(run.contract), variants)
        for own, cells in zip(raw, quarter, strict=True):
            own["random_split"] = {None: cells}
    return [_trial(book, *each) for each in zip(documents, raw, strict=True)]


def _trial(book: Book, document: ModelDocument, raw: dict[str, Folds]) -> Trial:
    """A fit that is recalibrated and measured by its cells."""
    line, cells, figures = assessed(raw, document.score, document.offset)
    own = cells["train"][None]
    approved = cutoff(own, document.score.decisions.approve_below).share
    more = {
        "recalibration": line,
        "watched": (watched_score(own), *book.watched),
        "held_out": HeldOut(auc=pooled(figures[CV], "auc"), approval_rate=approved),
    }
    document = document.model_copy(update=more)
    return Trial(document, Measured(document.version, document.facts.treatment, cells, figures))


def fitted_and_counted(
    run: RunContext, book: Book, variants: Variants
) -> tuple[list[ModelDocument], list[dict[str, Folds]]]:
    """Fits, not yet recalibrated, and their cells: in the folds, of their own rows, out of time."""
    documents = fitted(run, book, book.development, variants)
    raw = [{CV: folds} for folds in cross_validated(run, book, variants)]
    sets = {"train": book.development.select("loan.*"), "out_of_time": book.out_of_time}
    for name, rows in sets.items():
        if rows is not None:
            found = cells_of(rows, documents, run.contract.kinds)
            for own, cells in zip(raw, found, strict=True):
                own[name] = {None: cells}
    return documents, raw


def chosen_penalty(run: RunContext, book: Book) -> tuple[Penalty, list[Figure]]:
    """The penalty with the least log loss in the folds, of equals the strongest; each's figures.

    Fitted with no treatment, whose log-odds need no calibration.
    """
    penalties = run.contract.model.penalties
    if len(penalties) == 1:
        return penalties[0], []
    variants: Variants = [("none", each) for each in penalties]
    cells = [pooled_cells(each) for each in cross_validated(run, book, variants)]
    losses = [log_loss(each) or 0.0 for each in cells]
    figures = [
        Figure(metric.__name__, metric(each), book.counts.rows, str(penalty))
        for penalty, each in zip(penalties, cells, strict=True)
        for metric in (log_loss, auc)
    ]
    return penalties[losses.index(min(losses))], figures


def cross_validated(run: RunContext, book: Book, variants: Variants) -> list[Folds]:
    """The cells of each fold, scored by models that were fitted, and treated, on the others.

    As many as `fitted` has documents, in its order.
    """
    folds = in_each_fold(
        run, book, lambda fold: held_out(run, book, F.col("fold") == fold, variants)
    )
    return [dict(zip(folds, each, strict=True)) for each in zip(*folds.values(), strict=True)]


def held_out(
    run: RunContext, book: Book, is_held_out: Column, variants: Variants
) -> list[list[Cell]]:
    """The cells of some loans, scored by models that were fitted, and treated, on the rest."""
    documents = fitted(run, book, book.development.where(~is_held_out), variants)
    loans = book.development.where(is_held_out).select("loan.*")
    return cells_of(loans, documents, run.contract.kinds)


def in_each_fold(
    run: RunContext, book: Book, function: Callable[[int], Made]
) -> dict[int | None, Made]:
    """What a function makes of each fold's number, several at once."""
    folds = range(run.contract.model.folds)
    inheritable = inheritable_thread_target(book.development.sparkSession)
    with ThreadPoolExecutor(run.settings.training.parallel_fits) as pool:
        return dict(zip(folds, pool.map(inheritable(function), folds), strict=True))


def cells_of(rows: DataFrame, documents: Sequence[ModelDocument], kinds: Kinds) -> list[list[Cell]]:
    """The cells of loans, scored by each document: one aggregation a document."""
    scored = (scores_of(rows, each, kinds, ["outcome"]) for each in documents)
    return [collected(counted(each)) for each in scored]
