"""Training rows -> model documents: one design for all treatments and penalties."""

from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame

from credit_spark.contract.loading import contract_hash
from credit_spark.contract.models import Contract, Penalty, Treatment
from credit_spark.modelling.binning import binned
from credit_spark.modelling.imbalance import WEIGHT, Classes, classes, offset, treated, weights
from credit_spark.modelling.linear import linear
from credit_spark.modelling.regression import Design, fits, vectors
from credit_spark.modelling.smote import SmotePlan
from credit_spark.pipeline.book import Book, partitions_of
from credit_spark.pipeline.context import RunContext
from credit_spark.scoring.document import Facts, ModelDocument, refusals


class TrainingSet(NamedTuple):
    """Rows to learn from, their classes, what a regression sees of them, and their vectors.

    Nothing here is treated: it is the same for every treatment.
    """

    rows: DataFrame
    counts: Classes
    design: Design
    vectors: DataFrame


def fitted(
    run: RunContext,
    book: Book,
    rows: DataFrame,
    treatments: Sequence[Treatment],
    penalties: Sequence[Penalty],
) -> list[ModelDocument]:
    """A document for each treatment, and of each for each penalty, fitted on the same rows."""
    contract, plan = run.contract, run.contract.model
    learnt = training_set(contract, book, rows)
    counts = learnt.counts
    documents = []
    for treatment in treatments:
        training, labels = _treated(run, book, learnt, treatment)
        found = fits(learnt.design, training, penalties)
        # What the treatment has shifted the odds by is taken off.
        shift = offset(counts, weights(labels))
        for (equation, _), penalty in zip(found, penalties, strict=True):
            facts = Facts(
                as_of=run.as_of,
                treatment=treatment,
                rows=counts.rows,
                good=int(counts.good),
                bad=int(counts.bad),
                out_of_time_from=book.cutoff,
                folds=plan.folds,
                seed=plan.seed,
                regularisation=penalty.regularisation,
                elastic_net=penalty.elastic_net,
            )
            document = ModelDocument(
                portfolio=contract.portfolio,
                contract_hash=contract_hash(contract),
                features=equation.terms,
                left_out=book.left_out,
                intercept=equation.intercept,
                offset=shift,
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


def _treated(
    run: RunContext, book: Book, learnt: TrainingSet, treatment: Treatment
) -> tuple[DataFrame, DataFrame]:
    """Treated vectors, and a frame with the same labels and weights."""
    counts, seed = learnt.counts, run.contract.model.seed
    if treatment == "smote":
        # Rows are made up between features, not between vectors, where a text is several numbers.
        after_smote = partitions_of(run, int(2 * max(counts)))
        plan = SmotePlan(book.features, run.settings.training.smote_rows, after_smote)
        made_equal = treated(learnt.rows, treatment, counts, seed, plan)
        training = vectors(learnt.design, made_equal, "label", WEIGHT)
        return training, training
    # Where only labels are asked for, vectors need not be read.
    labels = learnt.rows.select("loan_id", "label")
    return (
        treated(learnt.vectors, treatment, counts, seed),
        treated(labels, treatment, counts, seed),
    )
