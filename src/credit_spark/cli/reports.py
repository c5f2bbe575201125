"""A batch's report, made from its tables, and written beside them: with no Spark but to draw."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click

from credit_spark.cli.flags import FILE, FOLDER, date_options
from credit_spark.cli.output import open_portfolio
from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract
from credit_spark.config.tables import DRIFT, FEATURE_DISTRIBUTION, METRICS, SCORE_CHANGES
from credit_spark.evaluation.score_bins import by_risk
from credit_spark.monitoring.drift import ComparedBin, by_subject
from credit_spark.reporting.run_report import report as report_of
from credit_spark.reporting.sections import Report, ReportFacts, Row
from credit_spark.reporting.training import CV, Fitted, TrainingFacts, training_report
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.paths import put, writable
from credit_spark.storage.reader import TableReader

FIGURES = ("ks", "auc", "mean_pd", "observed_rate", "approval_rate")


@click.command
@click.option("--training", is_flag=True, help="Write the training report instead.")
@click.option("--out", type=FILE, help="File to write.")
@click.option("--charts", type=FOLDER, help="Folder for each chart as SVG, PNG and JSON.")
@date_options
def report(
    *, training: bool, out: Path | None, charts: Path | None, as_of: date | None, **where: Any
) -> None:
    """Write a batch's report: one file of HTML, to be opened with no network.

    Without --out, it is written to the folder 'reports' beside the tables.
    """
    contract, reader = open_portfolio(**where)
    as_of = as_of or reader.latest()
    if charts:
        writable(str(charts), "--charts")
    place, found = publish(contract, reader, as_of, training=training, out=out)
    click.echo(place)
    if charts:
        click.echo(f"{_draw_into(charts, found)} charts in {charts}")


def publish(
    contract: Contract, reader: TableReader, as_of: date, *, training: bool, out: Path | None = None
) -> tuple[str, Report]:
    """Write the report of a batch, or of its training, to `out` or beside its tables.

    The result is where it is, and the report.
    """
    # Only who makes a report needs what it is made with.
    from credit_spark.reporting.drawing import page

    if training:
        found = training_report(training_facts(contract, reader, as_of))
    else:
        found = report_of(facts_of(contract, reader, as_of))
    if out:
        writable(str(out.parent), "--out")
        out.write_text(page(found), encoding="utf-8")
        return str(out), found
    name = f"train-{as_of}.html" if training else f"{as_of}.html"
    return put(f"{reader.folder}/reports", name, page(found).encode()), found


def training_facts(contract: Contract, reader: TableReader, as_of: date) -> TrainingFacts:
    """What the report of a batch's training is made from.

    Raises:
        InputError: no model was fitted on that date.
    """
    metrics = reader.rows(METRICS, as_of)
    tested = {row["model_version"] for row in metrics if row["dataset"] == CV}
    fits = [
        Fitted(
            ModelDocument.of(row["document"]),
            json.loads(row["gates"]),
            by_risk(reader.score_bins_of(as_of, row["model_version"], CV)),
        )
        for row in reader.fits(as_of)
        if row["model_version"] in tested
    ]
    if not fits:
        raise InputError(f"no model was fitted on {as_of}; run 'credit-spark train'")
    own = contract.model.imbalance
    ordered = sorted(fits, key=lambda each: (each.imbalance != own, each.imbalance))
    return TrainingFacts(contract, as_of, ordered, metrics)


def facts_of(contract: Contract, reader: TableReader, as_of: date) -> ReportFacts:
    """What the report of a batch is made from.

    Raises:
        InputError: the batch is not complete, or was not measured.
    """
    runs = reader.complete_dates()
    if as_of not in runs:
        raise InputError(f"the batch of {as_of} is not complete; run 'credit-spark nightly' for it")
    document = reader.model_of(as_of)

    def own(rows: Iterable[Row]) -> list[Row]:
        """Those of the model that scored the batch: another may have been there before it."""
        return [row for row in rows if row["model_version"] == document.version]

    metrics = [row for row in own(reader.rows(METRICS, as_of)) if row["dataset"] == "batch"]
    if not metrics:
        raise InputError(f"the batch of {as_of} was not measured; run 'credit-spark measure'")
    scored = [each for each, run in runs.items() if each < as_of and run["model_version"]]
    earlier = max(scored, default=None)
    return ReportFacts(
        contract=contract,
        as_of=as_of,
        document=document,
        policy=reader.policy_of(as_of, contract),
        run=runs[as_of],
        score_bins=by_risk(reader.score_bins_of(as_of, document.version, "batch")),
        metrics=metrics,
        distributions=by_subject(
            ComparedBin.of(row) for row in own(reader.rows(FEATURE_DISTRIBUTION, as_of))
        ),
        drift=own(reader.rows(DRIFT, as_of)),
        score_changes=own(reader.rows(SCORE_CHANGES, as_of)),
        decided=reader.sums(as_of, "decision", "band", "reason_1"),
        broken=reader.broken_rules(as_of),
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
