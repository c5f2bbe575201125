"""Commands: flags in, one command, a short summary out."""

from credit_spark.cli.commands import main as main
