"""Flags in, one command, a short summary out: every command, and its exit code.

`jobs/` starts the same commands under spark-submit.
"""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import click

from credit_spark.cli.dates import show, status
from credit_spark.cli.flags import (
    AS_OF,
    FILE,
    FOLDER,
    PROJECT_FOLDER,
    Flags,
    Names,
    portfolio_options,
    renamed,
    run_options,
)
from credit_spark.cli.launch import launch, logged_errors
from credit_spark.cli.models import explain, export, models, scorecard, what_if
from credit_spark.cli.output import open_portfolio, printing
from credit_spark.cli.reports import report
from credit_spark.cli.sample import LANDING, MAX_SAMPLE, write_sample
from credit_spark.config.errors import CreditSparkError, InputError, listed
from credit_spark.config.guards import remarks
from credit_spark.config.loading import (
    PORTFOLIOS,
    SUITES,
    examples,
    find_contract,
    load_contract,
    shipped,
)
from credit_spark.config.models import ImbalanceStrategy
from credit_spark.config.settings import Settings, contract_and_settings
from credit_spark.pipeline.benchmarks import BENCHMARKS
from credit_spark.pipeline.measure import measure
from credit_spark.pipeline.monitor import monitor
from credit_spark.pipeline.nightly import nightly
from credit_spark.pipeline.promote import promote, rollback
from credit_spark.pipeline.score import score_and_validate
from credit_spark.pipeline.train import train
from credit_spark.pipeline.validate import (
    check_suites,
    data_docs,
    ingest_and_validate,
    validate,
    validated_tables,
)
from credit_spark.quality.suites import Suites
from credit_spark.serving.answers import ScoringService
from credit_spark.storage.logs import Log, say
from credit_spark.storage.machine import machine_faults
from credit_spark.storage.migrations import migrate
from credit_spark.storage.paths import writable

LOOPBACK = "127.0.0.1"
IMBALANCE_STRATEGIES: tuple[ImbalanceStrategy, ...] = get_args(ImbalanceStrategy)
EXIT_CODES = """
\b
Exit codes:
  0   complete
  1   internal error; the log has the trace, earlier dates are unchanged
  2   the command, the settings or the contract is wrong; no loans, scores or models were changed
  10  the landing files break the contract as a whole
  11  a gate stopped the run: expectations, no known outcome or too few to train on, or a model
      that may not go live; no loans or scores were changed
  12  complete, and a monitored figure asks for action (--fail-on)
  20  retry: another run of the same date, a conflict, storage not answering
  130 interrupted
"""

STEPS: Mapping[str, Callable[..., Any]] = {
    "clean": ingest_and_validate,
    "validate": validate,
    "train": train,
    "promote": promote,
    "rollback": rollback,
    "score": score_and_validate,
    "measure": measure,
    "monitor": monitor,
    "nightly": nightly,
}
FAIL_ON = click.Option(
    ["--fail-on"],
    type=click.Choice(["watch", "act"]),
    help="End with exit code 12 where a monitored figure has this status, or a worse one.",
)
DECISION: list[click.Parameter] = [
    click.Option(["--by"], default="", help="Who decides; kept with the model."),
    click.Option(["--reason"], default="", help="Why; kept with the model."),
]
# Arguments of the steps that have some.
OWN_FLAGS: Mapping[str, list[click.Parameter]] = {
    "monitor": [FAIL_ON],
    "nightly": [
        FAIL_ON,
        click.Option(["--retrain"], is_flag=True, help="Train even where there is a champion."),
        click.Option(["--metrics-file"], type=FILE, help="OpenMetrics file, for Prometheus."),
        click.Option(["--lineage"], help="File or URL for OpenLineage events."),
    ],
    "train": [
        click.Option(
            ["--imbalance", "strategies"],
            type=Names("imbalance strategy", IMBALANCE_STRATEGIES),
            help=f"{', '.join(IMBALANCE_STRATEGIES)}; several with commas, or all; "
            "else the contract's.",
        ),
        renamed("--treatment", "--imbalance"),
        renamed("--treatments", "--imbalance"),
        click.Option(
            ["--benchmarks"],
            type=Names("benchmark", tuple(BENCHMARKS)),
            help=f"{', '.join(BENCHMARKS)}; several with commas, or all; none becomes champion.",
        ),
        click.Option(["--random-split"], is_flag=True, help="Test on a random quarter, too."),
        click.Option(["--report"], is_flag=True, help="Print the folds' classification reports."),
    ],
    "promote": [
        click.Option(["--model", "version"], help="Version; else the newest challenger."),
        click.Option(
            ["--overrule", "overruled"],
            multiple=True,
            metavar="GATE",
            help="A failed gate to overrule, such as cv.auc; repeatable.",
        ),
        *DECISION,
    ],
    "rollback": DECISION,
}


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="credit-spark")
def cli() -> None:
    """Score a portfolio's credit risk, batch by batch, and account for every row."""


def _first_paragraph(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").split("\n\n")[0]


def _launch(name: str, step: Callable[..., Any], **given: Any) -> None:
    """Launch a step with its own flags, where they were given."""
    own = {flag: given.pop(flag) for flag in given.keys() - set(Flags._fields)}
    known = {flag: value for flag, value in own.items() if value is not None}
    launch(name, partial(step, **known), Flags(**given))


for name, step in STEPS.items():
    command = cli.command(name, params=OWN_FLAGS.get(name), help=_first_paragraph(step))
    command(run_options(partial(_launch, name, step)))


@cli.command()
@click.argument("portfolio")
@PROJECT_FOLDER
def check(portfolio: str, project: Path) -> None:
    """Check a contract and its suites, by name or by file, with no data: every fault at once."""
    contract = load_contract(find_contract(portfolio, project / PORTFOLIOS))
    suites = Suites(project / "expectations" / contract.portfolio)
    check_suites(suites, contract)
    click.echo(
        f"{contract.portfolio}: sound. {len(contract.columns)} columns, "
        f"{len(contract.features)} features, {len(contract.source.layouts)} layouts"
    )
    for remark in remarks(contract):
        click.echo(f"  look at {remark}")
    for path in suites.missing([table.name for table in validated_tables(contract)]):
        click.echo(f"  look at {path}: there is no such suite, so no gate validates the table")


def _logged(settings: Settings) -> AbstractContextManager[None]:
    """Keep the traces of a command that is no run in the log's file."""
    return logged_errors(Log(Path(settings.storage.logs), uuid4().hex))


@cli.command("data-docs")
@AS_OF
@click.option("--out", type=FOLDER, default="data-docs", show_default=True, help="Output folder.")
@portfolio_options
def _data_docs(*, as_of: date, out: Path, **flags: Any) -> None:
    """Build Great Expectations' own site: the suites, and what they find in a batch date."""
    contract, settings = contract_and_settings(**flags)
    suites = Suites(flags["project"] / "expectations" / contract.portfolio)
    with _logged(settings):
        click.echo(data_docs(contract, settings, suites, as_of, out, say))


@cli.command()
@click.option("--rows", type=click.IntRange(1, MAX_SAMPLE), default=20_000, show_default=True)
@AS_OF
@click.option("--seed", type=click.IntRange(min=0), default=20261121, show_default=True)
@click.option(
    "--out",
    type=FOLDER,
    default=LANDING,
    show_default=True,
    help="Landing folder; the true PDs go to _truth/ in it.",
)
def sample(rows: int, as_of: date, seed: int, out: Path) -> None:
    """Make a batch of dirty loans in a real lender's layout, with known true PDs."""
    made = write_sample(out, as_of, rows, seed)
    click.echo(f"{made.lines:,} lines in {made.folder}; their true PDs in {made.truth}")


@cli.command()
@click.option("--warehouse", default="warehouse", show_default=True)
def doctor(warehouse: str) -> None:
    """Check this machine's prerequisites: Java, Delta's JARs, the folders."""
    if faults := machine_faults(warehouse):
        raise InputError(listed("this machine lacks what a batch needs", faults))
    click.echo("OK: Java, Delta's JARs and the warehouse are as a batch needs them")


@cli.command("migrate", help=_first_paragraph(migrate))
@portfolio_options
def _migrate(**flags: Any) -> None:
    contract, settings = contract_and_settings(**flags)
    with _logged(settings):
        changes = migrate(contract, settings)
        for change in chain([next(changes, "the tables are up to date")], changes):
            click.echo(change)


@click.command
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to serve on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--token", envvar="CREDIT_SPARK_TOKEN", help="Needed beyond loopback.")
@portfolio_options
def serve(*, host: str, port: int, token: str | None, **where: Any) -> None:
    """Serve a page: the newest batch, a loan, an applicant; and the same as JSON."""
    contract, reader = open_portfolio(**where)
    # Flask takes half a second to import.
    import waitress

    from credit_spark.serving.app import application, is_loopback

    if not is_loopback(host) and not token:
        raise InputError(
            f"{host} can be reached by others: give a --token that they must know (or set "
            f"CREDIT_SPARK_TOKEN), or serve on {LOOPBACK}"
        )
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app = application(ScoringService(contract, reader), token)
    try:
        server = waitress.create_server(app, host=host, port=port, threads=4, ident=None)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{host}:{port} cannot be served on: {why}") from None
    # A name may stand for several addresses, which are all served on.
    listening = getattr(server, "effective_listen", None) or [(host, server.effective_port)]
    click.echo(f"{contract.title}: http://{host}:{listening[0][1]}/  (Ctrl-C ends it)")
    server.run()


@cli.command()
@click.argument("example", type=click.Choice(examples()))
@click.option("--out", type=FOLDER, default=".", help="Folder of the project; else this one.")
def init(example: str, out: Path) -> None:
    """Copy an example's contract and suites, to start a portfolio of your own from."""
    suites = sorted((shipped() / SUITES / example).glob("*.json"))
    files = [f"{PORTFOLIOS}/{example}.yml", *(f"{SUITES}/{example}/{each.name}" for each in suites)]
    if there := [f"{out / each}" for each in files if (out / each).exists()]:
        raise InputError(listed("nothing was copied; these files are there already", there))
    for folder in {(out / each).parent: None for each in files}:
        writable(str(folder), "--out")
    for each in files:
        shutil.copyfile(shipped() / each, out / each)
        click.echo(out / each)


LOOKUPS = (explain, scorecard, models, what_if, export, serve, show, status, report)
for lookup in LOOKUPS:
    cli.add_command(lookup)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the result is the exit code."""
    try:
        with printing():
            cli.main(args=arguments, prog_name="credit-spark", standalone_mode=False)
    except BrokenPipeError:
        return 141  # as of a shell command whose output nobody reads any more
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130  # as of an interrupted shell command
    except CreditSparkError as stop:
        say(f"credit-spark: {stop}")
        return stop.exit_code
    return 0
