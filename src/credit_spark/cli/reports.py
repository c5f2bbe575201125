"""A night's report, made from its tables, and written beside them: with no Spark but to draw."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click

from credit_spark.cli.flags import FILE, FOLDER, of_any_night
from credit_spark.cli.output import opened
from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract
from credit_spark.config.tables import DRIFT, METRICS, MOVEMENTS, PROFILES
from credit_spark.evaluation.cells import by_risk
from credit_spark.monitoring.drift import ComparedBin, by_subject
from credit_spark.reporting.night import report as report_of
from credit_spark.reporting.sections import NightFacts, Report, Row
from credit_spark.reporting.training import CV, Fitted, TrainingFacts, training_report
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.paths import put, writable
from credit_spark.storage.reader import TableReader

FIGURES = ("ks", "auc", "mean_pd", "observed_rate", "approval_rate")


@click.command
@click.option("--training", is_flag=True, help="Of a night's training instead.")
@click.option("--out", type=FILE, help="File to write.")
@click.option("--charts", type=FOLDER, help="Folder for each chart as SVG, PNG and JSON.")
@of_any_night
def report(
    *, training: bool, out: Path | None, charts: Path | None, as_of: date | None, **where: Any
) -> None:
    """Write a night's report: one file of HTML, to be opened with no network.

    Where --out is not given, it stands in the folder 'reports' beside the tables.
    """
    contract, reader = opened(**where)
    night = as_of or reader.latest()
    place, found = publish(contract, reader, night, training=training, out=out)
    click.echo(place)
    if charts:
        writable(str(charts), "--charts")
        click.echo(f"{_draw_into(charts, found)} charts in {charts}")


def publish(
    contract: Contract, reader: TableReader, night: date, *, training: bool, out: Path | None = None
) -> tuple[str, Report]:
    """Write the report of a night, or of its training, to `out` or beside its tables.

    The result is where it is, and the report.
    """
    # Only who makes a report needs what it is made with.
    from credit_spark.reporting.drawing import page

    if training:
        found = training_report(training_facts(contract, reader, night))
    else:
        found = report_of(facts_of(contract, reader, night))
    if out:
        writable(str(out.parent), "--out")
        out.write_text(page(found), encoding="utf-8")
        return str(out), found
    name = f"train-{night}.html" if training else f"{night}.html"
    return put(f"{reader.folder}/reports", name, page(found).encode()), found


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
    return NightFacts(
        contract=contract,
        as_of=night,
        document=document,
        policy=reader.policy_of(night, contract),
        run=runs[night],
        cells=by_risk(reader.cells_of(night, document.version, "night")),
        metrics=metrics,
        profiles=by_subject(ComparedBin.of(row) for row in own(reader.rows(PROFILES, night))),
        drift=own(reader.rows(DRIFT, night)),
        movements=own(reader.rows(MOVEMENTS, night)),
        decided=reader.sums(night, "decision", "band", "reason_1"),
        broken=reader.broken_rules(night),
        last_run=runs[earlier] if earlier else None,
        last_figures=reader.date_figures(FIGURES).get(earlier, {}) if earlier else {},
    )


def _draw_into(folder: Path, found: Report) -> int:
    """Write each chart that has data as a picture in two formats, and its data; how many."""
    from credit_spark.reporting.drawing import drawn

    charts = [chart for section in found.sections for chart in section.charts if chart.data]
    for chart in charts:
        (folder / f"{chart.name}.svg").write_bytes(drawn(chart, "svg"))
        (folder / f"{chart.name}.png").write_bytes(drawn(chart, "png"))
        text = json.dumps(chart._asdict(), indent=1)
        (folder / f"{chart.name}.json").write_text(text, encoding="utf-8")
    return len(charts)
