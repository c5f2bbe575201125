"""Commands that only read, with no Spark: the scorecard, one loan's score explained, the page."""

import csv
import ipaddress
import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table

from credit_spark.adapters.lake import Lake
from credit_spark.contract.errors import InputError
from credit_spark.contract.loading import find_contract, load_contract
from credit_spark.contract.models import Contract
from credit_spark.evaluation.cutoffs import Cutoff, curve, cutoff
from credit_spark.modelling.document import ModelDocument
from credit_spark.modelling.export import Dialect, exported
from credit_spark.modelling.scorecard import Row, scorecard
from credit_spark.serving.answers import Answers
from credit_spark.settings import resolve

LOOPBACK = "127.0.0.1"
BAR = 12
THREADS = 4


class Place(NamedTuple):
    """A portfolio, and where its tables stand."""

    contract: Contract
    lake: Lake


def of_a_portfolio(project: Path) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The flags of a command that reads a portfolio's tables; it is given their `place`."""
    options = [
        click.option(
            "--portfolio", required=True, help="Name below conf/portfolios, or a .yml file."
        ),
        click.option("--warehouse", help="Folder or URL of the tables."),
        click.option(
            "--settings",
            "settings_file",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="YAML file with settings that differ from conf/base.yml.",
        ),
        click.option(
            "--project",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            default=project,
            help="Folder with conf/ and expectations/; this checkout where it is not given.",
        ),
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def place_of(
    portfolio: str, warehouse: str | None, settings_file: Path | None, project: Path
) -> Place:
    """The portfolio's contract and tables."""
    contract = load_contract(find_contract(portfolio, project / "conf/portfolios"))
    storage = {} if warehouse is None else {"warehouse": warehouse}
    settings = resolve(project / "conf/base.yml", settings_file, {"storage": storage})
    folder = f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}"
    return Place(contract, Lake(folder))


def print_scorecard(
    place: Place, version: str | None, as_of: date | None, *, as_csv: bool, as_json: bool
) -> None:
    """Print the scorecard of a model, by version, or of the model that scored a night."""
    document = _document(place, version, as_of)
    rows = list(scorecard(document))
    if as_json:
        print(json.dumps([row._asdict() for row in rows]))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(Row._fields)
        writer.writerows([row.feature, row.level, f"{row.points:.4f}"] for row in rows)
    else:
        table = Table("feature", "level", title=f"Scorecard of model {document.version}")
        table.add_column("points", justify="right")
        for row in rows:
            table.add_row(row.feature, row.level, f"{row.points:+.1f}")
        Console().print(table)


def _document(place: Place, version: str | None, as_of: date | None) -> ModelDocument:
    if version:
        return place.lake.document(version)
    return place.lake.model_of(as_of or place.lake.latest())


def what_if(place: Place, cutoffs: Sequence[float], as_of: date | None, *, as_json: bool) -> None:
    """Print what the contract's cut-off, and others, do to a night's loans; then the curve."""
    cells = place.lake.cells(as_of or place.lake.latest())
    own = place.contract.score.decisions.approve_below
    asked = [cutoff(cells, each) for each in dict.fromkeys([own, *cutoffs])]
    if as_json:
        rows = {"cutoffs": asked, "curve": curve(cells)}
        print(
            json.dumps({name: [each._asdict() for each in found] for name, found in rows.items()})
        )
        return
    table = Table("approve below", "approved", "share", "expected bad", "observed bad", "")
    for each in asked:
        table.add_row(*_row(each), "the contract's" if each is asked[0] else "asked")
    table.add_section()
    for each in curve(cells):
        table.add_row(*_row(each), "#" * round(each.share * 2 * BAR))
    Console(highlight=False).print(table)


def _row(found: Cutoff) -> list[str]:
    rates = [found.expected_rate, found.observed_rate]
    said = ["unknown" if each is None else f"{each:.2%}" for each in rates]
    return [f"{found.approve_below:.4f}", f"{found.approved:,}", f"{found.share:.1%}", *said]


def print_export(place: Place, version: str | None, as_of: date | None, dialect: Dialect) -> None:
    """Print a model as one SELECT."""
    kinds = {name: promise.kind for name, promise in place.contract.columns.items()}
    print(exported(_document(place, version, as_of), kinds, dialect), end="")


def explain(place: Place, loan_id: str, as_of: date | None, *, as_json: bool) -> None:
    """Print what every feature adds to a loan's points, as a table with bars."""
    night = as_of or place.lake.latest()
    answer = Answers(place.contract, place.lake).loan(loan_id, night)
    if answer is None:
        raise InputError(f"there is no loan '{loan_id}' among the scores of {night}")
    if as_json:
        print(json.dumps(answer))
        return
    console = Console(highlight=False)
    console.print(
        f"loan {loan_id}, night of {night}: {answer['points']} points, band {answer['band']}, "
        f"PD {answer['pd']:.4f}, decision {answer['decision']}",
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
        table.add_row(each["feature"], each["value"], f"{each['points']:+.1f}", bar)
    table.add_row("points", "", str(points), "", style="bold")
    return table


def serve(place: Place, host: str, port: int, token: str | None) -> None:
    """Answer requests until the process is ended."""
    # Flask takes half a second to import.
    import waitress

    from credit_spark.serving.app import application

    if not _is_loopback(host) and not token:
        raise InputError(
            f"{host} can be reached by others: give a --token that they must know (or set "
            f"CREDIT_SPARK_TOKEN), or serve on {LOOPBACK}"
        )
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app = application(Answers(place.contract, place.lake), token)
    try:
        server = waitress.create_server(app, host=host, port=port, threads=THREADS, ident=None)
    except OSError as error:
        raise InputError(f"{host}:{port} cannot be served on: {error.strerror}") from None
    click.echo(f"{place.contract.title}: http://{host}:{server.effective_port}/  (Ctrl-C ends it)")
    server.run()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
