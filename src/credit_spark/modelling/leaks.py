"""A feature that separates good from bad almost alone is no feature but the answer."""

from collections.abc import Iterable, Sequence
from math import inf

import numpy as np
from pyspark.sql import DataFrame

from credit_spark.evaluation.cells import Cell
from credit_spark.evaluation.metrics import auc
from credit_spark.features.columns import Definition
from credit_spark.modelling.binning import edges_of, pre_counted
from credit_spark.modelling.bins import Counted

BUCKETS = 20


def single_aucs(training: DataFrame, features: Sequence[Definition]) -> dict[str, float]:
    """The AUC that each feature reaches alone, its cells ordered by their rate of bad.

    A number's cells are twentieths of its values, with null as one of its own; a text's are its
    texts. In come feature columns and `label` (1 bad, 0 good).
    """
    quantiles = edges_of(training, features, [nth / BUCKETS for nth in range(1, BUCKETS)])
    # A cell begins above its quantile: what is mostly zero has a cell of zeros alone.
    edges = {name: np.nextafter(own, inf).tolist() for name, own in quantiles.items()}
    counts = pre_counted(training, features, edges, {})
    return {name: _auc(counts[name].values()) for name in sorted(counts)}


def _auc(counts: Iterable[Counted]) -> float:
    ordered = sorted(counts, key=lambda each: each.bad / each.rows)
    return auc([Cell(nth, 0, good, bad, 0) for nth, (good, bad) in enumerate(ordered)]) or 0.5
