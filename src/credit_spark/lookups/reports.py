"""A night's report, made from its tables, and written beside them: with no Spark but to draw."""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from credit_spark.contract.errors import InputError
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import DRIFT, METRICS, MOVEMENTS, PROFILES
from credit_spark.evaluation.cells import by_risk
from credit_spark.evaluation.profiles import Bin, by_subject
from credit_spark.flags import of_any_night
from credit_spark.lookups.place import place_of
from credit_spark.reporting.charts import Chart
from credit_spark.reporting.facts import NightFacts, Row
from credit_spark.reporting.night import report as report_of
from credit_spark.reporting.sections import Report
from credit_spark.reporting.training import CV, Fitted, TrainingFacts, training_report
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.paths import put, writable
from credit_spark.storage.reader import TableReader

FIGURES = ("ks", "auc", "mean_pd", "observed_rate", "approval_rate")


@click.command
@click.option("--training", is_flag=True, help="Of a night's training instead.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option(
    "--charts",
    "charts_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for each chart as SVG, PNG and JSON.",
)
@of_any_night
def report(
    *,
    training: bool,
    out: Path | None,
    charts_folder: Path | None,
    as_of: date | None,
    **where: Any,
) -> None:
    """Write a night's report: one file of HTML, to be opened with no network.

    Where --out is not given, it stands in the folder 'reports' beside the tables.
    """
    place = place_of(**where)
    night = as_of or place.reader.latest()
    if training:
        found = training_report(training_facts(place.contract, place.reader, night))
    else:
        found = report_of(facts_of(place.contract, place.reader, night))
    name = f"train-{night}.html" if training else f"{night}.html"
    click.echo(_written(_page(found), place.reader.folder, name, out))
    if charts_folder:
        writable(str(charts_folder), "--charts")
        count = len([*drawn_into(charts_folder, found)])
        click.echo(f"{count} charts in {charts_folder}")


def _page(found: Report) -> str:
    # Only who makes a report needs what it is made with.
    from credit_spark.reporting.page import page

    return page(found)


def _written(text: str, folder: str, name: str, out: Path | None) -> str:
    if not out:
        return _put_beside(folder, name, text)
    writable(str(out.parent), "--out")
    out.write_bytes(text.encode())
    return str(out)


def publish(contract: Contract, folder: str, night: date) -> str:
    """Write a night's report beside its tables, and say where it is."""
    found = report_of(facts_of(contract, TableReader(folder), night))
    return _put_beside(folder, f"{night}.html", _page(found))


def publish_training(contract: Contract, folder: str, night: date) -> str:
    """Write a training's report beside its tables, and say where it is."""
    found = training_report(training_facts(contract, TableReader(folder), night))
    return _put_beside(folder, f"train-{night}.html", _page(found))


def training_facts(contract: Contract, reader: TableReader, night: date) -> TrainingFacts:
    """What the report of a night's training is made from.

    Raises:
        InputError: no model was fitted that night.
    """
    metrics = reader.rows(METRICS, night)
    tested = {row["model_version"] for row in metrics if row["dataset"] == CV}
    fits = [
        Fitted(
            ModelDocument.of(row["document"]),
            json.loads(row["gates"]),
            by_risk(reader.cells_of(night, row["model_version"], CV)),
        )
        for row in reader.fits(night)
        if row["model_version"] in tested
    ]
    if not fits:
        raise InputError(f"no model was fitted on {night}; run 'credit-spark train'")
    own = contract.model.imbalance
    ordered = sorted(fits, key=lambda each: (each.treatment != own, each.treatment))
    return TrainingFacts(contract, night, ordered, metrics)


REPORTS = MappingProxyType({"train": publish_training, "measure": publish})


def facts_of(contract: Contract, reader: TableReader, night: date) -> NightFacts:
    """What the report of a night is made from.

    Raises:
        InputError: the night is not complete, or was not measured.
    """
    runs = reader.complete_dates()
    if night not in runs:
        raise InputError(f"the night of {night} is not complete; run 'credit-spark nightly' for it")
    document = reader.model_of(night)

    def own(rows: Iterable[Row]) -> list[Row]:
        """Those of the model that scored the night: another may have been there before it."""
        return [row for row in rows if row["model_version"] == document.version]

    metrics = [row for row in own(reader.rows(METRICS, night)) if row["dataset"] == "night"]
    if not metrics:
        raise InputError(f"the night of {night} was not measured; run 'credit-spark measure'")
    scored = [each for each, run in runs.items() if each < night and run["model_version"]]
    earlier = max(scored, default=None)
    figures = reader.date_figures(FIGURES)
    run = runs[night]
    return NightFacts(
        contract=contract,
        as_of=night,
        document=document,
        run=run,
        cells=by_risk(reader.cells_of(night, document.version, "night")),
        metrics=metrics,
        profiles=by_subject(Bin.of(row) for row in own(reader.rows(PROFILES, night))),
        drift=own(reader.rows(DRIFT, night)),
        movements=own(reader.rows(MOVEMENTS, night)),
        decided=reader.sums(night, "decision", "band", "reason_1"),
        broken=reader.broken_rules(night),
        last_run=runs[earlier] if earlier else None,
        last_figures=figures.get(earlier, {}) if earlier else {},
    )


def _put_beside(folder: str, name: str, text: str) -> str:
    """Write a page beside the tables, whole or not at all; where it stands is given back."""
    return put(f"{folder}/reports", name, text.encode())


def drawn_into(folder: Path, found: Report) -> Iterator[Chart]:
    """Write each chart that has data: a picture in two formats, and its data."""
    from credit_spark.reporting.drawing import drawn

    for chart in (chart for section in found.sections for chart in section.charts if chart.data):
        (folder / f"{chart.name}.svg").write_bytes(drawn(chart, "svg"))
        (folder / f"{chart.name}.png").write_bytes(drawn(chart, "png"))
        text = json.dumps(chart._asdict(), indent=1)
        (folder / f"{chart.name}.json").write_text(text, encoding="utf-8")
        yield chart
