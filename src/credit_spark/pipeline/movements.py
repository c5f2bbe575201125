"""Tonight's loans beside the last night's -> what moved their points."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import loans
from credit_spark.modelling.movement import BEFORE, Moved, moved, together
from credit_spark.modelling.scoring import columns_read
from credit_spark.modelling.watching import columns_watched
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.measure import version_of
from credit_spark.scoring.document import ModelDocument

# Of more loans, a part by a hash of their ids tells what moved their points.
MOST_MOVED = 500_000
MOVED = "part string, loans bigint, inputs double, model double"


class Earlier(NamedTuple):
    """A night before this one, and how many loans it accepted."""

    as_of: date
    accepted: int


def moved_since(
    night: RunContext, document: ModelDocument, last: Earlier
) -> list[Mapping[str, Any]]:
    """What moved the scores, as rows of the table; none where the last night can't be read now."""
    try:
        return [*movement(night, document, last)]
    except (PySparkException, Py4JJavaError, OSError) as error:
        night.log.event("last night not read", error=type(error).__name__)
        night.log.trace(error)
        return []


def movement(
    night: RunContext, document: ModelDocument, last: Earlier
) -> Iterator[Mapping[str, Any]]:
    """What moved the scores of loans that stood in the last night, too; nothing where none did."""
    before = night.tables.of_night(last.as_of)
    try:
        earlier_files = before.files(loans(night.contract), "clean")
        old = night.models.document(version_of(before, night.contract))
    except InputError:
        return
    segments = [each for each in document.watched if each.role == "segment"]
    needed = sorted({*columns_read(old), *columns_read(document), *columns_watched(segments)})

    def added_up(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blocks = (pl.DataFrame(batch) for batch in batches if batch.num_rows)
        parts = together(part for each in blocks for part in moved(each, old, document, segments))
        if parts:
            sums = pl.DataFrame(parts, orient="row")
            yield from sums.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()

    same = same_loans(night, earlier_files, needed, -(-last.accepted // MOST_MOVED))
    found = same.mapInArrow(added_up, MOVED).toArrow().to_pylist()
    for each in together(Moved(**row) for row in found):
        yield {
            "model_version": document.version,
            "since": last.as_of,
            "last_model_version": old.version,
            "part": each.part,
            "loans": each.loans,
            "by_inputs": each.inputs / each.loans,
            "by_model": each.model / each.loans,
        }


def same_loans(
    night: RunContext, earlier_files: Sequence[str], needed: Sequence[str], parts: int
) -> DataFrame:
    """Columns of loans that stand in both nights, then and now; of several parts the first."""
    table = loans(night.contract)
    is_asked = F.pmod(F.xxhash64("loan_id"), F.lit(parts)) == 0
    now, then = (
        night.tables.frame(table, files).where(is_asked).select("loan_id", *needed)
        for files in (night.tables.files(table, "clean"), earlier_files)
    )
    renamed = then.select("loan_id", *[F.col(each).alias(f"{BEFORE}{each}") for each in needed])
    return now.join(renamed, "loan_id").drop("loan_id")
