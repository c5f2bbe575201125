"""How far a feature can be told from the others: generalised variance inflation.

1 is a feature of its own; from 10 on, its coefficient and the reasons that rest on it are hardly
told from those of others.
Source: Fox and Monette (1992), Generalized Collinearity Diagnostics; for one column it is the VIF.
"""

from collections.abc import Sequence
from itertools import count
from math import exp, inf

import numpy as np
import numpy.typing as npt
from pyspark.ml import PipelineModel
from pyspark.ml.stat import Correlation
from pyspark.sql import DataFrame

from credit_spark.modelling.linear import numbers_first
from credit_spark.modelling.pipeline import SCALED
from credit_spark.scoring.document import Number, Term

Numbers = npt.NDArray[np.float64]
# Of a share of the variance.
NEGLIGIBLE = 1e-9


def inflations(
    scaling: PipelineModel, training: DataFrame, terms: Sequence[Term]
) -> dict[str, float]:
    """The variance inflation of each feature, infinite where the others tell it exactly.

    `scaling` was fitted on the training rows, `terms` have its means. Of a text's levels, the
    commonest is left out: all together, they always add up to one.
    """
    places = _places(terms)
    row = Correlation.corr(scaling.transform(training), SCALED).first()
    assert row is not None
    correlation: Numbers = row[0].toArray()
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
