"""What a report is made from: small counts of a night, as its tables have them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from credit_spark.contract.models import Contract
from credit_spark.evaluation.cells import Cell
from credit_spark.evaluation.drift import Bin, Profiles
from credit_spark.scoring.document import ModelDocument

Row = Mapping[str, Any]


class NightFacts(NamedTuple):
    """A night, and what the one before it came to.

    `metrics`, `drift` and `movements` are rows of their tables, `cells` those of tonight's scores,
    by risk; `decided` counts loans by decision, band and first reason; `broken` counts quarantined
    lines by rule. `last_run` and `last_figures`, by metric, are the last night's.
    """

    contract: Contract
    as_of: date
    document: ModelDocument
    run: Row
    cells: Sequence[Cell]
    metrics: Sequence[Row]
    profiles: Profiles
    drift: Sequence[Row]
    movements: Sequence[Row]
    decided: Sequence[Row]
    broken: Mapping[str, int]
    last_run: Row | None
    last_figures: Mapping[str, float | None]

    def figure(self, metric: str, segment: str = "all") -> float | None:
        """A figure of tonight that needs no threshold."""
        wanted = (metric, segment, "all", None)
        columns = ("metric", "segment", "label", "threshold")
        found = (row for row in self.metrics if tuple(row[name] for name in columns) == wanted)
        return next((row["value"] for row in found), None)

    def segments(self, prefix: str) -> dict[str, dict[str, Row]]:
        """Rows of tonight whose segment begins so: by the rest of its name, then by metric."""
        found: dict[str, dict[str, Row]] = {}
        for row in self.metrics:
            if row["segment"].startswith(prefix):
                found.setdefault(row["segment"].removeprefix(prefix), {})[row["metric"]] = row
        return found

    def bins(self, role: str, subject: str) -> list[Bin]:
        """The bins of what is watched; none where it was not."""
        return self.profiles.get((role, subject), [])

    def loans_by(self, *columns: str) -> Counter[tuple[Any, ...]]:
        """Tonight's loans by some of decision, band and first reason."""
        found: Counter[tuple[Any, ...]] = Counter()
        for row in self.decided:
            found[tuple(row[column] for column in columns)] += row["loans"]
        return found
