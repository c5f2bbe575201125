"""Commands that only read: the tables that they open, and their rows as a table, CSV or JSON."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from errno import EIO, ENOSPC
from math import isfinite
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from credit_spark.cli.flags import AS_JSON, Command
from credit_spark.config.errors import TryAgainError
from credit_spark.config.models import Contract
from credit_spark.config.settings import contract_and_settings
from credit_spark.monitoring.vintages import newest_mature
from credit_spark.storage.logs import STDOUT, discard
from credit_spark.storage.reader import Mature, TableReader

Row = Mapping[str, Any]
# Columns that are not broken, however narrow the terminal is.
WHOLE = ("as_of", "status", "model", "band", "feature", "drift")
UNWRITABLE = (EIO, ENOSPC)
# Of more columns, a terminal has no room for wide gaps.
MANY, WIDE = 8, 160


def open_portfolio(**flags: Any) -> tuple[Contract, TableReader]:
    """The portfolio's contract and its tables, of the flags of `portfolio_options`."""
    contract, settings = contract_and_settings(**flags)
    return contract, TableReader(settings.storage.folder_of(contract))


def mature_of(contract: Contract, as_of: date) -> Mature | None:
    """What makes a loan of a batch mature; None: every loan is."""
    if contract.observed_on is None or not contract.performance_months:
        return None
    return Mature(contract.observed_on, newest_mature(as_of, contract.performance_months))


def output_formats(command: Command) -> Command:
    """The flags that ask for CSV or JSON."""
    as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead.")
    return as_csv(AS_JSON(command))


def print_rows(rows: Sequence[Row], *, as_csv: bool, as_json: bool) -> None:
    """Print rows that have the same columns, at least one; of JSON, infinite numbers are null.

    Raises:
        click.UsageError: two ways are requested.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: ask for one of them")
    if as_json:
        print(json.dumps([{name: _finite(each) for name, each in row.items()} for row in rows]))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    else:
        console().print(_table(rows))


def console() -> Console:
    """The terminal, or a wide one where there is none: a pipe has no edge to break lines at."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    # A text such as :100: is no picture.
    return Console(highlight=False, emoji=False, width=None if is_terminal else WIDE)


@contextmanager
def printing() -> Iterator[None]:
    """Write out what is printed within.

    Raises:
        BrokenPipeError: the reader of the output, such as `head`, has ended.
        TryAgainError: the output cannot be written, for example to a full disk.
    """
    try:
        yield
        if sys.stdout:
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # click and rich turn a broken pipe into an exit.
        discard(STDOUT)
        raise BrokenPipeError from None
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        discard(STDOUT)
        raise TryAgainError(f"the output cannot be written: {error.strerror}") from None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _table(rows: Sequence[Row]) -> Table:
    """A table for a terminal; numbers stand to the right."""
    padding = (0, 0 if len(rows[0]) > MANY else 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, padding=padding, show_edge=False, pad_edge=False)
    for name, value in rows[0].items():
        is_number = isinstance(value, (int, float))
        # Of a number too wide, a part would be another number; a heading can be broken.
        is_whole = name in WHOLE or is_number
        table.add_column(
            name.replace("_", " "),
            overflow="fold",
            min_width=max(len(_said(row[name])) for row in rows) if is_whole else 0,
            justify="right" if is_number else "left",
        )
    for row in rows:
        table.add_row(*[escape(_said(each)) for each in row.values()])
    return table


def _said(value: object) -> str:
    """A value for a person; nothing where it is not known."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
