"""docs/how-to-read-tables.md: its SQL on Spark, its Python on DuckDB."""

import re
import subprocess
import sys

import pytest

from tests.batches import arrow
from tests.projects import PROJECT

BLOCK = re.compile(r"^```(python|sql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def blocks(done) -> list[tuple[str, str]]:
    text = (PROJECT / "docs/how-to-read-tables.md").read_text(encoding="utf-8")
    return BLOCK.findall(text.replace("/warehouse/lending_club", str(done)))


def test_the_sql_reads_complete_dates(spark, done, blocks) -> None:
    statements = [
        each for language, text in blocks if language == "sql" for each in text.split(";\n")
    ]
    try:
        *_, bands, reasons = [spark.sql(each).collect() for each in statements if each.strip()]
    finally:
        spark.sql("DROP SCHEMA IF EXISTS lending_club CASCADE")

    scores = arrow(done / "scores").to_pylist()
    assert sum(row["loans"] for row in bands) == len(scores)
    given = [row[f"reason_{nth}"] for row in scores for nth in (1, 2, 3, 4)]
    assert {row["reason"]: row["loans"] for row in reasons} == {
        reason: given.count(reason) for reason in {*given} - {None}
    }


def test_the_python_reads_scores_without_spark(done, blocks) -> None:
    program = next(text for language, text in blocks if language == "python")

    shown = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout

    assert all(band in shown for band in {*arrow(done / "scores")["band"].to_pylist()})
