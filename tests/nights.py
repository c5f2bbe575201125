"""Run commands as their users do, and look at what they left."""

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from credit_spark.cli import main

# The sample's night, and how many loans it has.
AS_OF = "2012-01-31"
ROWS = 4000
# What differs between two runs of one night: who ran it, and when.
OF_THE_RUN = {"run_id", "started_at", "ended_at", "table_versions"}


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
        if (path / "_delta_log").is_dir() and path.name != "runs"
    }


def rows_of(table: Path) -> list[str]:
    rows = arrow(table).to_pylist()
    kept = [{key: value for key, value in row.items() if key not in OF_THE_RUN} for row in rows]
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in kept)


def arrow(table: Path) -> pa.Table:
    return DeltaTable(table).to_pyarrow_table()
