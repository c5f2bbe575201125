"""Parts of a report: a heading, a sentence, charts and tables; and how values are said in it."""

from collections.abc import Sequence
from typing import NamedTuple

from credit_spark.reporting.charts import Chart


class Table(NamedTuple):
    """A table, its values as they are said."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Section(NamedTuple):
    """A part of a report."""

    title: str
    says: str
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()


class Report(NamedTuple):
    """A report: its title, what it is of, its sections."""

    title: str
    about: str
    sections: Sequence[Section]


def counted(value: float | None) -> str:
    """A count; nothing where it is not known."""
    return "" if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """A share."""
    return "" if value is None else f"{value:.1%}"


def plain(value: float | None) -> str:
    """A figure."""
    return "" if value is None else f"{value:,.3f}"
