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
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import ScorePlan
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS, counted
from credit_spark.features.columns import Definition, numbers_and_texts
from credit_spark.modelling.pipeline import INDEX, imputed_and_indexed, named
from credit_spark.scoring.scale import scale_of

TREES, DEPTH, STEP = 60, 4, 0.15
FEWEST_A_LEAF = 20
# Cuts of a number; at least as many as a text has levels.
CUTS = 32


def boosted(training: DataFrame, features: Sequence[Definition], seed: int) -> PipelineModel:
    """Trees fitted on training rows: feature columns and `label` (1 bad, 0 good)."""
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


def counted_by_trees(trees: PipelineModel, rows: DataFrame, plan: ScorePlan) -> DataFrame:
    """Cells of rows with features and `outcome`, by the trees' log-odds of bad."""
    # Spark's trees vote for half of the log-odds.
    exact = 2 * vector_to_array(F.col("rawPrediction"))[1]
    log_odds = F.greatest(F.least(exact, F.lit(WIDEST_LOG_ODDS)), F.lit(-WIDEST_LOG_ODDS))
    votes = trees.transform(rows).select("outcome", log_odds.alias("log_odds"))
    scale = scale_of(plan)
    points = F.floor(scale.at_even_odds - scale.a_unit * F.col("log_odds") + 0.5).cast("int")
    return counted(votes.withColumn("points", points))
