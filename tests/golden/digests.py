"""Digests of loans and quarantine: what version 1 made of the real files, to hold ingest against.

`python -m tests.golden.digests WAREHOUSES` writes ingest.json from version 1's Delta tables, which
stand at WAREHOUSES/<case>/<portfolio>/{loans,quarantine}; it is run once, and again by nobody but
who changes on purpose what a file says.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

DIGESTS = Path(__file__).with_name("ingest.json")
QUARANTINE_COLUMNS = ("loan_id", "reasons", "raw", "source_file")


class Case(NamedTuple):
    """A portfolio, its batch date, and its landing file below the folder of real files."""

    portfolio: str
    as_of: str
    file: str


CASES = {
    "german": Case("german_credit", "2000-01-31", "german_credit/german.data"),
    "german_kaggle": Case("german_credit", "2000-01-31", "german_credit/german_credit_data.csv"),
    "lc_198": Case("lending_club", "2020-12-31", "lendingclub_raw/loanstats_preamble_198.csv"),
    "lc_1000": Case("lending_club", "2016-12-31", "lendingclub_raw/accepted_2011_sample1000_74cols.csv"),
    "lc_2000": Case("lending_club", "2019-12-31", "lendingclub_raw/accepted_2007_2018_sample2000.csv"),
    "lc_2500": Case("lending_club", "2015-12-31", "lendingclub_raw/loansdata_percent_2500.csv"),
    "lc_39786": Case("lending_club", "2015-12-31", "lendingclub_raw/loanstats3a_percent_util_39786.csv"),
    "lc_book": Case("lending_club", "2012-12-31", "lendingclub_2007_2011/loans.csv"),
    "taiwan": Case("taiwan_credit_card", "2005-10-31", "taiwan_credit_card/UCI_Credit_Card.csv"),
    "bootcamp": Case("bootcamp", "2020-01-31", "bootcamp_lending/lending_data.csv"),
    # Sample loans of seed 20261121, 20,000 rows: multi-line texts, a preamble, footers, duplicates.
    "sample": Case("lending_club", "2012-01-31", ""),
}  # fmt: skip


def digest(rows: DataFrame, columns: Sequence[str], row: str) -> dict[str, Any]:
    """Rows by file, and of each column a sum of hashes, whatever the order of rows.

    A value is hashed together with the column `row`, which tells its row from others.
    """
    halves = []
    for name in columns:
        value = F.xxhash64(row, name)
        halves += [F.sum(F.shiftright(value, 32)), F.sum(value.bitwiseAND(F.lit(2**32 - 1)))]
    sums = [each or 0 for each in rows.select(*halves).first() or ()]
    by_file = rows.groupBy("source_file").count().collect()
    pairs = zip(columns, sums[::2], sums[1::2], strict=True)
    return {
        "rows": {each["source_file"]: each["count"] for each in sorted(by_file)},
        "columns": {name: f"{((high << 32) + low) % 2**64:016x}" for name, high, low in pairs},
    }


def _write(warehouses: Path) -> None:
    from credit_spark.storage.session import spark_session

    found = {}
    with spark_session({"spark.master": "local[2]"}, Path("/dev/null")) as spark:
        for name, case in CASES.items():
            folder = warehouses / name / case.portfolio
            loans, aside = (
                spark.read.format("delta").load(f"{folder}/{table}")
                for table in ("loans", "quarantine")
            )
            columns = [each for each in loans.columns if each not in ("as_of", "run_id")]
            found[name] = {
                "loans": digest(loans, columns, "loan_id"),
                "quarantine": digest(aside, QUARANTINE_COLUMNS, "raw"),
            }
    DIGESTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
