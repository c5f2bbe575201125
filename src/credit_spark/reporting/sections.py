"""What a report is made from and of: facts of a batch date; sections with charts and tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from credit_spark.config.models import Contract
from credit_spark.evaluation.score_bins import ScoreBin
from credit_spark.monitoring.drift import Distributions
from credit_spark.reporting.charts import Chart
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.policy import Policy

Row = Mapping[str, Any]


class ReportFacts(NamedTuple):
    """A batch, and the figures of the one before it.

    `metrics`, `drift` and `score_changes` are rows of their tables, `score_bins` of these scores,
    by risk; `decided` counts loans by decision, band and first reason; `broken` counts quarantined
    lines by rule. `last_run` and `last_figures`, by metric, are the last batch's.
    """

    contract: Contract
    as_of: date
    document: ModelDocument
    policy: Policy
    run: Row
    score_bins: Sequence[ScoreBin]
    metrics: Sequence[Row]
    distributions: Distributions
    drift: Sequence[Row]
    score_changes: Sequence[Row]
    decided: Sequence[Row]
    broken: Mapping[str, int]
    last_run: Row | None
    last_figures: Mapping[str, float | None]

    def figure(self, metric: str, segment: str = "all") -> float | None:
        """A figure of this batch that needs no threshold."""
        wanted = (metric, segment, "all", None)
        columns = ("metric", "segment", "label", "threshold")
        found = (row for row in self.metrics if tuple(row[name] for name in columns) == wanted)
        return next((row["value"] for row in found), None)

    def segments(self, prefix: str) -> dict[str, dict[str, Row]]:
        """Rows of this batch whose segment begins so: by the rest of its name, then by metric."""
        found: dict[str, dict[str, Row]] = {}
        for row in self.metrics:
            if row["segment"].startswith(prefix):
                found.setdefault(row["segment"].removeprefix(prefix), {})[row["metric"]] = row
        return found

    def loans_by(self, *columns: str) -> Counter[tuple[Any, ...]]:
        """The current loans by some of decision, band and first reason."""
        found: Counter[tuple[Any, ...]] = Counter()
        for row in self.decided:
            found[tuple(row[column] for column in columns)] += row["loans"]
        return found


class ReportTable(NamedTuple):
    """A table, its values as texts."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Section(NamedTuple):
    """A part of a report."""

    title: str
    says: str
    charts: Sequence[Chart] = ()
    tables: Sequence[ReportTable] = ()


class Report(NamedTuple):
    """A report: its title, what it is of, its sections."""

    title: str
    about: str
    sections: Sequence[Section]


def counted(value: float | None) -> str:
    """A count; nothing where it is not known."""
    return "" if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """A share."""
    return "" if value is None else f"{value:.1%}"


def plain(value: float | None) -> str:
    """A figure."""
    return "" if value is None else f"{value:,.3f}"
