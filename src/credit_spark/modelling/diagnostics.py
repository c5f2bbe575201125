"""What a modeller should look at: features that leak, are collinear, or are correlated."""

from collections.abc import Sequence
from itertools import combinations, count
from math import exp, inf, isnan

import numpy as np
import numpy.typing as npt
from pyspark.ml import PipelineModel
from pyspark.ml.functions import array_to_vector
from pyspark.ml.stat import Correlation
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.evaluation.cells import Cell
from credit_spark.evaluation.metrics import auc
from credit_spark.features.columns import Definition
from credit_spark.modelling.binning import pre_counted
from credit_spark.modelling.quantiles import quantiles, sample_by_id
from credit_spark.modelling.regression import SCALED, numbers_first
from credit_spark.modelling.watching import number
from credit_spark.scoring.document import Number, Term, Watched

BUCKETS = 20
VECTOR = "features"
# Of a share of the variance.
NEGLIGIBLE = 1e-9
Numbers = npt.NDArray[np.float64]


def single_aucs(training: DataFrame, features: Sequence[Definition]) -> dict[str, float]:
    """The AUC that each feature reaches alone, its cells ordered by their rate of bad.

    A number's cells are twentieths of its values, with null as one of its own; a text's are its
    texts. In come feature columns and `label` (1 bad, 0 good).
    """
    found = quantiles(training, features, [nth / BUCKETS for nth in range(1, BUCKETS)])
    # A cell begins above its quantile: what is mostly zero has a cell of zeros alone.
    edges = {name: np.nextafter(sorted(set(own)), inf).tolist() for name, own in found.items()}
    aucs = {}
    for name, counts in sorted(pre_counted(training, features, edges, {}).items()):
        ordered = enumerate(sorted(counts.values(), key=lambda each: each.bad / each.rows))
        cells = [Cell(nth, 0, int(good), int(bad), 0) for nth, (good, bad) in ordered]
        aucs[name] = auc(cells) or 0.5
    return aucs


def inflations(
    scaling: PipelineModel, training: DataFrame, terms: Sequence[Term]
) -> dict[str, float]:
    """The generalised variance inflation of each feature: how far the others tell it.

    1 is a feature of its own; infinite where the others tell it exactly. `scaling` was fitted on
    the training rows, `terms` have its means. Of a text's levels, the commonest is left out: all
    together, they always add up to one.
    Source: Fox and Monette (1992), Generalized Collinearity Diagnostics.
    """
    places = _places(terms)
    correlation = _correlation(scaling.transform(training), SCALED)
    every = [place for own in places.values() for place in own]
    found = {name: _inflation(correlation, own, every) for name, own in places.items()}
    return {each.name: found[each.name] for each in terms if each.name in found}


def _places(terms: Sequence[Term]) -> dict[str, list[int]]:
    """The places in the vector that represent each feature, where any is left."""
    found: dict[str, list[int]] = {}
    place = count()
    for each in numbers_first(terms):
        if isinstance(each, Number):
            found[each.name] = [next(place)]
        else:
            rarest_first = sorted((level.mean, next(place)) for level in each.levels)
            found[each.name] = sorted(nth for _, nth in rarest_first[:-1])
    return {name: own for name, own in found.items() if own}


def _inflation(correlation: Numbers, own: Sequence[int], every: Sequence[int]) -> float:
    """det(own) over det(own, given the others), by the degrees of freedom's root."""
    others = [place for place in every if place not in own]
    alone, between = correlation[np.ix_(own, own)], correlation[np.ix_(own, others)]
    among = correlation[np.ix_(others, others)]
    # Others may tell each other: a pseudo-inverse leaves those aside.
    given = alone - between @ np.linalg.pinv(among, rcond=NEGLIGIBLE, hermitian=True) @ between.T
    if np.linalg.eigvalsh(given).min() < NEGLIGIBLE:
        return inf
    logs = [float(np.linalg.slogdet(each)[1]) for each in (alone, given)]
    return exp((logs[0] - logs[1]) / len(own))


def correlations(
    loans: DataFrame, rows: int, watched: Sequence[Watched]
) -> list[tuple[str, str, float]]:
    """Pearson's correlation of each two numeric features that vary.

    In come `loan_id` and the columns that the features read; of many `rows`, a sample by `loan_id`
    represents them. A missing value counts as about the median.
    """
    numbers = [each for each in watched if each.role == "feature" and not each.is_text]
    if rows < 2 or len(numbers) < 2:
        return []
    # Dense vectors: of sparse ones, Spark takes the covariance as a difference of large sums.
    vector = array_to_vector(F.array(*map(_centred, numbers))).alias(VECTOR)
    sample = sample_by_id(loans, rows).select("loan_id", vector)
    # In one partition and in order, so that sums are the same on every run, to the last bit.
    ordered = sample.repartition(1).sortWithinPartitions("loan_id").persist()
    values = _correlation(ordered, VECTOR)[np.triu_indices(len(numbers), 1)].tolist()
    ordered.unpersist()
    pairs = zip(combinations(numbers, 2), values, strict=True)
    return [(one.name, other.name, value) for (one, other), value in pairs if not isnan(value)]


def _correlation(rows: DataFrame, vector: str) -> Numbers:
    row = Correlation.corr(rows, vector).first()
    assert row is not None
    found: Numbers = row[0].toArray()
    return found


def _centred(watched: Watched) -> Column:
    """A number less its middle edge, which also stands for what is missing."""
    edges = watched.edges or (0.0,)
    return F.coalesce(number(watched.sql) - edges[len(edges) // 2], F.lit(0.0))
