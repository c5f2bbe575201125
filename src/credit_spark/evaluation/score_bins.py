"""Score bins: loans that share a score, counted by outcome. All of evaluation starts here.

A score bin is a thousandth of log-odds of bad, so figures from bins are within 1e-4 of those from
single loans. Loans in one score bin are tied, and every metric treats them so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from math import exp
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.tables import WIDEST_LOG_ODDS

PER_LOG_ODDS = 1000


class ScoreBin(NamedTuple):
    """Loans that share a score: `score_bin` is log-odds of bad in thousandths."""

    score_bin: int
    points: int
    good: int
    bad: int
    open: int

    @property
    def log_odds(self) -> float:
        """Log-odds of bad."""
        return self.score_bin / PER_LOG_ODDS

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


Folds = Mapping[int | None, Sequence[ScoreBin]]


def counted(scored: DataFrame, by: Sequence[str] = ()) -> DataFrame:
    """Loans counted by the columns `by`, then `score_bin` and `points`: `good`, `bad`, `open`.

    In come `log_odds` (within WIDEST_LOG_ODDS), `points`, and `outcome`, where null counts as open.
    A score bin is rounded half away from zero, as Spark's `round` does.
    """
    outcome = F.col("outcome")
    score_bin = F.round(F.col("log_odds") * PER_LOG_ODDS).cast("int").alias("score_bin")
    return scored.groupBy(*by, score_bin, "points").agg(
        F.count_if(outcome == "good").alias("good"),
        F.count_if(outcome == "bad").alias("bad"),
        F.count_if(F.coalesce(outcome, F.lit("open")) == "open").alias("open"),
    )


def collected(counts: DataFrame) -> list[ScoreBin]:
    """Counted score bins as plain values, in order: as many as the scale has, not as the loans."""
    return sorted(ScoreBin(*row) for row in counts.collect())


def plainly_counted(
    log_odds: Iterable[float], is_bad: Iterable[float], points: Callable[[float], int]
) -> list[ScoreBin]:
    """Score bins of a few loans that Python holds, all with a known outcome (1 bad, 0 good)."""
    bounded = [max(-WIDEST_LOG_ODDS, min(WIDEST_LOG_ODDS, each)) for each in log_odds]
    score_bins = [
        ScoreBin(round(each * PER_LOG_ODDS), points(each), int(not bad), int(bad), 0)
        for each, bad in zip(bounded, is_bad, strict=True)
    ]
    return by_risk(score_bins)


def by_risk(score_bins: Iterable[ScoreBin]) -> list[ScoreBin]:
    """Score bins from the least risk up, one a score; bins of several folds are added."""
    found: dict[int, ScoreBin] = {}
    for each in sorted(score_bins):
        same = found.get(each.score_bin, ScoreBin(each.score_bin, each.points, 0, 0, 0))
        found[each.score_bin] = same._replace(
            good=same.good + each.good, bad=same.bad + each.bad, open=same.open + each.open
        )
    return list(found.values())


def cumulative_shares(score_bins: Sequence[ScoreBin]) -> list[tuple[float, float]]:
    """Shares of all goods and of all bads at or above each risk, the riskiest score bin first.

    Empty where there is no good or no bad: undefined is not zero.
    """
    riskiest_first = score_bins[::-1]
    goods = list(accumulate(score_bin.good for score_bin in riskiest_first))
    bads = list(accumulate(score_bin.bad for score_bin in riskiest_first))
    if not score_bins or not goods[-1] or not bads[-1]:
        return []
    return [(g / goods[-1], b / bads[-1]) for g, b in zip(goods, bads, strict=True)]
