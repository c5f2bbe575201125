"""The tables that version 1 wrote, made by hand as it made them, and one command that migrates."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from credit_spark.cli import main
from credit_spark.config.errors import NotMigratedError
from credit_spark.config.tables import METRICS, RUNS, Renames, Table, loans
from credit_spark.config.tables import tables as declared_tables
from credit_spark.storage.commits import ConstraintError
from credit_spark.storage.reader import TableReader
from credit_spark.storage.runs import claim, finish
from credit_spark.storage.schema import all_columns, arrow_schema
from credit_spark.storage.tables import Tables

AS_OF = date(2026, 3, 2)
ARROW = {
    "string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64(),
    "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
}  # fmt: skip
RUN_STATUS_OF_VERSION_1 = "status in ('complete', 'refused', 'stopped', 'failed')"


def written(folder: Path, table: Table, row: dict, required: set[str], check: tuple, but: str = ""):
    """A table as version 1 created it, with one row; without the column `but`."""
    stamps = {"as_of": "date"} if table.is_partitioned else {}
    types = {name: each.type for name, each in table.columns.items() if name != but} | stamps
    schema = pa.schema(
        [pa.field(name, ARROW[text], name not in required) for name, text in types.items()]
        + [pa.field("run_id", pa.string(), nullable=False)]
    )
    delta = DeltaTable.create(
        folder / table.name,
        schema,
        partition_by=["as_of"] if table.is_partitioned else None,
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


# Two values of each column with a constraint or a renamed text.
EXAMPLES = {
    "dataset": ("batch", "cv"), "metric": ("balanced_even_odds", "auc"), "label": ("all", "bad"),
    "role": ("score", "feature"), "drift.status": ("stable", "act"),
    "models.status": ("champion", "retired"),
}  # fmt: skip
OF_TYPE = {
    "string": ("a", "b"), "int": (1, 2), "bigint": (3, 4), "double": (0.5, 0.25),
    "date": (AS_OF, date(2026, 3, 3)), "array<date>": ([AS_OF], [date(2026, 3, 3)]),
}  # fmt: skip


def rows_of(table: Table) -> list[dict]:
    """Two rows with the columns of today."""
    values = {
        name: EXAMPLES.get(f"{table.name}.{name}", EXAMPLES.get(name, OF_TYPE[each.type]))
        for name, each in all_columns(table).items()
    }
    return [{name: pair[nth] for name, pair in values.items()} for nth in (0, 1)]


def written_before(folder: Path, table: Table) -> None:
    """The rows of a table, under its former name, with its former columns and texts."""
    renames = table.renames
    former = {new: old for old, new in renames.columns.items()}
    texts = {new: {to: text for text, to in own.items()} for new, own in renames.texts.items()}
    schema = pa.schema(
        each.with_name(former.get(each.name, each.name)).with_nullable(False)
        for each in arrow_schema(all_columns(table))
    )
    rows = [
        {former.get(name, name): texts.get(name, {}).get(value, value) if isinstance(value, str) else value
         for name, value in row.items()}
        for row in rows_of(table)
    ]  # fmt: skip
    known = {"delta.constraints.dataset_is_known": "dataset in ('cv', 'night')"}
    bounded = [former.get(key, key) for key in table.keys if key != "champion_from"]
    delta = DeltaTable.create(
        folder / (renames.table or table.name),
        schema,
        partition_by=["as_of"] if table.is_partitioned else None,
        configuration={
            "delta.minWriterVersion": "3",
            "delta.dataSkippingStatsColumns": ",".join(bounded),
            **(known if "dataset" in table.columns else {}),
        },
        raise_if_key_not_exists=False,
    )
    write_deltalake(delta, pa.Table.from_pylist(rows, schema), mode="append")


def test_tables_and_columns_are_renamed_with_their_rows(spark, contract, warehouse, capfd) -> None:
    folder = warehouse / contract.portfolio
    renamed = [each for each in declared_tables(contract) if each.renames != Renames()]
    for table in renamed:
        written_before(folder, table)
    flags = ["--portfolio", str(Path("tests/small_lender.yml")), "--warehouse", str(warehouse)]
    tables = Tables(spark, str(folder), AS_OF, "2")
    with pytest.raises(NotMigratedError, match="migrate"):
        tables.evolve(*declared_tables(contract))
    with pytest.raises(NotMigratedError, match="migrate"):
        TableReader(str(folder)).latest()

    assert main(["migrate", *flags]) == 0
    said = capfd.readouterr().out
    assert main(["migrate", *flags]) == 0

    assert "up to date" in capfd.readouterr().out
    assert "score_distribution: column 'cell' is 'score_bin' now" in said
    assert "score_changes: has the rows of 'movements'; delete that folder" in said
    for table in renamed:
        found = tables.rows(table, [*all_columns(table)])
        assert sorted(found, key=repr) == sorted(rows_of(table), key=repr), table.name
    assert tables.evolve(*declared_tables(contract)) == []
    with pytest.raises(ConstraintError, match="dataset_is_known"):
        tables.replace(
            METRICS, tables.frame(METRICS, [{**rows_of(METRICS)[0], "dataset": "night"}])
        )
    with pytest.raises(ConstraintError, match="metric_is_not_null"):
        tables.replace(METRICS, tables.frame(METRICS, [{**rows_of(METRICS)[0], "metric": None}]))
    partitions = DeltaTable(folder / "metrics").metadata().partition_columns
    assert partitions == ["as_of"]


def test_a_flag_of_an_earlier_version_says_its_new_name(capfd) -> None:
    for command, old, new in (
        ("train", "--treatment", "--imbalance"),
        ("train", "--treatments", "--imbalance"),
        ("status", "--nights", "--dates"),
    ):
        assert main([command, "--portfolio", "german_credit", old, "1"]) == 2
        assert f"{old} is called {new} now" in capfd.readouterr().err
