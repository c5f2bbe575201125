"""The command that starts a portfolio from an example."""

import shutil
from pathlib import Path

import click

from credit_spark.cli.flags import FOLDER
from credit_spark.config.errors import InputError, listed
from credit_spark.config.project import PORTFOLIOS, SUITES, examples, shipped
from credit_spark.storage.paths import writable


@click.command
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
