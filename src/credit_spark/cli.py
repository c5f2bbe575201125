"""Flags in, one command, a short summary out: every command, and its exit code.

`jobs/` starts the same commands under spark-submit.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from credit_spark.contract.errors import CreditSparkError, InputError, listed
from credit_spark.contract.loading import find_contract, load_contract
from credit_spark.contract.models import Treatment
from credit_spark.evaluation.drift import Status
from credit_spark.flags import PROJECT_FOLDER, Day, Names, of_a_night, of_a_portfolio
from credit_spark.launch import Flags, launch
from credit_spark.lookups import LOOKUPS
from credit_spark.lookups.reports import REPORTS
from credit_spark.pipeline.benchmarks import BENCHMARKS, Benchmark
from credit_spark.pipeline.data_docs import data_docs
from credit_spark.pipeline.measure import measure
from credit_spark.pipeline.monitor import monitor
from credit_spark.pipeline.nightly import nightly
from credit_spark.pipeline.promote import promote
from credit_spark.pipeline.score import score_and_validate
from credit_spark.pipeline.train import train
from credit_spark.pipeline.validate import check_suites, ingest_and_validate, validate
from credit_spark.quality.suites import Suites
from credit_spark.sample import LANDING, write_sample
from credit_spark.settings import contract_and_settings
from credit_spark.storage.machine import machine_faults
from credit_spark.storage.migrations import migrate

TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)
INTERRUPTED = 130
EXIT_CODES = """
\b
Exit codes:
  0   complete
  1   internal error; the log has the trace, earlier dates are unchanged
  2   the command, the settings or the contract is wrong: nothing was touched
  10  the landing files break the contract as a whole
  11  a gate stopped the run: expectations, or a model that may not go live; nothing was published
  12  complete, and a monitored figure asks for action (--fail-on)
  20  retry: another run of the same date, a conflict, storage not answering
"""


FAIL_ON = click.option(
    "--fail-on",
    type=click.Choice(["watch", "act"]),
    help="End with exit code 12 where a monitored figure has this status, or a worse one.",
)


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="credit-spark")
def cli() -> None:
    """Score a portfolio's credit risk, night by night, and account for every row."""


def _launched(name: str, step: Callable[..., Any]) -> Callable[..., None]:
    """The command of a step that has no flags of its own."""
    return lambda **flags: launch(name, step, Flags(**flags))


def _first_paragraph(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").split("\n\n")[0]


STEPS: Mapping[str, Callable[..., Any]] = {
    "clean": ingest_and_validate,
    "validate": validate,
    "score": score_and_validate,
    "measure": measure,
}
for name, step in STEPS.items():
    cli.command(name, help=_first_paragraph(step))(of_a_night(_launched(name, step)))


@cli.command("nightly", help=_first_paragraph(nightly))
@click.option("--retrain", is_flag=True, help="Train even where there is a champion.")
@FAIL_ON
@click.option(
    "--metrics-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the night's figures as OpenMetrics, for Prometheus.",
)
@click.option("--lineage", help="File to add OpenLineage events to, or URL to send them to.")
@of_a_night
def _nightly(*, retrain: bool, fail_on: Status | None, **flags: Any) -> None:
    launch("nightly", partial(nightly, retrain=retrain, fail_on=fail_on), Flags(**flags), REPORTS)


@cli.command("monitor", help=_first_paragraph(monitor))
@FAIL_ON
@of_a_night
def _monitor(*, fail_on: Status | None, **flags: Any) -> None:
    launch("monitor", partial(monitor, fail_on=fail_on), Flags(**flags))


@cli.command("train", help=_first_paragraph(train))
@click.option(
    "--treatments",
    type=Names("treatment", TREATMENTS),
    default=(),
    help=f"Of the imbalance: {', '.join(TREATMENTS)}, several with commas, or all; the contract's "
    "where it is not given.",
)
@click.option(
    "--benchmarks",
    type=Names("benchmark", tuple(BENCHMARKS)),
    default=(),
    help=f"Other models on the same features and folds ({', '.join(BENCHMARKS)}, or all), to see "
    "what the contract's own leaves on the table; none can become champion.",
)
@click.option(
    "--random-split",
    is_flag=True,
    help="Test on a random quarter, too, to see how much such a split flatters.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Print the folds' imbalanced classification reports and confusion matrices, too.",
)
@of_a_night
def _train(
    *,
    treatments: Sequence[Treatment],
    benchmarks: Sequence[Benchmark],
    random_split: bool,
    report: bool,
    **flags: Any,
) -> None:
    step = partial(
        train,
        treatments=treatments,
        benchmarks=benchmarks,
        random_split=random_split,
        report=report,
    )
    launch("train", step, Flags(**flags), REPORTS)


@cli.command("promote", help=_first_paragraph(promote))
@click.option("--model", "version", help="Version of the model; else the newest challenger.")
@click.option(
    "--overrule",
    "overruled",
    multiple=True,
    metavar="GATE",
    help="A failed gate that may not hinder it, such as cv.auc; as often as needed.",
)
@click.option("--reason", default="", help="Why it is overruled; kept with the model.")
@of_a_night
def _promote(*, version: str | None, overruled: Sequence[str], reason: str, **flags: Any) -> None:
    step = partial(promote, version=version, overruled=overruled, reason=reason)
    launch("promote", step, Flags(**flags))


@cli.command()
@click.argument("portfolio")
@PROJECT_FOLDER
def check(portfolio: str, project: Path) -> None:
    """Check a contract and its suites, by name or by file, with no data: every fault at once."""
    contract = load_contract(find_contract(portfolio, project / "conf/portfolios"))
    check_suites(Suites(project / "expectations" / contract.portfolio), contract)
    click.echo(
        f"{contract.portfolio}: sound. {len(contract.columns)} columns, "
        f"{len(contract.features)} features, {len(contract.source.layouts)} layouts"
    )


@cli.command("data-docs")
@click.option("--as-of", type=Day(), required=True, help="The batch date.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data-docs"),
    show_default=True,
    help="Folder of the site.",
)
@of_a_portfolio
def _data_docs(*, as_of: date, out: Path, **flags: Any) -> None:
    """Build Great Expectations' own site: the suites, and what they find in a batch date."""
    contract, settings = contract_and_settings(**flags)
    suites = Suites(flags["project"] / "expectations" / contract.portfolio)
    click.echo(data_docs(contract, settings, suites, as_of, out))


@cli.command()
@click.option("--rows", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--as-of", type=Day(), required=True, help="The night that the files are for.")
@click.option("--seed", type=int, default=20261121, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=LANDING,
    show_default=True,
    help="Landing folder; the truth goes to _truth/ in it.",
)
def sample(rows: int, as_of: date, seed: int, out: Path) -> None:
    """Make a night of dirty loans in a real lender's layout, with known true PDs."""
    made = write_sample(out, as_of, rows, seed)
    click.echo(f"{made.lines:,} lines in {made.folder}; their true PDs in {made.truth}")


@cli.command()
@click.option("--warehouse", default="warehouse", show_default=True)
def doctor(warehouse: str) -> None:
    """Look at what a night needs on this machine: Java, Delta's JARs, the folders."""
    faults = machine_faults(warehouse)
    if faults:
        raise InputError(listed("this machine lacks what a night needs", faults))
    click.echo("sound: Java, Delta's JARs and the warehouse are as a night needs them")


@cli.command("migrate", help=_first_paragraph(migrate))
@of_a_portfolio
def _migrate(**flags: Any) -> None:
    for change in migrate(*contract_and_settings(**flags)) or ["the tables are up to date"]:
        click.echo(change)


for lookup in LOOKUPS:
    cli.add_command(lookup)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the result is the exit code."""
    try:
        cli.main(args=arguments, prog_name="credit-spark", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except CreditSparkError as stop:
        click.echo(f"credit-spark: {stop}", err=True)
        return stop.exit_code
    return 0
