"""Pre-bins merged by optbinning: counts of ordered ones in, where the merged begin out.

Source: Navas-Palencia (2020), Optimal binning: mathematical programming formulation.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from credit_spark.contract.errors import InputError

MOST_BINS = 8
# Of the loans, at least so large a share stands in a bin.
SMALLEST_BIN = 0.05
# Something was found, and it may not be the best there is.
FEASIBLE = "FEASIBLE"


def cuts(good: Sequence[int], bad: Sequence[int]) -> list[int]:
    """Where merged bins begin, but for the first: their risk rises, or falls, from one to the next.

    In come the good and the bad loans of each pre-bin, in their order. Where no merged bins can be
    told apart, there is but one, and out comes nothing.
    """
    places = np.arange(len(good), dtype=float)
    at, is_bad = np.tile(places, 2), np.repeat([0, 1], len(good))
    loans = np.concatenate([good, bad]).astype(np.int64)
    if len(good) < 2 or not sum(good) or not sum(bad):
        return []
    binning = optbinning().OptimalBinning(
        user_splits=places[1:] - 0.5,
        monotonic_trend="auto_asc_desc",
        max_n_bins=MOST_BINS,
        min_bin_size=SMALLEST_BIN,
    )
    stands = loans > 0
    binning.fit(at[stands], is_bad[stands], sample_weight=loans[stands])
    if binning.status == FEASIBLE:
        raise RuntimeError("the solver ran out of time: another run could find other bins")
    return [round(each + 0.5) for each in binning.splits]


def optbinning() -> Any:
    """The library.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optbinning as library
    except ImportError:
        raise InputError(
            "a binned scorecard needs optbinning, which is not here: "
            "pip install 'credit-spark[binned]'"
        ) from None
    return library
