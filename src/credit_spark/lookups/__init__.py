"""Commands that only read a portfolio's tables, with no Spark."""

from credit_spark.lookups.dates import serve, show, status
from credit_spark.lookups.models import explain, export, scorecard, what_if
from credit_spark.lookups.reports import report

LOOKUPS = (explain, scorecard, what_if, export, serve, show, status, report)
