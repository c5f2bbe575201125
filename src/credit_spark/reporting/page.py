"""A report as one file of HTML, with nothing outside it."""

from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, Template
from markupsafe import Markup

from credit_spark.reporting.charts import Chart
from credit_spark.reporting.drawing import inline
from credit_spark.reporting.sections import Report


def page(report: Report) -> str:
    """The report as a page."""
    return _template().render(report=report, picture=_picture)


def _picture(chart: Chart) -> Markup:
    # What is drawn is ours: the library escapes the texts in it.
    return Markup(inline(chart))  # noqa: S704


@lru_cache(maxsize=1)
def _template() -> Template:
    text = files(__package__).joinpath("templates/report.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
