"""Every loan of a night scored, with reasons or without: `reasons.py TABLES with|without OUT`.

In one process, from the files of `loans` to rows that go nowhere; the seconds as JSON.
"""

import json
import sys
import time
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

from credit_spark.adapters.staging import blocks_of
from credit_spark.contract.tables import REASONS
from credit_spark.modelling.scoring import Scorer, columns_read
from credit_spark.scoring.document import ModelDocument


class Silent(Scorer):
    """Scores as ever, and says nothing of why."""

    def _reasons(self, costs: pl.DataFrame) -> list[pl.Series]:
        nothing = pl.repeat(None, costs.height, dtype=pl.String, eager=True)
        return [nothing.alias(name) for name in REASONS]


def main(tables: str, how: str, out: str) -> None:
    """Score, and write how long it took."""
    fits = DeltaTable(f"{tables}/models").to_pyarrow_table().to_pylist()
    document = ModelDocument.of(
        next(each["document"] for each in fits if each["status"] == "champion")
    )
    scorer = {"with": Scorer, "without": Silent}[how](document)
    needed = columns_read(document)
    began = time.monotonic()
    for file in DeltaTable(f"{tables}/loans").file_uris():
        for block in blocks_of(file, needed):
            scorer.scored(block, ())
    Path(out).write_text(json.dumps(time.monotonic() - began))


if __name__ == "__main__":
    main(*sys.argv[1:])
