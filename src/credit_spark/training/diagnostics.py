"""What a modeller should look at: features that leak, are collinear, or are correlated."""

from collections.abc import Mapping, Sequence
from itertools import combinations, count
from math import exp, inf, isnan, log, sqrt

import numpy as np
import numpy.typing as npt
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.stat import Correlation
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.features.columns import ABSENT, Definition
from credit_spark.monitoring.baselines import number
from credit_spark.scoring.document import Baseline, Category, Term, slots_of
from credit_spark.training.binning import pre_counted
from credit_spark.training.imbalance import HALF, Classes
from credit_spark.training.regression import SCALED
from credit_spark.training.splits import TrainingRows, sample_by_id

BUCKETS = 20
VECTOR = "features"
# Of a share of the variance.
NEGLIGIBLE = 1e-9
# With fewer rows that are missing, or known, presence says nothing.
MIN_OF_A_SIDE = 50
# Standard errors: about one feature in a thousand by chance.
BEYOND_CHANCE = 3.29
LEAKING_ODDS = 100
Numbers = npt.NDArray[np.float64]


def counted_bins(
    training: TrainingRows, features: Sequence[Definition]
) -> Mapping[str, Mapping[str, Classes]]:
    """Good and bad rows of twentieths of each number, and of each text; ABSENT where null."""
    found = training.quantiles(features, [nth / BUCKETS for nth in range(1, BUCKETS)])
    # A bin begins above its quantile: what is mostly zero has a bin of zeros alone.
    edges = {name: np.nextafter(sorted(set(own)), inf).tolist() for name, own in found.items()}
    return pre_counted(training.rows, features, edges, {})


def single_auc(bins: Mapping[str, Classes]) -> float:
    """The AUC that a feature reaches alone, where a loan's score is the rate of bad in its bin.

    Loans of one bin are tied. Against another bin's loan, a loan's own outcome is left out of its
    rate: else the outcomes of many small bins would order them.
    """
    good, bad = np.array([*bins.values()], float).reshape(-1, 2).T
    others = np.maximum(good + bad - 1, 1)
    is_riskier = np.sign(np.subtract.outer((bad - 1) / others, bad / others))
    np.fill_diagonal(is_riskier, 0)
    pairs = np.outer(bad, good)
    return float(0.5 + (pairs * is_riskier).sum() / pairs.sum() / 2) if pairs.any() else 0.5


def presence(bins: Mapping[str, Classes]) -> tuple[Classes, Classes]:
    """Good and bad rows that have no value of a feature, and those that have one."""
    absent = bins.get(ABSENT, Classes(0, 0))
    known = [each for name, each in bins.items() if name != ABSENT]
    return absent, Classes(sum(each.good for each in known), sum(each.bad for each in known))


def presence_weighs(bins: Mapping[str, Classes]) -> bool:
    """Whether the log-odds of bad differ between missing and known values beyond chance."""
    absent, known = presence(bins)
    if min(absent.rows, known.rows) < MIN_OF_A_SIDE:
        return False
    error = sqrt(sum(1 / (each + HALF) for side in (absent, known) for each in side))
    return abs(absent.log_odds - known.log_odds) > BEYOND_CHANCE * error


def presence_leaks(bins: Mapping[str, Classes]) -> bool:
    """Whether a missing value almost determines the outcome: its odds are a hundred times."""
    absent, known = presence(bins)
    is_frequent = min(absent.rows, known.rows) >= MIN_OF_A_SIDE
    return is_frequent and abs(absent.log_odds - known.log_odds) >= log(LEAKING_ODDS)


def inflations(vectors: DataFrame, terms: Sequence[Term]) -> dict[str, float]:
    """The generalised variance inflation of each feature: how collinear it is with the others.

    1: not at all; infinite: an exact linear combination of the others. In come the vectors SCALED
    of training rows, and the terms of its slots. Of a text's levels, the commonest is left out: all
    together, they always add up to one.
    Source: Fox and Monette (1992), Generalized Collinearity Diagnostics.
    """
    places = _places(terms)
    # Of sparse vectors, Spark takes the covariance as a difference of large sums.
    dense = array_to_vector(vector_to_array(F.col(SCALED))).alias(VECTOR)
    correlation = _correlation(vectors.select(dense), VECTOR)
    every = [place for own in places.values() for place in own]
    return {name: _inflation(correlation, own, every) for name, own in places.items()}


def _places(terms: Sequence[Term]) -> dict[str, list[int]]:
    """The places in the vector that represent each feature, where any varies."""
    found: dict[str, list[int]] = {}
    place = count()
    for each in terms:
        placed = [(slot.mean, next(place), slot.deviation) for slot in slots_of(each)]
        if isinstance(each, Category):
            placed = sorted(placed)[:-1]
        found[each.name] = sorted(nth for _, nth, deviation in placed if deviation)
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
    loans: DataFrame, rows: int, baselines: Sequence[Baseline]
) -> list[tuple[str, str, float]]:
    """Pearson's correlation of each two numeric features that vary.

    In come `loan_id` and the columns that the features read; of many `rows`, a sample by `loan_id`
    represents them. A missing value counts as about the median.
    """
    numbers = [each for each in baselines if each.role == "feature" and not each.is_text]
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


def _centred(baseline: Baseline) -> Column:
    """A number less its middle edge, which also replaces a missing value."""
    edges = baseline.edges or (0.0,)
    return F.coalesce(number(baseline.sql) - edges[len(edges) // 2], F.lit(0.0))
