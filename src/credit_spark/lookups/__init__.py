"""Commands that only read a portfolio's tables, with no Spark."""

from credit_spark.lookups.nights import show, status
from credit_spark.lookups.page import serve
from credit_spark.lookups.policies import export, what_if
from credit_spark.lookups.reports import report
from credit_spark.lookups.scorecards import explain, scorecard

LOOKUPS = (explain, scorecard, what_if, export, serve, show, status, report)
