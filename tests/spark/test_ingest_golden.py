"""The real files give the loans and the quarantine that version 1 made of them, value for value.

Where version 1 was wrong, `DIFFERENCES` says so. It is empty: what this version reads otherwise
(stray quotes, '0,799', unknown codes, bytes that are no text) does not occur in these files.
"""

import json
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from credit_spark.cli.sample import write_sample
from credit_spark.config.loading import load_contract
from credit_spark.config.tables import loans
from credit_spark.ingest.columns import ACCEPTED, QUARANTINED, STATUS
from credit_spark.ingest.deduplication import deduplicated
from credit_spark.ingest.files import landing_files
from credit_spark.ingest.records import read_records
from credit_spark.pipeline.ingest import account_of, check_lines
from tests.golden.digests import CASES, DIGESTS, QUARANTINE_COLUMNS, digest

PROJECT = Path(__file__).parents[2]
GOLDEN = json.loads(DIGESTS.read_text(encoding="utf-8"))
DIFFERENCES: dict[str, str] = {}


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, date(2012, 1, 31), 20_000, seed=20261121)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_real_files_are_read_as_version_1_read_them(spark, real_data, sample, name) -> None:
    case = CASES[name]
    place, as_of = real_data / case.file if case.file else sample, date.fromisoformat(case.as_of)
    contract = load_contract(PROJECT / f"conf/portfolios/{case.portfolio}.yml")

    files = landing_files(spark, contract, f"file:{place}", as_of)
    records = read_records(spark, files, contract, as_of)
    rows = deduplicated(records.frame, contract.newest_by)
    check_lines(account_of(rows), records)
    columns = list(loans(contract).columns)
    found = {
        "loans": digest(rows.where(F.col(STATUS) == ACCEPTED), columns, "loan_id"),
        "quarantine": digest(
            records.quarantined(rows.where(F.col(STATUS) == QUARANTINED)), QUARANTINE_COLUMNS, "raw"
        ),
    }

    assert name not in DIFFERENCES
    assert found == GOLDEN[name]
