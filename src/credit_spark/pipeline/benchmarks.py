"""Models beside the champion, on its features and folds: what it leaves on the table.

Each is fitted with no imbalance strategy and recalibrated as the logistic regression is.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import GBTClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import InputError
from credit_spark.config.models import Form
from credit_spark.config.tables import WIDEST_LOG_ODDS
from credit_spark.evaluation.score_bins import (
    ScoreBin,
    collected,
    counted,
    plainly_counted,
)
from credit_spark.features.columns import featured, numbers_and_texts
from credit_spark.pipeline.assessment import CV, DataSets, Measured, assessed
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.fitting import chosen_penalty, fitted_and_counted, in_parallel
from credit_spark.pipeline.training_data import TrainingData
from credit_spark.scoring.policy import scale_of
from credit_spark.training.binning import optbinning
from credit_spark.training.lstm import Lstm, Rows, keras
from credit_spark.training.regression import (
    IMPUTED,
    INDEX,
    SCALED,
    Columns,
    imputed_and_indexed,
    linear,
    named,
)
from credit_spark.training.splits import FOLD, Holdout, TrainingRows

Benchmark = Literal["linear", "binned", "free", "boosted_trees", "lstm"]
# An LSTM is trained in one process, whose memory holds all rows.
MAX_ROWS_OF_LSTM = 50_000
MIN_FOLDS_OF_LSTM = 3
TREES, DEPTH, STEP = 60, 4, 0.15
MIN_A_LEAF = 20
# Cuts of a number; at least as many as a text has levels.
CUTS = 32


def benchmarked(run: RunContext, data: TrainingData, name: Benchmark) -> Measured:
    """A benchmark's score bins and figures, held-out folds first."""
    _, score_bins, figures = assessed(BENCHMARKS[name](run, data), run.contract.score)
    return Measured(name, "none", score_bins, figures)


def check_benchmarks(run: RunContext, data: TrainingData, names: Collection[Benchmark]) -> None:
    """Raise InputError where one cannot be fitted: not installed, or a book too large or small."""
    if "binned" in (*names, run.contract.model.form):
        optbinning()
    if "lstm" not in names:
        return
    folds, own = run.contract.model.folds, "the LSTM is trained and tested on folds of its own"
    if data.training.classes.rows > MAX_ROWS_OF_LSTM:
        raise InputError(
            f"the LSTM is trained in the memory of one process, on at most {MAX_ROWS_OF_LSTM:,} "
            f"loans; this book has {data.training.classes.rows:,}. Train without it"
        )
    if folds < MIN_FOLDS_OF_LSTM:
        raise InputError(f"{own}: model.folds must be {MIN_FOLDS_OF_LSTM} at least")
    if len(data.training.counts[FOLD].unique()) < folds:
        raise InputError(
            f"{own}, and a fold has no loan: too few borrowers, or too few loans that differ. "
            "Train without it"
        )
    keras()


def of_form(run: RunContext, data: TrainingData, form: Form) -> DataSets:
    """Score bins of a logistic regression of another form: along lines, or on evidence of bins."""
    plan = run.contract.model.model_copy(update={"form": form})
    return _of_contract(run, data, {"model": plan})


def free(run: RunContext, data: TrainingData) -> DataSets:
    """Score bins of a fit that does not keep to what the contract expects of features."""
    features = {
        name: each.model_copy(update={"expect": None})
        for name, each in run.contract.features.items()
    }
    return _of_contract(run, data, {"features": features})


def _of_contract(run: RunContext, data: TrainingData, changes: Mapping[str, object]) -> DataSets:
    other = replace(run, contract=run.contract.model_copy(update=changes))
    _, _, (found,) = fitted_and_counted(other, data, [("none", chosen_penalty(other, data)[0])])
    return found


def boosted_trees(run: RunContext, data: TrainingData) -> DataSets:
    """Score bins of gradient-boosted trees: in the folds, of their training rows, out of time."""
    rows = data.training.rows.withColumn("outcome", F.col("loan.outcome"))
    training, features = data.training._replace(rows=rows), data.columns.features
    # Spark's trees vote for half of the log-odds.
    exact = 2 * vector_to_array(F.col("rawPrediction"))[1]
    log_odds = F.greatest(F.least(exact, F.lit(WIDEST_LOG_ODDS)), F.lit(-WIDEST_LOG_ODDS))
    columns = ("outcome", log_odds.alias("log_odds"), F.lit(0).alias("points"))

    def score_bins(fitted_on: TrainingRows, *others: DataFrame) -> list[list[ScoreBin]]:
        trees = boosted(fitted_on, data.columns, run.contract.model.seed)
        return [collected(counted(trees.transform(each).select(*columns))) for each in others]

    def held_out(number: int) -> list[ScoreBin]:
        tested = Holdout(FOLD, number)
        return score_bins(training.without(tested), training.only(tested))[0]

    folds = in_parallel(run, [partial(held_out, nth) for nth in range(run.contract.model.folds)])
    sets = {"train": rows}
    if data.out_of_time is not None:
        outcome = {"outcome": F.col("outcome")}
        sets["out_of_time"] = featured(data.out_of_time, features, outcome)
    whole = zip(sets, score_bins(training, *sets.values()), strict=True)
    return {CV: dict(enumerate(folds)), **{name: {None: own} for name, own in whole}}


def boosted(training: TrainingRows, columns: Columns, seed: int) -> PipelineModel:
    """Trees fitted on training rows.

    Trees take a text's levels as they are, and find thresholds and interactions that a line cannot.
    Source: Friedman (2001), Greedy Function Approximation: A Gradient Boosting Machine.
    """
    numbers, texts = numbers_and_texts(columns.features)
    inputs = named(IMPUTED, numbers) + named(INDEX, texts)
    # Of all training loans, also of those that are held out.
    levels = columns.indexer.labelsArray if columns.indexer else []
    trees = GBTClassifier(
        labelCol="label",
        maxIter=TREES,
        maxDepth=DEPTH,
        stepSize=STEP,
        minInstancesPerNode=MIN_A_LEAF,
        # One level more, for a text that training has not seen.
        maxBins=max([CUTS, *(len(each) + 1 for each in levels)]),
        seed=seed,
    )
    assembler = VectorAssembler(inputCols=inputs, outputCol="features")
    stages = [*imputed_and_indexed(training, columns), assembler, trees]
    return Pipeline(stages=stages).fit(training.rows)


def lstm(run: RunContext, data: TrainingData) -> DataSets:
    """Score bins of a stacked LSTM: of the folds it is tested on, trained on, and validated on.

    A fold's network is tested on the fold, validated on the next one and trained on the others;
    each set's score bins are those of all networks together.
    """
    plan = run.contract.model
    points = scale_of(run.contract.score).points
    found: dict[str, dict[int | None, list[ScoreBin]]] = {CV: {}, "train": {}, "validation": {}}
    for tested in range(plan.folds):
        validated = (tested + 1) % plan.folds
        fitted_on = data.training.without(Holdout(FOLD, tested)).without(Holdout(FOLD, validated))
        design = linear(fitted_on, data.columns._replace(indicated=frozenset()), run.contract, {})
        x = vector_to_array(F.col(SCALED)).alias("x")
        ordered = data.training.rows.orderBy("loan_id")
        table = design.stages.transform(ordered).select(x, "label", FOLD).toPandas()
        is_tested, is_validated = table[FOLD] == tested, table[FOLD] == validated
        sets = {"train": ~(is_tested | is_validated), "validation": is_validated, CV: is_tested}
        values = np.stack(list(table["x"]))
        values -= values[sets["train"]].mean(axis=0)
        given = {
            name: Rows(values[which], table["label"][which].to_numpy())
            for name, which in sets.items()
        }
        network = Lstm(given["train"], plan.seed)
        for name, loans in given.items():
            log_odds = network.log_odds(loans).tolist()
            found[name][tested] = plainly_counted(log_odds, loans.is_bad.tolist(), points)
    return found


BENCHMARKS: Mapping[Benchmark, Callable[[RunContext, TrainingData], DataSets]] = {
    "linear": partial(of_form, form="linear"),
    "binned": partial(of_form, form="binned"),
    "free": free,
    "boosted_trees": boosted_trees,
    "lstm": lstm,
}
