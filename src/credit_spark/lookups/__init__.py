"""Commands that only read a portfolio's tables, with no Spark."""

from credit_spark.lookups.dates import show, status
from credit_spark.lookups.models import explain, export, scorecard, what_if
from credit_spark.lookups.reports import report
from credit_spark.lookups.serve import serve

LOOKUPS = (explain, scorecard, what_if, export, serve, show, status, report)
