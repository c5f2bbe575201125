"""A night's figures as OpenMetrics' text, for Prometheus to collect from a file."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

Summary = Mapping[str, Mapping[str, Any]]
LINES = ("read", "accepted", "quarantined", "superseded")
FIGURES = ("ks", "auc", "mean_pd", "observed_rate")


class Sample(NamedTuple):
    """A figure: its name, what it is, its value, and one label beside the portfolio's."""

    name: str
    says: str
    value: float
    label: tuple[str, str] = ("", "")


def write_metrics(
    file: Path, portfolio: str, as_of: date, summary: Summary, *, is_complete: bool, seconds: float
) -> None:
    """Put a night's figures into a file, in the place of what was there."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    samples = [
        Sample("night_complete", "1: the last run came to its end; 0: it did not", is_complete),
        Sample("night_seconds", "How long the last run took", seconds),
        Sample("night", "The night that the last run was for: seconds since 1970", _epoch(as_of)),
        *_samples(summary),
    ]
    for each in samples:
        names = ["portfolio", *filter(None, each.label[:1])]
        if each.name not in gauges:
            gauges[each.name] = Gauge(
                f"credit_spark_{each.name}", each.says, names, registry=registry
            )
        gauges[each.name].labels(portfolio, *filter(None, each.label[1:])).set(each.value)
    beside = file.with_name(f".{file.name}")
    beside.write_bytes(generate_latest(registry))  # type: ignore[no-untyped-call]
    beside.replace(file)


def _epoch(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _samples(summary: Summary) -> Iterator[Sample]:
    cleaned, scored = summary.get("clean", {}), summary.get("score", {})
    for name in LINES:
        if name in cleaned:
            yield Sample("lines", "Lines of the night's files", cleaned[name], ("verdict", name))
    for name in ("approve", "review", "decline"):
        if name in scored:
            yield Sample("decision_share", "Loans decided so", scored[name], ("decision", name))
    for name in FIGURES:
        value = summary.get("measure", {}).get(name)
        if value is not None:
            yield Sample("figure", "On tonight's known outcomes", value, ("metric", name))
    for name in ("watch", "act"):
        if "monitor" in summary:
            count = summary["monitor"][name]
            yield Sample("changes", "Figures that have changed", count, ("status", name))
