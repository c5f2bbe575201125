"""The tables that version 1 wrote, made by hand as it made them, and one command that migrates."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from credit_spark.cli import main
from credit_spark.config.tables import RUNS, Table, loans
from credit_spark.storage.reader import TableReader
from credit_spark.storage.runs import claim, finish
from credit_spark.storage.tables import Tables

AS_OF = date(2026, 3, 2)
ARROW = {
    "string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64(),
    "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
}  # fmt: skip
RUN_STATUS_OF_VERSION_1 = "status in ('complete', 'refused', 'stopped', 'failed')"


def written(folder: Path, table: Table, row: dict, required: set[str], check: tuple, but: str = ""):
    """A table as version 1 created it, with one row; without the column `but`."""
    stamps = {"as_of": "date"} if table.is_nightly else {}
    types = {name: each.type for name, each in table.columns.items() if name != but} | stamps
    schema = pa.schema(
        [pa.field(name, ARROW[text], name not in required) for name, text in types.items()]
        + [pa.field("run_id", pa.string(), nullable=False)]
    )
    delta = DeltaTable.create(
        folder / table.name,
        schema,
        partition_by=["as_of"] if table.is_nightly else None,
        configuration={
            f"delta.constraints.{check[0]}": check[1],
            "delta.minWriterVersion": "3",
            "delta.dataSkippingNumIndexedCols": "1",
        },
        raise_if_key_not_exists=False,
    )
    write_deltalake(delta, pa.Table.from_pylist([row], schema), mode="append")


@pytest.fixture
def warehouse(contract, tmp_path) -> Path:
    folder = tmp_path / contract.portfolio
    newest = list(contract.columns)[-1]
    known = ("outcome_is_known", loans(contract).checks["outcome_is_known"])
    loan = {"loan_id": "A", "outcome": "good", "source_file": "f", "as_of": AS_OF, "run_id": "1"}
    written(folder, loans(contract), loan, {"loan_id", "as_of"}, known, but=newest)
    at = datetime(2026, 3, 3, tzinfo=UTC)
    run = {
        "as_of": AS_OF, "command": "nightly", "status": "complete", "started_at": at,
        "ended_at": at, "run_id": "1",
    }  # fmt: skip
    required = {"as_of", "command", "status", "started_at", "ended_at"}
    written(folder, RUNS, run, required, ("status_is_known", RUN_STATUS_OF_VERSION_1))
    return tmp_path


def test_a_warehouse_of_version_1_is_migrated_by_one_command(
    spark, contract, warehouse, capfd
) -> None:
    folder = warehouse / contract.portfolio
    flags = ["--portfolio", str(Path("tests/small_lender.yml")), "--warehouse", str(warehouse)]
    assert list(TableReader(str(folder)).complete_dates()) == [AS_OF]

    assert main(["migrate", *flags]) == 0
    said = capfd.readouterr().out
    assert main(["migrate", *flags]) == 0

    assert "up to date" in capfd.readouterr().out
    assert f"loans: new column '{list(contract.columns)[-1]}'" in said
    assert "runs: column 'ended_at' may be null" in said
    assert "runs: constraint 'status_is_known' is now" in said
    tables = Tables(spark, str(folder), AS_OF, "2")
    assert tables.read(loans(contract), "clean").first().loan_id == "A"
    assert [tables.evolve(table) for table in (loans(contract), RUNS)] == [[], []]
    claim(tables, "nightly", {})
    tables.replace(loans(contract), tables.frame(loans(contract), [{"loan_id": "B"}]))
    finish(tables, "complete", {"rows_accepted": 1})
    assert TableReader(str(folder)).complete_dates()[AS_OF]["rows_accepted"] == 1
    comments = {
        each.name: each.metadata
        for each in spark.read.format("delta").load(tables.path(RUNS)).schema
    }
    assert comments["started_at"] == {"comment": "UTC"}
