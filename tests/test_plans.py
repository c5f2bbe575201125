"""What Spark is asked to do: scans and exchanges, few and known."""

import re
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from credit_spark.contract.tables import loans
from credit_spark.storage.tables import Tables
from tests.nights import AS_OF, arrow

FALLBACKS = r"BatchEvalPython|ArrowEvalPython|MapInPandas|MapInArrow"


@pytest.fixture(scope="module")
def judged(spark, lending_club, done):
    """The loans of a night as their suite sees them."""
    tables = Tables(spark, str(done), date.fromisoformat(AS_OF), "run")
    return tables.tonight(loans(lending_club), "clean")


def plan_of(frame) -> str:
    return frame._jdf.queryExecution().executedPlan().toString()


def test_what_a_suite_asks_of_columns_is_one_scan_of_those_alone(judged) -> None:
    plan = plan_of(judged.selectExpr("avg(interest_rate)", "count_if(loan_amount > 500)"))

    assert plan.count("FileScan parquet") == 1
    assert "Batched: true" in plan
    assert "ReadSchema: struct<loan_amount:double,interest_rate:double>" in plan
    assert plan.count("Exchange") == 1
    assert not re.search(FALLBACKS, plan)


def test_files_have_a_row_group_a_block_and_no_more(done) -> None:
    """A small file is one group: a reader opens each once."""
    files = list(Path(done, "loans").rglob("*.parquet"))

    assert sum(pq.ParquetFile(each).num_row_groups for each in files) == len(files)
    assert (
        sum(pq.ParquetFile(each).metadata.num_rows for each in files)
        == arrow(done / "loans").num_rows
    )
