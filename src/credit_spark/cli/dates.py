"""The last batch dates, a line each, and the figures of one date."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import click
import pyarrow.compute as pc

from credit_spark.cli.flags import date_options, portfolio_options, renamed
from credit_spark.cli.output import (
    Row,
    console,
    mature_of,
    open_portfolio,
    output_formats,
    print_rows,
)
from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract
from credit_spark.config.tables import DRIFT, METRICS, STATUSES
from credit_spark.reporting.training import by_feature
from credit_spark.storage.reader import TableReader

FIGURES = ("ks", "auc")
COLUMNS = [
    "model_version", "imbalance", "dataset", "segment", "label", "threshold", "metric", "value",
    "rows",
]  # fmt: skip
OF_DRIFT = ["status", "subject", "measure", "value", "baseline", "critical_value", "rows"]


@click.command
@click.option(
    "--dates", type=click.IntRange(min=1), default=14, show_default=True, help="How many."
)
@output_formats
@portfolio_options
def status(*, dates: int, as_csv: bool, as_json: bool, **where: Any) -> None:
    """Show the last batch dates, a line each: rows, model and KS of all complete runs."""
    _, reader = open_portfolio(**where)
    last = reader.last_runs()[-dates:]
    if not last:
        raise InputError(f"there is no run at {reader.folder} yet; run 'credit-spark nightly'")
    figures, statuses = reader.date_figures(FIGURES), reader.date_statuses()
    rows = [
        _line(run, figures.get(run["as_of"], {}), statuses.get(run["as_of"], ())) for run in last
    ]
    print_rows(rows, as_csv=as_csv, as_json=as_json)
    if not as_csv and not as_json:
        for run in last:
            if message := _message(run):
                console().print(f"{run['as_of']}: {message}", markup=False)


status.params.append(renamed("--nights", "--dates"))


def _message(run: Row) -> str | None:
    """The message about a date: the status of a run that is newer than its complete one."""
    newest = run["newest"]
    if newest["run_id"] == run["run_id"]:
        return str(run["message"]) if run["message"] else None
    message = f": {newest['message']}" if newest["message"] else ""
    return (
        f"the newest run ({newest['started_at']:%Y-%m-%d %H:%M} UTC) is {newest['status']}{message}"
    )


def _line(run: Row, figures: Mapping[str, float | None], statuses: Collection[str]) -> Row:
    """The line of one batch date."""
    ended_at = run["ended_at"]
    return {
        "as_of": str(run["as_of"]),
        "status": run["status"],
        "read": run["rows_read"],
        "accepted": run["rows_accepted"],
        "quarantined": run["rows_quarantined"],
        "model": run["model_version"],
        **{name: figures.get(name) for name in FIGURES},
        "drift": max(statuses, key=STATUSES.index, default=None),
        "seconds": ended_at and round((ended_at - run["started_at"]).total_seconds(), 1),
        "newest_run": run["newest"]["status"],
    }


def bands(contract: Contract, reader: TableReader, as_of: date) -> list[Row]:
    """A batch's loans by band, in the contract's order; those that are not mature are open."""
    sums = reader.sums(as_of, "band", "outcome", mature=mature_of(contract, as_of))
    rows: list[Row] = []
    for band in reader.policy_of(as_of, contract).score.bands if sums else ():
        own = {row["outcome"]: row for row in sums if row["band"] == band}
        loans = sum(row["loans"] for row in own.values())
        mean_pd = sum(row["pd"] for row in own.values()) / loans if loans else None
        good, bad = (own[name]["loans"] if name in own else 0 for name in ("good", "bad"))
        counts = {"good": good, "bad": bad, "open": loans - good - bad}
        rows.append({"band": band, "loans": loans, "mean_pd": mean_pd, **counts})
    return rows


def metrics(_: Contract, reader: TableReader, as_of: date) -> list[Row]:
    """A batch's figures, without those of single folds."""
    return reader.rows(METRICS, as_of, pc.field("fold").is_null(), COLUMNS)


def drift(_: Contract, reader: TableReader, as_of: date) -> list[Row]:
    """A batch's monitored figures, the worst status first."""
    rows = reader.rows(DRIFT, as_of, columns=OF_DRIFT)
    return sorted(rows, key=lambda row: (-STATUSES.index(row["status"]), row["subject"]))


def evidence(_: Contract, reader: TableReader, as_of: date) -> list[Row]:
    """The bins of features in the model that scored a batch, the strongest feature first.

    The `iv` of a feature's bins add up to its information value.
    """
    return [
        {
            "feature": feature.name, "bin": label, "loans": each.loans, "bad": each.bad,
            "bad_rate": each.bad_rate, "woe": each.weight, "iv": each.value,
        }
        for feature in by_feature(reader.model_of(as_of))
        for label, each in zip(feature.labels, feature.bins, strict=True)
    ]  # fmt: skip


SHOWN = {"bands": bands, "drift": drift, "evidence": evidence, "metrics": metrics}


@click.command
@click.argument("what", type=click.Choice(list(SHOWN)))
@output_formats
@date_options
def show(*, what: str, as_of: date | None, as_csv: bool, as_json: bool, **where: Any) -> None:
    """Show one table of a batch: loans by band, drift, weight of evidence, or metrics.

    Evidence lists for each bin of a feature its training loans, the bad ones, its weight of
    evidence (log-odds of bad) and its part of the feature's information value.
    """
    contract, reader = open_portfolio(**where)
    as_of = as_of or reader.latest()
    rows = SHOWN[what](contract, reader, as_of)
    if not rows:
        raise InputError(f"the batch of {as_of} has no {what}; run 'credit-spark nightly' for it")
    print_rows(rows, as_csv=as_csv, as_json=as_json)
