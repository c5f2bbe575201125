"""Models beside the champion, on its features and folds: what it leaves on the table.

Each is fitted with no treatment and recalibrated as the logistic regression is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
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

from credit_spark.adapters.lstm import Lstm, Rows, keras
from credit_spark.contract.errors import InputError
from credit_spark.contract.models import Form
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS, Cell, collected, counted, plainly_counted
from credit_spark.features.columns import Definition, featured, numbers_and_texts
from credit_spark.modelling.binning import optbinning
from credit_spark.modelling.regression import INDEX, SCALED, imputed_and_indexed, named, scaled
from credit_spark.pipeline.assessment import CV, DataSets, Measured, assessed
from credit_spark.pipeline.book import Book
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.fitting import chosen_penalty, fitted_and_counted, in_each_fold
from credit_spark.scoring.scale import scale_of

Benchmark = Literal["linear", "binned", "boosted_trees", "lstm"]
# An LSTM is trained in one process, whose memory holds all rows.
MOST_ROWS_OF_LSTM = 50_000
FEWEST_FOLDS_OF_LSTM = 3
TREES, DEPTH, STEP = 60, 4, 0.15
FEWEST_A_LEAF = 20
# Cuts of a number; at least as many as a text has levels.
CUTS = 32


def benchmarked(run: RunContext, book: Book, name: Benchmark) -> Measured:
    """A benchmark's cells and figures, held-out folds first."""
    _, cells, figures = assessed(BENCHMARKS[name](run, book), run.contract.score)
    return Measured(name, "none", cells, figures)


def check_benchmarks(run: RunContext, book: Book, names: Collection[Benchmark]) -> None:
    """Raise InputError where one cannot be fitted: not installed, or a book too large or small."""
    if "binned" in (*names, run.contract.model.form):
        optbinning()
    if "lstm" not in names:
        return
    folds, own = run.contract.model.folds, "the LSTM is trained and tested on folds of its own"
    if book.counts.rows > MOST_ROWS_OF_LSTM:
        raise InputError(
            f"the LSTM is trained in the memory of one process, on at most {MOST_ROWS_OF_LSTM:,} "
            f"loans; this book has {book.counts.rows:,}. Train without it"
        )
    if folds < FEWEST_FOLDS_OF_LSTM:
        raise InputError(f"{own}: model.folds must be {FEWEST_FOLDS_OF_LSTM} at least")
    if book.development.select("fold").distinct().count() < folds:
        raise InputError(
            f"{own}, and a fold has no loan: too few borrowers, or too few loans that differ. "
            "Train without it"
        )
    keras()


def of_form(run: RunContext, book: Book, form: Form) -> DataSets:
    """Cells of a logistic regression of another form: along lines, or on evidence of bins."""
    other = formed(run, form)
    _, (found,) = fitted_and_counted(other, book, [("none", chosen_penalty(other, book)[0])])
    return found


def formed(run: RunContext, form: Form) -> RunContext:
    """The same run, with a contract whose model has another form."""
    plan = run.contract.model.model_copy(update={"form": form})
    return replace(run, contract=run.contract.model_copy(update={"model": plan}))


def boosted_trees(run: RunContext, book: Book) -> DataSets:
    """Cells of gradient-boosted trees: in the folds, of their own training rows, out of time."""
    rows = book.development.withColumn("outcome", F.col("loan.outcome"))
    scale = scale_of(run.contract.score)
    # Spark's trees vote for half of the log-odds.
    exact = 2 * vector_to_array(F.col("rawPrediction"))[1]
    log_odds = F.greatest(F.least(exact, F.lit(WIDEST_LOG_ODDS)), F.lit(-WIDEST_LOG_ODDS))
    points = F.floor(scale.at_even_odds - scale.a_unit * F.col("log_odds") + 0.5).cast("int")

    def cells(training: DataFrame, *others: DataFrame) -> list[list[Cell]]:
        trees = boosted(training, book.features, run.contract.model.seed)
        votes = (
            trees.transform(each).select("outcome", log_odds.alias("log_odds")) for each in others
        )
        return [collected(counted(each.withColumn("points", points))) for each in votes]

    def held_out(number: int) -> list[Cell]:
        is_held_out = F.col("fold") == number
        return cells(rows.where(~is_held_out), rows.where(is_held_out))[0]

    folds = in_each_fold(run, book, held_out)
    sets = {"train": rows}
    if book.out_of_time is not None:
        outcome = {"outcome": F.col("outcome")}
        sets["out_of_time"] = featured(book.out_of_time, book.features, outcome)
    whole = zip(sets, cells(rows, *sets.values()), strict=True)
    return {CV: folds, **{name: {None: own} for name, own in whole}}


def boosted(training: DataFrame, features: Sequence[Definition], seed: int) -> PipelineModel:
    """Trees fitted on training rows: feature columns and `label` (1 bad, 0 good).

    Trees take a text's levels as they are, and find thresholds and interactions that a line cannot.
    Source: Friedman (2001), Greedy Function Approximation: A Gradient Boosting Machine.
    """
    numbers, texts = numbers_and_texts(features)
    inputs = named("imputed", numbers) + named(INDEX, texts)
    levels = training.agg(*[F.count_distinct(each) for each in texts]).first() if texts else ()
    trees = GBTClassifier(
        labelCol="label",
        maxIter=TREES,
        maxDepth=DEPTH,
        stepSize=STEP,
        minInstancesPerNode=FEWEST_A_LEAF,
        # One level more, for a text that training has not seen.
        maxBins=max([CUTS, *[each + 1 for each in levels or ()]]),
        seed=seed,
    )
    assembler = VectorAssembler(inputCols=inputs, outputCol="features")
    stages = [*imputed_and_indexed(training, features), assembler, trees]
    return Pipeline(stages=stages).fit(training)


def lstm(run: RunContext, book: Book) -> DataSets:
    """Cells of a stacked LSTM: of the folds it is tested on, trained on, and validated on.

    A fold's network is tested on the fold, validated on the next one and trained on the others;
    each set's cells are those of all networks together.
    """
    plan = run.contract.model
    points = scale_of(run.contract.score).points
    found: dict[str, dict[int | None, list[Cell]]] = {CV: {}, "train": {}, "validation": {}}
    for tested in range(plan.folds):
        validated = (tested + 1) % plan.folds
        trained = ~F.col("fold").isin(tested, validated)
        scaling = scaled(book.development.where(trained), book.features)
        x = vector_to_array(F.col(SCALED)).alias("x")
        rows = scaling.transform(book.development.orderBy("loan_id")).select(x, "label", "fold")
        table = rows.toPandas()
        is_tested, is_validated = table["fold"] == tested, table["fold"] == validated
        sets = {"train": ~(is_tested | is_validated), "validation": is_validated, CV: is_tested}
        given = {
            name: Rows(np.stack(list(table["x"][which])), table["label"][which].to_numpy())
            for name, which in sets.items()
        }
        network = Lstm(given["train"], plan.seed)
        for name, loans in given.items():
            log_odds = network.log_odds(loans).tolist()
            found[name][tested] = plainly_counted(log_odds, loans.is_bad.tolist(), points)
    return found


BENCHMARKS: Mapping[Benchmark, Callable[[RunContext, Book], DataSets]] = {
    "linear": partial(of_form, form="linear"),
    "binned": partial(of_form, form="binned"),
    "boosted_trees": boosted_trees,
    "lstm": lstm,
}
