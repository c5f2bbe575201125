"""Whom champion and challenger decide differently: the swap set, counted on the same loans."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from credit_spark.evaluation.calibration import mean_pd, observed_rate
from credit_spark.evaluation.cells import Cell, by_risk
from credit_spark.evaluation.figures import ALL, Figure

APPROVED_BY = {
    (True, True): "approved_by=both",
    (True, False): "approved_by=champion",
    (False, True): "approved_by=challenger",
    (False, False): "approved_by=neither",
}


class Swap(NamedTuple):
    """Loans that share the challenger's score and what each of both models would do."""

    champion_approves: bool
    challenger_approves: bool
    cell: Cell


def swap_figures(swaps: Iterable[Swap]) -> list[Figure]:
    """Of each quarter of the swap set: `loans`, open ones too, `observed_rate`, and `mean_pd`.

    The PD is the challenger's, of loans with a known outcome, as the observed rate is.
    """
    quarters: dict[str, list[Cell]] = {name: [] for name in APPROVED_BY.values()}
    for each in swaps:
        quarters[APPROVED_BY[each.champion_approves, each.challenger_approves]].append(each.cell)
    return [figure for name, cells in quarters.items() for figure in _quarter(name, by_risk(cells))]


def _quarter(segment: str, cells: Sequence[Cell]) -> list[Figure]:
    known = sum(each.known for each in cells)
    values = {
        "loans": float(known + sum(each.open for each in cells)),
        "observed_rate": observed_rate(cells),
        "mean_pd": mean_pd(cells),
    }
    return [
        Figure(None, ALL, None, metric, value, known, segment) for metric, value in values.items()
    ]
