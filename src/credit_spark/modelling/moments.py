"""How the numeric features hang together: sums of products in the tasks, correlations from them."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from credit_spark.modelling.watching import numbers_of
from credit_spark.scoring.document import Watched

NEGLIGIBLE = 1e-9
# Of a block of loans.
ENOUGH = 10_000


def numeric(watched: Sequence[Watched]) -> list[Watched]:
    """The features that are numbers."""
    return [each for each in watched if each.role == "feature" and each.edges is not None]


def moments(loans: pl.DataFrame, watched: Sequence[Watched]) -> NDArray[np.float64]:
    """The matrix X'X of loans, X being a column of ones and the numeric features.

    They are taken from about their median, which also stands for what is missing. Of many loans,
    every so many-th stands for the others.
    """
    step = max(1, loans.height // ENOUGH)
    part = loans.gather_every(step)
    columns = [np.ones(part.height)]
    for each in numeric(watched):
        middle = each.edges[len(each.edges) // 2] if each.edges else 0.0
        values = numbers_of(part, each.sql)
        columns.append(np.where(np.isfinite(values), values - middle, 0.0))
    rows = np.column_stack(columns)
    return np.asarray(step * (rows.T @ rows))


def correlations(
    sums: NDArray[np.float64], watched: Sequence[Watched]
) -> Iterator[tuple[str, str, float]]:
    """Pearson's correlation of each two numeric features that vary."""
    loans, totals = sums[0, 0], sums[0, 1:]
    if not loans:
        return
    covariances = sums[1:, 1:] / loans - np.outer(totals, totals) / loans**2
    variances = np.diag(covariances)
    # What is below is no more than what digits lose: the feature is the same for every loan.
    varies = variances > NEGLIGIBLE * (variances + (totals / loans) ** 2)
    spreads = np.sqrt(np.maximum(variances, 0.0))
    names = [each.name for each in numeric(watched)]
    for a, one in enumerate(names):
        for b, other in enumerate(names[:a]):
            if varies[a] and varies[b]:
                value = covariances[a, b] / (spreads[a] * spreads[b])
                yield other, one, float(np.clip(value, -1, 1))
