"""Training rows -> model documents, recalibrated on held-out loans and tested on unseen ones.

One design and its vectors serve all imbalance strategies and penalties.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial, reduce
from typing import Any, NamedTuple

from pyspark import inheritable_thread_target
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegressionModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.loading import contract_hash
from credit_spark.config.models import Contract, ImbalanceStrategy, Penalty
from credit_spark.evaluation.figures import Figure, pooled
from credit_spark.evaluation.metrics import auc, log_loss
from credit_spark.evaluation.score_bins import Folds, ScoreBin, counted
from credit_spark.features.columns import column_of, feature_stage
from credit_spark.monitoring.baselines import score_baseline
from credit_spark.pipeline.assessment import CV, Measured, assessed, pooled_score_bins
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.training_data import BESIDE, TrainingData, partitions_of
from credit_spark.scoring.document import Facts, HeldOut, ModelDocument
from credit_spark.scoring.frames import Kinds, terms_of
from credit_spark.scoring.inputs import inputs_of
from credit_spark.training.binning import binned
from credit_spark.training.imbalance import WEIGHT, SmotePlan, balanced, offset, smoted, weights
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
from credit_spark.training.splits import FOLD, QUARTER, Holdout, TrainingRows

Variants = Sequence[tuple[ImbalanceStrategy, Penalty]]
# The column that says which fit has scored a loan.
FIT_NUMBER = "fit_number"


class TrainingSet(NamedTuple):
    """Training rows, their design and vectors: the same for every imbalance strategy."""

    training: TrainingRows
    design: Design
    vectors: DataFrame


class Fit(NamedTuple):
    """A document, not yet recalibrated, and its regression."""

    document: ModelDocument
    model: LogisticRegressionModel


class Candidate(NamedTuple):
    """A model, its results on every data set, and the pipeline from `loans` to its PD."""

    document: ModelDocument
    measured: Measured
    pipeline: Callable[[], PipelineModel]


def training_set(contract: Contract, data: TrainingData, training: TrainingRows) -> TrainingSet:
    """Rows of the book, all or some, made ready for a model of the contract's form."""
    features = data.columns.features
    if contract.model.form == "binned":
        design = binned(training, features, contract, data.means)
    elif training is data.training:
        # Of the same rows; another contract may expect other signs.
        signs = signs_of(data.columns, levels_of(data.design.stages), contract)
        return TrainingSet(training, data.design._replace(signs=signs), data.vectors)
    else:
        design = linear(training, data.columns, contract, data.ends)
    return TrainingSet(training, design, vectors(design, training.rows, *BESIDE))


def fitted(
    run: RunContext, data: TrainingData, prepared: TrainingSet, variants: Variants
) -> list[Fit]:
    """A fit for each imbalance strategy and penalty, on the same rows."""
    found = []
    for variant in variants:
        strategy, penalty = variant
        training, added = _balanced(run, data, prepared, strategy)
        model = fit(prepared.design, training, penalty)
        found.append(Fit(_document(run, data, prepared, model, added, variant), model))
    return found


def _balanced(
    run: RunContext, data: TrainingData, prepared: TrainingSet, strategy: ImbalanceStrategy
) -> tuple[DataFrame, float]:
    """Balanced vectors with `label` and `weight`, and what the strategy adds to the log-odds."""
    counts, seed = prepared.training.classes, run.contract.model.seed
    if strategy == "smote":
        # Rows are made up between features, not between vectors, where a text is several numbers.
        after = partitions_of(run, int(2 * max(counts)))
        indicated = [column_of(each) for each in sorted(data.columns.indicated)]
        rows_a_part = run.settings.training.smote_rows
        levels = sum(map(len, data.columns.indexer.labelsArray)) if data.columns.indexer else 0
        plan = SmotePlan(data.columns.features, rows_a_part, after, indicated, levels)
        made_equal = smoted(prepared.training.rows, counts.rows, seed, plan)
        rows = vectors(prepared.design, made_equal.withColumn(WEIGHT, F.lit(1.0)), "label", WEIGHT)
    else:
        rows = balanced(prepared.vectors, strategy, counts, seed)
    # Strategies that weigh say what they weigh; those that draw rows are counted.
    exact = {"none": counts, "class_weight": counts._replace(good=1.0, bad=1.0)}
    return rows, offset(counts, exact.get(strategy) or weights(rows))


def _document(
    run: RunContext,
    data: TrainingData,
    prepared: TrainingSet,
    model: LogisticRegressionModel,
    added: float,
    variant: tuple[ImbalanceStrategy, Penalty],
) -> ModelDocument:
    """The document of a fit, not yet recalibrated."""
    strategy, penalty = variant
    contract, counts = run.contract, prepared.training.classes
    terms, intercept = prepared.design.equation(slopes_of(prepared.design, model), model.intercept)
    return ModelDocument(
        portfolio=contract.portfolio,
        contract_hash=contract_hash(contract),
        features=terms,
        left_out=data.left_out,
        intercept=intercept,
        offset=added,
        inputs=inputs_of(contract),
        facts=Facts(
            as_of=run.as_of,
            imbalance=strategy,
            rows=counts.rows,
            **counts._asdict(),
            out_of_time_from=data.cutoff,
            folds=contract.model.folds,
            seed=contract.model.seed,
            performance_months=contract.performance_months,
            **penalty._asdict(),
        ),
    )


def fitted_candidates(
    run: RunContext, data: TrainingData, variants: Variants, *, random_split: bool
) -> list[Candidate]:
    """A fit with each imbalance strategy and penalty, measured on every data set."""
    prepared, fits, raw = fitted_and_counted(run, data, variants)
    if random_split:
        # It flatters where equal loans then stand on both sides.
        quarter = held_out(run, data, Holdout(QUARTER, 1), variants)
        for own, score_bins in zip(raw, quarter, strict=True):
            own["random_split"] = {None: score_bins}
    return [_candidate(run, data, prepared, *each) for each in zip(fits, raw, strict=True)]


def _candidate(
    run: RunContext, data: TrainingData, prepared: TrainingSet, found: Fit, raw: dict[str, Folds]
) -> Candidate:
    """A fit that is recalibrated and measured by its score bins."""
    line, score_bins, figures = assessed(raw, run.contract.score, found.document.offset)
    more = {
        "recalibration": line,
        "baselines": (score_baseline(score_bins["train"][None]), *data.baselines),
        "held_out": HeldOut(auc=pooled(figures[CV], "auc")),
    }
    document = found.document.model_copy(update=more)

    def pipeline() -> PipelineModel:
        regression = calibrated(found.model, document.offset, line)
        stages = prepared.design.stages.stages
        return PipelineModel([feature_stage(data.columns.features), *stages, regression])

    measured = Measured(document.version, document.facts.imbalance, score_bins, figures)
    return Candidate(document, measured, pipeline)


def fitted_and_counted(
    run: RunContext, data: TrainingData, variants: Variants
) -> tuple[TrainingSet, list[Fit], list[dict[str, Folds]]]:
    """Fits on all training rows, and score bins by variant: of folds, in sample, out of time."""
    # First all loans, since they take longest.
    whole = partial(_fitted_on_all, run, data, variants)
    (prepared, fits, raw), *folds = in_parallel(run, [whole, *_of_folds(run, data, variants)])
    both = zip(_by_variant(folds), raw, strict=True)
    return prepared, fits, [{CV: of_folds, **own} for of_folds, own in both]


def _fitted_on_all(
    run: RunContext, data: TrainingData, variants: Variants
) -> tuple[TrainingSet, list[Fit], list[dict[str, Folds]]]:
    """Fits on all training rows, and score bins by variant: in sample and out of time."""
    prepared = training_set(run.contract, data, data.training)
    fits = fitted(run, data, prepared, variants)
    raw: list[dict[str, Folds]] = [{} for _ in fits]
    sets = {"train": data.training.rows.select("loan.*"), "out_of_time": data.out_of_time}
    for name, rows in sets.items():
        if rows is not None:
            found = score_bins_of(rows, fits, run.contract.kinds)
            for own, score_bins in zip(raw, found, strict=True):
                own[name] = {None: score_bins}
    return prepared, fits, raw


def chosen_penalty(run: RunContext, data: TrainingData) -> tuple[Penalty, list[Figure]]:
    """The penalty with the least log loss in the folds, of equals the strongest; each's figures.

    Fitted with no imbalance strategy, whose log-odds need no calibration.
    """
    penalties = run.contract.model.penalties
    if len(penalties) == 1:
        return penalties[0], []
    variants: Variants = [("none", each) for each in penalties]
    score_bins = [pooled_score_bins(each) for each in cross_validated(run, data, variants)]
    losses = [log_loss(each) or 0.0 for each in score_bins]
    figures = [
        Figure(metric.__name__, metric(each), data.training.classes.rows, str(penalty))
        for penalty, each in zip(penalties, score_bins, strict=True)
        for metric in (log_loss, auc)
    ]
    return penalties[losses.index(min(losses))], figures


def cross_validated(run: RunContext, data: TrainingData, variants: Variants) -> list[Folds]:
    """The score bins of each fold, scored by models that were fitted on the others.

    As many as there are variants, in their order.
    """
    return _by_variant(in_parallel(run, _of_folds(run, data, variants)))


def _of_folds(
    run: RunContext, data: TrainingData, variants: Variants
) -> list[Callable[[], list[list[ScoreBin]]]]:
    """What yields each fold's score bins, by variant."""
    folds = (Holdout(FOLD, nth) for nth in range(run.contract.model.folds))
    return [partial(held_out, run, data, each, variants) for each in folds]


def _by_variant(folds: Iterable[Sequence[Sequence[ScoreBin]]]) -> list[Folds]:
    return [dict(enumerate(each)) for each in zip(*folds, strict=True)]


def held_out(
    run: RunContext, data: TrainingData, tested: Holdout, variants: Variants
) -> list[list[ScoreBin]]:
    """The score bins of some loans, scored by models that were fitted on the rest."""
    prepared = training_set(run.contract, data, data.training.without(tested))
    fits = fitted(run, data, prepared, variants)
    return score_bins_of(data.training.only(tested).select("loan.*"), fits, run.contract.kinds)


def in_parallel(run: RunContext, tasks: Iterable[Callable[[], Any]]) -> list[Any]:
    """What functions that fit return, in their order; as many run at once as the settings say.

    Where one raises an error, those that have not begun do not begin.
    """
    with ThreadPoolExecutor(run.settings.training.parallel_fits) as pool:
        # Each has Spark's local properties for itself: a query's own are among them.
        own = [inheritable_thread_target(run.spark)(each) for each in tasks]
        futures = [pool.submit(each) for each in own]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        # They begin in their order, so the error comes before any that was cancelled.
        return [each.result() for each in futures]


def score_bins_of(rows: DataFrame, fits: Sequence[Fit], kinds: Kinds) -> list[list[ScoreBin]]:
    """The score bins of loans, scored by each fit: one aggregation of all."""
    scored = (
        _scored(rows, each.document, kinds).withColumn(FIT_NUMBER, F.lit(nth))
        for nth, each in enumerate(fits)
    )
    found: list[list[ScoreBin]] = [[] for _ in fits]
    for nth, *score_bin in counted(reduce(DataFrame.union, scored), [FIT_NUMBER]).collect():
        found[nth].append(ScoreBin(*score_bin))
    return [*map(sorted, found)]


def _scored(rows: DataFrame, document: ModelDocument, kinds: Kinds) -> DataFrame:
    """Loans with `outcome`, `log_odds` and no points, which follow once they are calibrated."""
    # Not by the regression itself: its training summary holds the session, which Spark cannot send
    # to executors once the session has had an Observation.
    terms = terms_of(rows, document, kinds, ["outcome"])
    return terms.select("outcome", "log_odds", F.lit(0).alias("points"))
