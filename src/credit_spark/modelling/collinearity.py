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


def inflations(training: DataFrame, features: Sequence[Definition]) -> dict[str, float]:
    """The variance inflation of each feature, infinite where the others tell it exactly.

    Of a text's levels, the commonest is left out: all together, they always add up to one.
    """
    scaling = scaled(features).fit(training)
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
    """det(own) * det(others) / det(all), by the degrees of freedom's root."""
    others = [slot for slot in every if slot not in own]
    logs = [_log_det(correlation, slots) for slots in (own, others, every)]
    if -inf in logs:
        return inf
    return exp((logs[0] + logs[1] - logs[2]) / len(own))


def _log_det(correlation: Numbers, slots: Sequence[int]) -> float:
    if not slots:
        return 0.0
    within = correlation[np.ix_(slots, slots)]
    if np.linalg.matrix_rank(within, hermitian=True) < len(slots):
        return -inf
    return float(np.linalg.slogdet(within)[1])
