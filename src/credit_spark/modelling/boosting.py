"""Gradient-boosted trees on the features of the logistic regression: what is left on the table.

Spark ML's own. Trees need no scaling, take a text's levels as they are, and find thresholds and
interactions that a line cannot.
Source: Friedman (2001), Greedy Function Approximation: A Gradient Boosting Machine.
"""

from collections.abc import Sequence

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import GBTClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import ScorePlan
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS, counted
from credit_spark.features.columns import Definition, column_of
from credit_spark.modelling.pipeline import INDEX, imputed_and_indexed, named
from credit_spark.scoring.scale import scale_of

TREES, DEPTH, STEP = 60, 4, 0.15
FEWEST_A_LEAF = 20
# Cuts of a number; at least as many as a text has levels.
CUTS = 32


def boosted(training: DataFrame, features: Sequence[Definition], seed: int) -> PipelineModel:
    """Trees fitted on training rows: feature columns and `label` (1 bad, 0 good)."""
    numbers = [column_of(each.name) for each in features if not each.is_text]
    texts = [column_of(each.name) for each in features if each.is_text]
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
    return Pipeline(stages=[*imputed_and_indexed(training, features), assembler, trees]).fit(
        training
    )


def counted_by_trees(trees: PipelineModel, rows: DataFrame, plan: ScorePlan) -> DataFrame:
    """Cells of rows with features and `outcome`, by the trees' log-odds of bad."""
    # Spark's trees vote for half of the log-odds.
    log_odds = 2 * vector_to_array(F.col("rawPrediction"))[1]
    votes = trees.transform(rows).select("outcome", _bounded(log_odds).alias("log_odds"))
    return counted(votes.withColumn("points", _points(plan)))


def _bounded(log_odds: Column) -> Column:
    """Log-odds within what a PD can still tell from 0 and 1."""
    return F.greatest(F.least(log_odds, F.lit(WIDEST_LOG_ODDS)), F.lit(-WIDEST_LOG_ODDS))


def _points(plan: ScorePlan) -> Column:
    """Whole points of `log_odds` of bad."""
    scale = scale_of(plan)
    exact = F.lit(scale.at_even_odds) - F.lit(scale.a_unit) * F.col("log_odds")
    return F.floor(exact + 0.5).cast("int")
