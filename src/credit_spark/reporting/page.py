"""A report as one file of HTML, with nothing outside it."""

from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, Template
from markupsafe import Markup

from credit_spark.reporting.charts import Chart
from credit_spark.reporting.sections import Report


def page(report: Report) -> str:
    """The report as a page."""
    charts = [chart for section in report.sections for chart in section.charts if chart.data]
    drawn = zip(charts, map(_drawn, charts), strict=True)
    # What is drawn is ours: the library escapes the texts in it.
    pictures = {chart.name: Markup(svg) for chart, svg in drawn}  # noqa: S704
    return _template().render(report=report, pictures=pictures)


def _drawn(chart: Chart) -> str:
    # It takes as long to import as to draw, and only who draws needs it.
    from credit_spark.reporting.drawing import inline

    return inline(chart)


@lru_cache(maxsize=1)
def _template() -> Template:
    text = files(__package__).joinpath("templates/report.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
