"""Another cut-off on a night's loans, and a model for another warehouse."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table

from credit_spark.evaluation.curves import Cutoff, curve, cutoff
from credit_spark.flags import of_any_night
from credit_spark.lookups.place import document_of, opened
from credit_spark.scoring.frames import kinds_of
from credit_spark.scoring.sql import Dialect, scoring_sql

BAR = 20


@click.command
@click.option(
    "--approve-below",
    "cutoffs",
    type=click.FloatRange(0, 1, min_open=True),
    multiple=True,
    help="Another PD below which loans would be approved; as often as wanted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@of_any_night
def what_if(*, cutoffs: Sequence[float], as_of: date | None, as_json: bool, **where: Any) -> None:
    """Show whom another cut-off would approve, how many of them would turn bad, and at what loss.

    The loss is told where the contract names an exposure.
    """
    _, reader = opened(**where)
    night = as_of or reader.latest()
    decisions = reader.model_of(night).score.decisions
    cells, losses = reader.cells_and_losses(night, decisions)
    own = decisions.approve_below
    asked = [cutoff(cells, each, losses) for each in dict.fromkeys([own, *cutoffs])]
    if as_json:
        found = {"cutoffs": asked, "curve": curve(cells, losses)}
        print(json.dumps({name: [each._asdict() for each in own] for name, own in found.items()}))
        return
    loss = [] if losses is None else ["expected loss"]
    table = Table("approve below", "approved", "share", "expected bad", "observed bad", *loss, "")
    for each in asked:
        table.add_row(*_row(each), "now" if each is asked[0] else "asked")
    table.add_section()
    for each in curve(cells, losses):
        table.add_row(*_row(each), "#" * round(each.share * BAR))
    Console(highlight=False).print(table)


def _row(found: Cutoff) -> list[str]:
    rates = [found.expected_rate, found.observed_rate]
    said = ["unknown" if each is None else f"{each:.2%}" for each in rates]
    loss = [] if found.expected_loss is None else [f"{found.expected_loss:,.0f}"]
    return [f"{found.approve_below:.4f}", f"{found.approved:,}", f"{found.share:.1%}", *said, *loss]


@click.command
@click.option("--dialect", type=click.Choice(get_args(Dialect)), required=True, help="Of SQL.")
@click.option("--model", "version", help="Version of the model; else the one that scored a night.")
@of_any_night
def export(*, dialect: Dialect, version: str | None, as_of: date | None, **where: Any) -> None:
    """Print a model as one readable SELECT from a table 'loans': the same scores elsewhere."""
    contract, reader = opened(**where)
    document = document_of(reader, version, as_of)
    print(scoring_sql(document, kinds_of(contract), dialect, loss=contract.loss), end="")
