"""How far a feature can be told from the others: generalised variance inflation.

1 is a feature of its own; from 10 on, its coefficient and the reasons that rest on it are hardly
told from those of others.
Source: Fox and Monette (1992), Generalized Collinearity Diagnostics; for one column it is the VIF.
"""

from collections.abc import Mapping, Sequence
from math import exp, inf

import numpy as np
import numpy.typing as npt
from pyspark.ml import PipelineModel
from pyspark.ml.feature import StandardScalerModel
from pyspark.ml.stat import Correlation
from pyspark.sql import DataFrame

from credit_spark.modelling.features import Definition
from credit_spark.modelling.pipeline import SCALED, levels_of, scaled

Numbers = npt.NDArray[np.float64]
# Of a share of the variance.
NEGLIGIBLE = 1e-9


def inflations(training: DataFrame, features: Sequence[Definition]) -> dict[str, float]:
    """The variance inflation of each feature, infinite where the others tell it exactly.

    Of a text's levels, the commonest is left out: all together, they always add up to one.
    """
    scaling = scaled(training, features)
    slots = _slots(scaling, features)
    row = Correlation.corr(scaling.transform(training), SCALED).first()
    assert row is not None
    correlation: Numbers = row[0].toArray()
    every = [slot for own in slots.values() for slot in own]
    return {name: _inflation(correlation, own, every) for name, own in slots.items()}


def _slots(scaling: PipelineModel, features: Sequence[Definition]) -> Mapping[str, list[int]]:
    """The places in the vector that stand for each feature."""
    scaler = next(each for each in scaling.stages if isinstance(each, StandardScalerModel))
    means, levels = scaler.mean.toArray(), levels_of(scaling)
    slots: dict[str, list[int]] = {}
    first = 0
    for each in sorted(features, key=lambda feature: feature.is_text):
        places = list(range(first, first + len(levels.get(each.name, [""]))))
        commonest = max(places, key=lambda place: means[place])
        slots[each.name] = [place for place in places if not each.is_text or place != commonest]
        first += len(places)
    return {each.name: slots[each.name] for each in features if slots[each.name]}


def _inflation(correlation: Numbers, own: Sequence[int], every: Sequence[int]) -> float:
    """det(own) over det(own, given the others), by the degrees of freedom's root."""
    others = [slot for slot in every if slot not in own]
    alone, between = correlation[np.ix_(own, own)], correlation[np.ix_(own, others)]
    among = correlation[np.ix_(others, others)]
    # Others may tell each other: a pseudo-inverse leaves those aside.
    given = alone - between @ np.linalg.pinv(among, rcond=NEGLIGIBLE, hermitian=True) @ between.T
    if np.linalg.eigvalsh(given).min() < NEGLIGIBLE:
        return inf
    logs = [float(np.linalg.slogdet(each)[1]) for each in (alone, given)]
    return exp((logs[0] - logs[1]) / len(own))
