"""Run commands as their users do, and look at what they left."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from credit_spark.cli import main
from credit_spark.config.models import Contract
from credit_spark.config.settings import resolve
from credit_spark.pipeline.context import RunContext, RunSummary
from credit_spark.quality.suites import Suites
from credit_spark.storage.logs import Log
from credit_spark.storage.models import ModelRegistry
from credit_spark.storage.paths import url_of
from credit_spark.storage.tables import Tables

PROJECT = Path(__file__).parents[1]

# The sample's batch, and how many loans it has.
AS_OF, LATER = "2012-01-31", "2012-02-29"
ROWS = 6800
# What differs between two runs of one batch: who ran it, and when.
OF_THE_RUN = {"run_id", "started_at", "ended_at", "table_versions", "promotions"}

# Tables with rows of every run, a stopped one, too.
OF_EVERY_RUN = {"runs", "validations"}

# Of each portfolio its real book, a path below the folder of real files, and its batch.
REAL_BOOKS = {
    # A year after the last loans: all of 2011 is old enough to be tested on.
    "lending_club": ("lendingclub_2007_2011/loans.csv", "2012-12-31"),
    "bootcamp": ("bootcamp_lending/lending_data.csv", "2026-01-31"),
    "german_credit": ("german_credit/german.data", "2026-01-31"),
    "taiwan_credit_card": ("taiwan_credit_card/UCI_Credit_Card.csv", "2026-01-31"),
}


class RealBatch(NamedTuple):
    """The batch of a real book: what it told as JSON, and the folder of its tables."""

    summary: dict
    tables: Path


class SecondBatch(NamedTuple):
    """The batch after `done`: what it told as JSON, its warehouse, how many Spark jobs it took."""

    summary: dict
    warehouse: Path
    jobs: int

    @property
    def tables(self) -> Path:
        return self.warehouse / "lending_club"


@dataclass(frozen=True)
class Told:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What a person reads on stderr, without the log's JSON lines."""
        return "\n".join(line for line in self.err.splitlines() if not line.startswith('{"at"'))


def run(capfd, *arguments: object) -> Told:
    """Run a command in this process, on the suite's Spark session."""
    capfd.readouterr()
    code = main([str(each) for each in arguments])
    out, err = capfd.readouterr()
    return Told(code, out, err)


def contents(warehouse: Path) -> dict[str, list[str]]:
    """Every table's rows as deltalake reads them, without what is particular to a run."""
    return {
        path.name: rows_of(path)
        for path in sorted(warehouse.iterdir())
        if (path / "_delta_log").is_dir() and path.name not in OF_EVERY_RUN
    }


def rows_of(table: Path) -> list[str]:
    rows = arrow(table).to_pylist()
    kept = [{key: value for key, value in row.items() if key not in OF_THE_RUN} for row in rows]
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in kept)


def arrow(table: Path) -> pa.Table:
    return DeltaTable(table).to_pyarrow_table()


def batch_of(
    spark: SparkSession, contract: Contract, place: Path, folder: Path, as_of: date
) -> RunContext:
    """A batch whose files stand in `place` and whose tables stand in `folder`."""
    tables = Tables(spark, str(folder), as_of, "run")
    return RunContext(
        spark=spark,
        as_of=as_of,
        contract=contract,
        settings=resolve(PROJECT / "conf/base.yml", None, {}),
        landing=url_of(str(place)),
        tables=tables,
        models=ModelRegistry(tables),
        suites=Suites(PROJECT / "expectations" / contract.portfolio),
        log=Log(folder / "logs", "run"),
        summary=RunSummary(),
    )
