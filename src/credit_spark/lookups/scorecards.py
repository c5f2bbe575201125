"""The scorecard of a model, and one loan's points explained."""

import json
from datetime import date
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from credit_spark.contract.errors import InputError
from credit_spark.flags import of_any_night
from credit_spark.lookups.output import in_three_ways, told
from credit_spark.lookups.place import document_of, opened
from credit_spark.scoring.scorecard import scorecard as rows_of
from credit_spark.serving.answers import Answers

BAR = 12


@click.command
@click.option("--model", "version", help="Version of the model; else the one that scored a night.")
@in_three_ways
@of_any_night
def scorecard(
    *, version: str | None, as_of: date | None, as_csv: bool, as_json: bool, **where: Any
) -> None:
    """Print a model's scorecard: the points that each feature's levels add."""
    _, reader = opened(**where)
    document = document_of(reader, version, as_of)
    told([row._asdict() for row in rows_of(document)], as_csv=as_csv, as_json=as_json)


@click.command
@click.argument("loan_id")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@of_any_night
def explain(*, loan_id: str, as_of: date | None, as_json: bool, **where: Any) -> None:
    """Say why a loan has its points: what each feature adds to them, and the reasons."""
    contract, reader = opened(**where)
    night = as_of or reader.latest()
    if night not in reader.complete_dates():
        raise InputError(
            f"the night of {night} is not complete; 'credit-spark status' lists nights"
        )
    answer = Answers(contract, reader).loan(loan_id, night)
    if answer is None:
        raise InputError(f"there is no loan '{loan_id}' among the scores of {night}")
    if as_json:
        print(json.dumps(answer))
        return
    console = Console(highlight=False)
    console.print(
        f"loan {loan_id}, night of {night}: {answer['points']} points, band {answer['band']}, "
        f"PD {answer['pd']:.4f}, decision {answer['decision']}; outcome {answer['outcome']}",
        markup=False,
    )
    console.print(_bars(answer["parts"], answer["points"]))
    for nth, reason in enumerate(answer["reasons"], start=1):
        console.print(f"  reason {nth}  {reason}", markup=False)


def _bars(parts: list[dict[str, Any]], points: int) -> Table:
    """Every part, its points and a bar to the left where it costs, to the right where it adds."""
    table = Table()
    table.add_column("feature", no_wrap=True)
    table.add_column("value")
    table.add_column("points", justify="right")
    table.add_column("costs".rjust(BAR) + "|" + "adds".ljust(BAR), no_wrap=True)
    base, *features = parts
    widest = max((abs(each["points"]) for each in features), default=0) or 1
    table.add_row(base["feature"], "", f"{base['points']:.1f}", "")
    for each in features:
        length = round(abs(each["points"]) / widest * BAR)
        left, right = ("#" * length, "") if each["points"] < 0 else ("", "#" * length)
        bar = f"{left:>{BAR}}|{right:<{BAR}}"
        table.add_row(each["feature"], escape(each["value"]), f"{each['points']:+.1f}", bar)
    table.add_row("points", "", str(points), "", style="bold")
    return table
