"""Training data -> the monitoring baseline: bins of each subject, and the loans in them."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.models import Contract
from credit_spark.features.columns import Definition
from credit_spark.modelling.imbalance import Classes
from credit_spark.modelling.sampling import sample_of
from credit_spark.modelling.watching import profiled, watched_of, with_bins, with_counts
from credit_spark.scoring.document import Watched


def watched_in(
    contract: Contract, features: Sequence[Definition], training: DataFrame, classes: Classes
) -> tuple[Watched, ...]:
    """What the model is to watch but its score, with the loans of the training data in each bin.

    Args:
        contract: Names segments and analyses.
        features: The features of the model.
        training: The loans' own columns and `outcome`.
        classes: How many of them are good and bad; of many, bins are found in a sample, and all
            are counted.
    """
    sample = sample_of(training, classes.rows)
    watched = with_bins(watched_of(contract, features), sample)
    return tuple(with_counts(watched, profiled(training.withColumn("pd", F.lit(0.0)), watched)))
