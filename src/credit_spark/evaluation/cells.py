"""Score cells: loans that share a score, counted by outcome. All of evaluation starts here.

A cell is a thousandth of log-odds of bad, so figures from cells are within 1e-4 of those from
single loans. Loans in one cell are tied, and every metric treats them so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from math import exp
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

PER_LOG_ODDS = 1000
# Beyond it a PD is 0 or 1 to ten digits. Log-odds are bounded by it, so no PD is quite 0 or 1.
WIDEST_LOG_ODDS = 25.0


class Cell(NamedTuple):
    """Loans that share a score: `cell` is log-odds of bad in thousandths."""

    cell: int
    points: int
    good: int
    bad: int
    open: int

    @property
    def log_odds(self) -> float:
        """Log-odds of bad."""
        return self.cell / PER_LOG_ODDS

    @property
    def pd(self) -> float:
        """Probability of default, 0 to 1."""
        return 1 / (1 + exp(-self.log_odds))

    @property
    def known(self) -> int:
        """Loans whose outcome is known."""
        return self.good + self.bad

    @property
    def loans(self) -> int:
        """All loans."""
        return self.known + self.open


Folds = Mapping[int | None, Sequence[Cell]]


def counted(scored: DataFrame, by: Sequence[str] = ()) -> DataFrame:
    """Loans counted by the columns `by`, then `cell` and `points`: `good`, `bad`, `open`.

    In come `log_odds` (within WIDEST_LOG_ODDS), `points`, and `outcome`, where null counts as open.
    A cell is rounded half away from zero, as Spark's `round` does.
    """
    outcome = F.col("outcome")
    cell = F.round(F.col("log_odds") * PER_LOG_ODDS).cast("int").alias("cell")
    return scored.groupBy(*by, cell, "points").agg(
        F.count_if(outcome == "good").alias("good"),
        F.count_if(outcome == "bad").alias("bad"),
        F.count_if(F.coalesce(outcome, F.lit("open")) == "open").alias("open"),
    )


def collected(counts: DataFrame) -> list[Cell]:
    """Counted cells as plain values, in order: as many as the scale has, not as the loans."""
    return sorted(Cell(*row) for row in counts.collect())


def plainly_counted(
    log_odds: Iterable[float], is_bad: Iterable[float], points: Callable[[float], int]
) -> list[Cell]:
    """Cells of a few loans that Python holds, all with a known outcome (1 bad, 0 good)."""
    bounded = [max(-WIDEST_LOG_ODDS, min(WIDEST_LOG_ODDS, each)) for each in log_odds]
    cells = [
        Cell(round(each * PER_LOG_ODDS), points(each), int(not bad), int(bad), 0)
        for each, bad in zip(bounded, is_bad, strict=True)
    ]
    return by_risk(cells)


def by_risk(cells: Iterable[Cell]) -> list[Cell]:
    """Cells from the least risk up, one a score; cells of several folds or points are added."""
    found: dict[int, Cell] = {}
    for each in sorted(cells):
        same = found.get(each.cell, Cell(each.cell, each.points, 0, 0, 0))
        found[each.cell] = same._replace(
            good=same.good + each.good, bad=same.bad + each.bad, open=same.open + each.open
        )
    return list(found.values())


def cumulative_shares(cells: Sequence[Cell]) -> list[tuple[float, float]]:
    """Shares of all goods and of all bads at or above each risk, the riskiest cell first.

    Empty where there is no good or no bad: undefined is not zero.
    """
    riskiest_first = cells[::-1]
    goods = list(accumulate(cell.good for cell in riskiest_first))
    bads = list(accumulate(cell.bad for cell in riskiest_first))
    if not cells or not goods[-1] or not bads[-1]:
        return []
    return [(g / goods[-1], b / bads[-1]) for g, b in zip(goods, bads, strict=True)]
