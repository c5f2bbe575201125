"""A batch's figures as OpenMetrics' text, for Prometheus to collect from a file."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

Summary = Mapping[str, Mapping[str, Any]]
STATUSES = ("read", "accepted", "quarantined", "superseded")
DECIDED = ("approve", "review", "decline")
FIGURES = ("ks", "auc", "mean_pd", "observed_rate")
CHANGED = ("watch", "act")


def write_metrics(
    file: Path, portfolio: str, as_of: date, summary: Summary, is_complete: bool, seconds: float
) -> None:
    """Put a batch's figures into a file, in the place of what was there."""
    registry = CollectorRegistry()

    def show(name: str, says: str, value: float) -> None:
        gauge = Gauge(f"credit_spark_{name}", says, ["portfolio"], registry=registry)
        gauge.labels(portfolio).set(value)

    def show_each(name: str, says: str, label: str, step: str, facts: tuple[str, ...]) -> None:
        found = summary.get(step, {})
        known = {fact: found[fact] for fact in facts if found.get(fact) is not None}
        if known:
            names = ["portfolio", label]
            gauge = Gauge(f"credit_spark_{name}", says, names, registry=registry)
            for fact, value in known.items():
                gauge.labels(portfolio, fact).set(value)

    epoch = datetime.combine(as_of, time(), UTC).timestamp()
    show("run_complete", "1: the last run is complete; 0: it is not", is_complete)
    show("run_duration_seconds", "How long the last run took", seconds)
    show("batch_date_timestamp_seconds", "Batch date of the last run: seconds since 1970", epoch)
    show_each("records", "Records by status", "status", "clean", STATUSES)
    show_each("decision_share", "Share of loans by decision", "decision", "score", DECIDED)
    show_each("figure", "Model metric on known outcomes", "metric", "measure", FIGURES)
    show_each("changes", "Monitored figures by status", "status", "monitor", CHANGED)
    beside = file.with_name(f".{file.name}")
    beside.write_bytes(generate_latest(registry))  # type: ignore[no-untyped-call]
    beside.replace(file)
