"""The last nights, a line each, and one night's figures."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import click
from rich.console import Console

from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import STATUSES
from credit_spark.flags import of_a_portfolio, of_any_night
from credit_spark.lookups.output import Row, in_three_ways, told
from credit_spark.lookups.place import Place, place_of

NIGHTS = 14
FIGURES = ("ks", "auc")
COLUMNS = (
    "model_version", "treatment", "dataset", "segment", "label", "threshold", "metric", "value",
    "rows",
)  # fmt: skip
OF_DRIFT = ("status", "subject", "measure", "value", "reference", "chance", "rows")


@click.command
@click.option("--nights", type=click.IntRange(min=1), default=NIGHTS, show_default=True)
@in_three_ways
@of_a_portfolio
def status(*, nights: int, as_csv: bool, as_json: bool, **where: Any) -> None:
    """Show the last nights, a line each: how they ended, their rows, their model and its KS."""
    lake = place_of(**where).lake
    last = lake.last_runs()[-nights:]
    if not last:
        raise InputError(f"there is no night at {lake.folder} yet; run 'credit-spark nightly'")
    figures = lake.night_figures(FIGURES)
    statuses = lake.night_statuses()
    rows = [
        _line(run, figures.get(run["as_of"], {}), statuses.get(run["as_of"], {})) for run in last
    ]
    told(rows, as_csv=as_csv, as_json=as_json)
    if not as_csv and not as_json:
        for run in last:
            if run["message"]:
                Console(highlight=False).print(f"{run['as_of']}: {run['message']}", markup=False)


def _line(
    run: Mapping[str, Any], figures: Mapping[str, float | None], statuses: Mapping[str, int]
) -> Row:
    """What is told of a night's last attempt."""
    took = (run["ended_at"] - run["started_at"]).total_seconds()
    return {
        "as_of": str(run["as_of"]),
        "status": run["status"],
        "read": run["rows_read"],
        "accepted": run["rows_accepted"],
        "quarantined": run["rows_quarantined"],
        "model": run["model_version"],
        **{name: figures.get(name) for name in FIGURES},
        "drift": max(statuses, key=STATUSES.index, default=None),
        "seconds": round(took, 1),
    }


def bands(place: Place, night: date) -> list[Row]:
    """A night's loans, good and bad, by band, in the contract's order."""
    sums = place.lake.sums(night, "band", "outcome")
    return [
        _band(name, [row for row in sums if row["band"] == name])
        for name in place.contract.score.bands
        if sums
    ]


def _band(name: str, own: Sequence[Row]) -> Row:
    counts = {row["outcome"]: row["loans"] for row in own}
    loans, good, bad = sum(counts.values()), counts.get("good", 0), counts.get("bad", 0)
    mean_pd = sum(row["pd"] for row in own) / loans if loans else None
    return {
        "band": name, "loans": loans, "mean_pd": mean_pd, "good": good, "bad": bad,
        "open": loans - good - bad,
    }  # fmt: skip


def metrics(place: Place, night: date) -> list[Row]:
    """A night's figures, without those of single folds."""
    return [
        {name: row[name] for name in COLUMNS}
        for row in place.lake.metrics(night)
        if row["fold"] is None
    ]


def drift(place: Place, night: date) -> list[Row]:
    """A night's figures that are watched, the gravest first."""
    rows = place.lake.drift(night)
    gravest = sorted(rows, key=lambda row: (-STATUSES.index(row["status"]), row["subject"]))
    return [{name: row[name] for name in OF_DRIFT} for row in gravest]


SHOWN: Mapping[str, Callable[[Place, date], list[Row]]] = {
    "bands": bands,
    "drift": drift,
    "metrics": metrics,
}


@click.command
@click.argument("what", type=click.Choice(list(SHOWN)))
@in_three_ways
@of_any_night
def show(*, what: str, as_of: date | None, as_csv: bool, as_json: bool, **where: Any) -> None:
    """Show a night's metrics, what of it has changed, or its loans by band."""
    place = place_of(**where)
    night = as_of or place.lake.latest()
    rows = SHOWN[what](place, night)
    if not rows:
        raise InputError(f"the night of {night} has no {what}; run 'credit-spark nightly' for it")
    told(rows, as_csv=as_csv, as_json=as_json)
