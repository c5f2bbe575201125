"""The flags that commands share, and how their values are read."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import click

from credit_spark.config.errors import instead_of
from credit_spark.config.loading import default_project

FIRST_YEAR, LAST_YEAR = 1900, 2199
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
Command = Callable[..., Any]


class Day(click.ParamType[date]):
    """A calendar day."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read the day, or say how one is written."""
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is not a date; write it as 2012-01-31", param, ctx)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            self.fail(f"'{value}' lies before {FIRST_YEAR} or after {LAST_YEAR}", param, ctx)
        return day


class Names(click.ParamType[tuple[str, ...]]):
    """Names of one kind, with commas between them, or all."""

    name = "NAMES"

    def __init__(self, kind: str, known: Sequence[str]) -> None:
        self._kind, self._known = kind, tuple(known)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Read the names, or say which there are."""
        names = tuple(dict.fromkeys(each.strip() for each in value.split(",")))
        if "all" in names:
            return self._known
        for name in names:
            if name not in self._known:
                known = instead_of(name, [*self._known, "all"])
                self.fail(f"there is no {self._kind} '{name}'; {known}", param, ctx)
        return names


class Flags(NamedTuple):
    """The flags of every command that runs a step."""

    portfolio: str
    as_of: date
    landing: str | None
    warehouse: str | None
    settings_file: Path | None
    project: Path
    as_json: bool
    metrics_file: Path | None = None
    lineage: str | None = None


AS_OF = click.option("--as-of", type=Day(), required=True, help="The batch date.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
MODEL = click.option(
    "--model", "version", help="Model version; default: the one that scored the batch."
)
PROJECT_FOLDER = click.option(
    "--project",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=default_project,
    help="Folder of conf/ and expectations/; else the working directory, where it has "
    "conf/portfolios, else the portfolios that come with credit-spark.",
)
SETTINGS = click.option(
    "--settings", "settings_file", type=FILE, help="YAML with what differs from conf/base.yml."
)
PORTFOLIO = click.option("--portfolio", required=True, help="Name in conf/portfolios, or a file.")
WAREHOUSE = click.option("--warehouse", help="Folder or URL of the tables.")


def renamed(old: str, new: str) -> click.Option:
    """A flag of an earlier version, which says what it is called now."""

    def refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value is not None:
            raise click.UsageError(f"{old} is called {new} now", ctx)

    return click.Option([old], hidden=True, expose_value=False, callback=refuse)


def portfolio_options(command: Command) -> Command:
    """The flags of a command that reads a portfolio's tables."""
    return PORTFOLIO(WAREHOUSE(SETTINGS(PROJECT_FOLDER(command))))


def run_options(command: Command) -> Command:
    """The flags that every step of a batch has."""
    landing = click.option("--landing", help="Folder, file or URL of the batch's files.")
    return portfolio_options(AS_OF(landing(AS_JSON(command))))


def date_options(command: Command) -> Command:
    """The flags of a command that reads one batch."""
    words = "Batch date; default: the newest complete one."
    return portfolio_options(click.option("--as-of", type=Day(), help=words)(command))
