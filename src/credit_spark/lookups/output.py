"""Rows for a person, as CSV, or as JSON: one way for every command that only reads."""

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Command = Callable[..., Any]
Row = Mapping[str, Any]
# Columns that are not broken, however narrow the terminal is.
WHOLE = ("as_of", "status", "model", "band", "feature", "drift")
# Of more columns, a terminal has no room for wide gaps.
MANY, WIDE = 8, 160


def in_three_ways(command: Command) -> Command:
    """The flags that ask for CSV or JSON."""
    as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON list instead.")
    return as_csv(as_json(command))


def told(rows: Sequence[Row], *, as_csv: bool, as_json: bool) -> None:
    """Print rows that have the same columns, at least one.

    Raises:
        click.UsageError: two ways are asked for.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json: ask for one of them")
    if as_json:
        print(json.dumps([{name: finite(each) for name, each in row.items()} for row in rows]))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    else:
        # What reads a pipe has no edge to break lines at.
        width = None if sys.stdout.isatty() else WIDE
        Console(highlight=False, width=width).print(table_of(rows))


def table_of(rows: Sequence[Row]) -> Table:
    """A table for a terminal; numbers stand to the right."""
    padding = (0, 0 if len(rows[0]) > MANY else 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, padding=padding, show_edge=False, pad_edge=False)
    for name, value in rows[0].items():
        is_number = isinstance(value, (int, float))
        table.add_column(
            name.replace("_", " "),
            overflow="fold",
            # Of a number too wide, a part would be another number; a heading can be broken.
            min_width=max(len(said(row[name])) for row in rows)
            if name in WHOLE or is_number
            else 0,
            justify="right" if is_number else "left",
        )
    for row in rows:
        table.add_row(*[escape(said(each)) for each in row.values()])
    return table


def said(value: object) -> str:
    """A value for a person; nothing where it is not known."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def finite(value: Any) -> Any:
    """A value that JSON has: an infinite number is null."""
    return None if isinstance(value, float) and not isfinite(value) else value
