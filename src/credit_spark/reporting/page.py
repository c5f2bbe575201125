"""A report as one file of HTML, with nothing outside it."""

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from credit_spark.reporting.drawing import inline
from credit_spark.reporting.sections import Report


def page(report: Report) -> str:
    """The report as a page."""
    charts = [chart for section in report.sections for chart in section.charts if chart.data]
    # What is drawn is ours: the library escapes the texts in it.
    pictures = {chart.name: Markup(inline(chart)) for chart in charts}  # noqa: S704
    loader = PackageLoader("credit_spark.reporting")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html").render(report=report, pictures=pictures)
