"""The flags that commands share, and how their values are read."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

from credit_spark.contract.errors import instead_of

FIRST_YEAR, LAST_YEAR = 1900, 2199
PROJECT = Path(__file__).resolve().parents[2]
Command = Callable[..., Any]


class Day(click.ParamType[date]):
    """A calendar day."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read the day, or say how one is written."""
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is no day; write it as 2012-01-31", param, ctx)
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
        if not isinstance(value, str):
            return tuple(value)
        names = [each.strip() for each in value.split(",")]
        if "all" in names:
            return self._known
        for name in names:
            if name not in self._known:
                known = instead_of(name, [*self._known, "all"])
                self.fail(f"there is no {self._kind} '{name}'; {known}", param, ctx)
        return tuple(dict.fromkeys(names))


PORTFOLIO = click.option(
    "--portfolio", required=True, help="Name below conf/portfolios, or a .yml file."
)
WAREHOUSE = click.option("--warehouse", help="Folder or URL of the tables.")
SETTINGS = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="YAML file with settings that differ from conf/base.yml.",
)
PROJECT_FOLDER = click.option(
    "--project",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=PROJECT,
    help="Folder with conf/ and expectations/; this checkout where it is not given.",
)


def of_a_night(command: Command) -> Command:
    """The flags that every step of a night has."""
    return _with(
        command,
        PORTFOLIO,
        click.option("--as-of", type=Day(), required=True, help="The night's logical date."),
        click.option("--landing", help="Folder, file or URL of the night's files."),
        WAREHOUSE,
        SETTINGS,
        PROJECT_FOLDER,
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead."),
    )


def of_a_portfolio(command: Command) -> Command:
    """The flags of a command that reads a portfolio's tables."""
    return _with(command, PORTFOLIO, WAREHOUSE, SETTINGS, PROJECT_FOLDER)


def of_any_night(command: Command) -> Command:
    """The same, and of which night."""
    words = "The night; the newest complete one if not given."
    return of_a_portfolio(click.option("--as-of", type=Day(), help=words)(command))


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
