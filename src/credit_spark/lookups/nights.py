"""The last nights, a line each, and one night's figures."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from math import isfinite
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from credit_spark.contract.errors import InputError
from credit_spark.flags import of_a_portfolio, of_any_night
from credit_spark.lookups.place import place_of

NIGHTS = 14
TOLD = ("as_of", "status", "read", "accepted", "quarantined", "model", "ks", "auc", "seconds")

# Columns that are not broken, however narrow the terminal is.
WHOLE = ("as_of", "status", "model", "band")


@click.command
@click.option("--nights", type=click.IntRange(min=1), default=NIGHTS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list instead.")
@of_a_portfolio
def status(*, nights: int, as_json: bool, **where: Any) -> None:
    """Show the last nights, a line each: how they ended, their rows, their model and its KS."""
    lake = place_of(**where).lake
    last = lake.last_runs()[-nights:]
    figures = lake.night_figures({run["as_of"] for run in last}, ("ks", "auc"))
    rows = [_line(run, figures.get(run["as_of"], {})) for run in last]
    if as_json:
        print(json.dumps(rows, default=str))
        return
    _print(rows, TOLD)
    for run in last:
        if run["message"]:
            Console(highlight=False).print(f"{run['as_of']}: {run['message']}", markup=False)


@click.command
@click.argument("what", type=click.Choice(["metrics", "bands"]))
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list instead.")
@of_any_night
def show(*, what: str, as_of: date | None, as_csv: bool, as_json: bool, **where: Any) -> None:
    """Show a night's metrics, or its loans, good and bad, by band."""
    place = place_of(**where)
    night = as_of or place.lake.latest()
    if what == "bands":
        rows = place.lake.bands(night, list(place.contract.score.bands))
    else:
        names = (
            "model_version",
            "treatment",
            "dataset",
            "segment",
            "label",
            "threshold",
            "metric",
            "value",
            "rows",
        )
        figures = [row for row in place.lake.metrics(night) if row["fold"] is None]
        rows = [{name: _finite(row[name]) for name in names} for row in figures]
    if not rows or (what == "bands" and not any(row["loans"] for row in rows)):
        raise InputError(f"the night of {night} has no {what}; run 'credit-spark nightly' for it")
    if as_json:
        print(json.dumps(rows))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    else:
        _print(rows, list(rows[0]))


def _finite(value: Any) -> Any:
    """A value that JSON has: an infinite number is null."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _line(run: Mapping[str, Any], figures: Mapping[str, float | None]) -> dict[str, Any]:
    """What is told of a night's last attempt."""
    took = (run["ended_at"] - run["started_at"]).total_seconds()
    return {
        "as_of": str(run["as_of"]),
        "status": run["status"],
        "read": run["rows_read"],
        "accepted": run["rows_accepted"],
        "quarantined": run["rows_quarantined"],
        "model": run["model_version"],
        "ks": figures.get("ks"),
        "auc": figures.get("auc"),
        "seconds": round(took, 1),
    }


def _print(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold", no_wrap=name in WHOLE)
    for row in rows:
        table.add_row(*[escape(_said(row[name])) for name in names])
    Console(highlight=False).print(table)


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
