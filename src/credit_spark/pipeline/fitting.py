"""Training rows -> model documents, recalibrated on held-out loans and tested on unseen ones.

One design and its vectors serve all imbalance strategies and penalties.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from pyspark import inheritable_thread_target
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegressionModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.loading import contract_hash
from credit_spark.config.models import Contract, Penalty, Treatment
from credit_spark.evaluation.cells import Cell, Folds, collected, counted
from credit_spark.evaluation.figures import Figure, pooled
from credit_spark.evaluation.metrics import auc, log_loss
from credit_spark.features.columns import column_of, feature_stage
from credit_spark.monitoring.watching import watched_score
from credit_spark.pipeline.assessment import CV, Measured, assessed, pooled_cells
from credit_spark.pipeline.book import BESIDE, Book, partitions_of
from credit_spark.pipeline.context import RunContext
from credit_spark.scoring.document import Facts, HeldOut, ModelDocument
from credit_spark.scoring.frames import Kinds, terms_of
from credit_spark.scoring.inputs import inputs_of
from credit_spark.training.binning import binned
from credit_spark.training.imbalance import WEIGHT, offset, treated, weights
from credit_spark.training.regression import (
    Design,
    calibrated,
    fit,
    levels_of,
    linear,
    signs_of,
    slopes_of,
    vectors,
)
from credit_spark.training.smote import SmotePlan, smoted
from credit_spark.training.training_rows import FOLD, QUARTER, Holdout, TrainingRows

Made = TypeVar("Made")
Variants = Sequence[tuple[Treatment, Penalty]]


class TrainingSet(NamedTuple):
    """Rows to learn from, their design and vectors: the same for every imbalance strategy."""

    training: TrainingRows
    design: Design
    vectors: DataFrame


class Fit(NamedTuple):
    """A document, not yet recalibrated, and the regression that it stands for."""

    document: ModelDocument
    model: LogisticRegressionModel


class Trial(NamedTuple):
    """A model, its results on every data set, and the pipeline from `loans` to its PD."""

    document: ModelDocument
    measured: Measured
    pipeline: Callable[[], PipelineModel]


def training_set(contract: Contract, book: Book, training: TrainingRows) -> TrainingSet:
    """Rows of the book, all or some, made ready for a model of the contract's form."""
    features = book.columns.features
    if contract.model.form == "binned":
        design = binned(training, features, contract, book.means)
    elif training is book.training:
        # Of the same rows; another contract may expect other signs.
        signs = signs_of(book.columns, levels_of(book.design.stages), contract)
        return TrainingSet(training, book.design._replace(signs=signs), book.vectors)
    else:
        design = linear(training, book.columns, contract, book.ends)
    return TrainingSet(training, design, vectors(design, training.rows, *BESIDE))


def fitted(run: RunContext, book: Book, learnt: TrainingSet, variants: Variants) -> list[Fit]:
    """A fit for each imbalance strategy and penalty, on the same rows."""
    found = []
    for variant in variants:
        treatment, penalty = variant
        training, added = _treated(run, book, learnt, treatment)
        model = fit(learnt.design, training, penalty)
        found.append(Fit(_document(run, book, learnt, model, added, variant), model))
    return found


def _treated(
    run: RunContext, book: Book, learnt: TrainingSet, treatment: Treatment
) -> tuple[DataFrame, float]:
    """Treated vectors with `label` and `weight`, and what the treatment adds to the log-odds."""
    counts, seed = learnt.training.classes, run.contract.model.seed
    if treatment == "smote":
        # Rows are made up between features, not between vectors, where a text is several numbers.
        after = partitions_of(run, int(2 * max(counts)))
        indicated = [column_of(each) for each in sorted(book.columns.indicated)]
        rows_a_part = run.settings.training.smote_rows
        plan = SmotePlan(book.columns.features, rows_a_part, after, indicated)
        made_equal = smoted(learnt.training.rows, counts.rows, seed, plan)
        rows = vectors(learnt.design, made_equal.withColumn(WEIGHT, F.lit(1.0)), "label", WEIGHT)
    else:
        rows = treated(learnt.vectors, treatment, counts, seed)
    # Strategies that weigh say what they weigh; those that draw rows are counted.
    exact = {"none": counts, "class_weight": counts._replace(good=1.0, bad=1.0)}
    return rows, offset(counts, exact.get(treatment) or weights(rows))


def _document(
    run: RunContext,
    book: Book,
    learnt: TrainingSet,
    model: LogisticRegressionModel,
    added: float,
    variant: tuple[Treatment, Penalty],
) -> ModelDocument:
    """The document of a fit, not yet recalibrated."""
    treatment, penalty = variant
    contract, counts = run.contract, learnt.training.classes
    terms, intercept = learnt.design.equation(slopes_of(learnt.design, model), model.intercept)
    return ModelDocument(
        portfolio=contract.portfolio,
        contract_hash=contract_hash(contract),
        features=terms,
        left_out=book.left_out,
        intercept=intercept,
        offset=added,
        inputs=inputs_of(contract),
        facts=Facts(
            as_of=run.as_of,
            treatment=treatment,
            rows=counts.rows,
            **counts._asdict(),
            out_of_time_from=book.cutoff,
            folds=contract.model.folds,
            seed=contract.model.seed,
            **penalty._asdict(),
        ),
    )


def tried(run: RunContext, book: Book, variants: Variants, *, random_split: bool) -> list[Trial]:
    """A fit with each imbalance strategy and penalty, measured on every data set."""
    learnt, fits, raw = fitted_and_counted(run, book, variants)
    if random_split:
        # It flatters where equal loans then stand on both sides.
        quarter = held_out(run, book, Holdout(QUARTER, 1), variants)
        for own, cells in zip(raw, quarter, strict=True):
            own["random_split"] = {None: cells}
    return [_trial(run, book, learnt, *each) for each in zip(fits, raw, strict=True)]


def _trial(
    run: RunContext, book: Book, learnt: TrainingSet, found: Fit, raw: dict[str, Folds]
) -> Trial:
    """A fit that is recalibrated and measured by its cells."""
    line, cells, figures = assessed(raw, run.contract.score, found.document.offset)
    more = {
        "recalibration": line,
        "watched": (watched_score(cells["train"][None]), *book.watched),
        "held_out": HeldOut(auc=pooled(figures[CV], "auc")),
    }
    document = found.document.model_copy(update=more)

    def pipeline() -> PipelineModel:
        regression = calibrated(found.model, document.offset, line)
        stages = learnt.design.stages.stages
        return PipelineModel([feature_stage(book.columns.features), *stages, regression])

    measured = Measured(document.version, document.facts.treatment, cells, figures)
    return Trial(document, measured, pipeline)


def fitted_and_counted(
    run: RunContext, book: Book, variants: Variants
) -> tuple[TrainingSet, list[Fit], list[dict[str, Folds]]]:
    """Fits on all training rows, and cells by variant: in the folds, of own rows, out of time."""
    learnt = training_set(run.contract, book, book.training)
    fits = fitted(run, book, learnt, variants)
    raw = [{CV: folds} for folds in cross_validated(run, book, variants)]
    sets = {"train": book.training.rows.select("loan.*"), "out_of_time": book.out_of_time}
    for name, rows in sets.items():
        if rows is not None:
            for own, cells in zip(raw, cells_of(rows, fits, run.contract.kinds), strict=True):
                own[name] = {None: cells}
    return learnt, fits, raw


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
        Figure(metric.__name__, metric(each), book.training.classes.rows, str(penalty))
        for penalty, each in zip(penalties, cells, strict=True)
        for metric in (log_loss, auc)
    ]
    return penalties[losses.index(min(losses))], figures


def cross_validated(run: RunContext, book: Book, variants: Variants) -> list[Folds]:
    """The cells of each fold, scored by models that were fitted, and treated, on the others.

    As many as there are variants, in their order.
    """
    folds = in_each_fold(run, book, lambda fold: held_out(run, book, Holdout(FOLD, fold), variants))
    return [dict(zip(folds, each, strict=True)) for each in zip(*folds.values(), strict=True)]


def held_out(run: RunContext, book: Book, tested: Holdout, variants: Variants) -> list[list[Cell]]:
    """The cells of some loans, scored by models that were fitted, and treated, on the rest."""
    learnt = training_set(run.contract, book, book.training.without(tested))
    fits = fitted(run, book, learnt, variants)
    return cells_of(book.training.only(tested).select("loan.*"), fits, run.contract.kinds)


def in_each_fold(
    run: RunContext, book: Book, function: Callable[[int], Made]
) -> dict[int | None, Made]:
    """What a function makes of each fold's number, several at once."""
    folds = range(run.contract.model.folds)
    inheritable = inheritable_thread_target(book.training.rows.sparkSession)
    with ThreadPoolExecutor(run.settings.training.parallel_fits) as pool:
        return dict(zip(folds, pool.map(inheritable(function), folds), strict=True))


def cells_of(rows: DataFrame, fits: Sequence[Fit], kinds: Kinds) -> list[list[Cell]]:
    """The cells of loans, scored by each fit: one aggregation a fit."""
    scored = (terms_of(rows, each.document, kinds, ["outcome"]) for each in fits)
    # Points follow from the cells, once they are calibrated.
    columns = ("outcome", "log_odds", F.lit(0).alias("points"))
    return [collected(counted(each.select(*columns))) for each in scored]
