"""Which of the lines with one key stays, and what ids lines without a key have: told by all files.

Nearly every key stands once. Hashes alone are compared to find the others, and only lines whose
hash stands more than once are put beside each other.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from credit_spark.cleaning.blocks import ARROW_TYPES, Keys, as_arrow, unpacked
from credit_spark.cleaning.verdicts import ACCEPTED, QUARANTINED
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import loans

# Hashes that a task can look up in. With more, every line is put beside its equals.
MOST_CONTESTED = 2_000_000
BESIDE = MappingProxyType(
    {
        "key": "string",
        "content": "string",
        "is_keyed": "boolean",
        "place": "bigint",
        "source_file": "string",
    }
)


def with_contents(blocks: DataFrame) -> DataFrame:
    """Blocks with the contents of lines that have no key, and hashes of these as their `keys`."""
    told = blocks.withColumns({
        f"{part}_contents": F.transform(f"{part}_fields", _content)
        for part in ("accepted", "quarantined")
    })  # fmt: skip
    hashes = F.transform("accepted_contents", _hash)
    return told.withColumn("keys", F.coalesce("keys", hashes)).drop(
        "accepted_fields", "quarantined_fields"
    )


def contested_keys(blocks: DataFrame) -> Keys | None:
    """The hashes of keys that more than one accepted line has; None: too many to be told."""
    keys = blocks.select(F.explode("keys").alias("key")).groupBy("key").count()
    twice = keys.where("count > 1").select("key").limit(MOST_CONTESTED + 1)
    found = np.array([row.key for row in twice.collect()], dtype=np.int64)
    return None if len(found) > MOST_CONTESTED else np.sort(found)


def rivals(blocks: DataFrame, contract: Contract, contested: Keys | None) -> DataFrame:
    """The accepted lines with a contested key, numbered by `nth`: of a key's, 1 is the newest.

    The newest is the greatest by the contract's `newest_by`, then by file name, then by its place
    in the file.
    """
    types = _loan_types(contract)
    del types["loan_id"]
    lines = _lines(blocks, ACCEPTED, BESIDE | types, contested, wanted=True)
    newest = [F.col(name).desc_nulls_last() for name in contract.newest_by]
    order = [*newest, F.col("source_file").desc(), F.col("place").desc()]
    return lines.withColumn("nth", F.row_number().over(_of_a_key().orderBy(*order)))


def superseded(numbered: DataFrame, contested: Keys | None) -> dict[str, int]:
    """How many lines of each file give way to a newer one with their key."""
    if _is_none(contested):
        return {}
    return dict(numbered.where(_gives_way()).groupBy("source_file").count().collect())


def accepted(
    blocks: DataFrame, numbered: DataFrame, contract: Contract, contested: Keys | None
) -> DataFrame:
    """The night's loans: lines alone with their key, and the newest of the others."""
    types = _loan_types(contract)
    alone = _lines(blocks, ACCEPTED, types, contested, wanted=False)
    if _is_none(contested):
        return alone
    winners = numbered.where(~_gives_way()).withColumn("loan_id", _loan_id())
    return alone.unionAll(winners.select(*types))


def set_aside(blocks: DataFrame) -> DataFrame:
    """Quarantined lines with their `loan_id`, where they have one, `reasons` and `raw`."""
    types = BESIDE | {"reasons": "array<string>", "raw": "string"}
    lines = _lines(blocks, QUARANTINED, types, None, wanted=True)
    order = [F.col("source_file").desc(), F.col("place").desc()]
    numbered = lines.withColumn("nth", F.row_number().over(_of_a_key().orderBy(*order)))
    return numbered.select(_loan_id().alias("loan_id"), "reasons", "raw", "source_file")


def _lines(
    blocks: DataFrame, part: str, types: Mapping[str, str], contested: Keys | None, *, wanted: bool
) -> DataFrame:
    """The lines that are packed in blocks, as rows."""
    arrow = {name: ARROW_TYPES[type_] for name, type_ in types.items()}

    def unpack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for lines in unpacked(batches, part, contested, wanted=wanted):
            yield as_arrow(lines, arrow)

    needed = ("source_file", "number", "is_keyed", "keys", part, f"{part}_contents")
    ddl = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    return blocks.where(F.col(part).isNotNull()).select(*needed).mapInArrow(unpack, ddl)


def _is_none(contested: Keys | None) -> bool:
    return contested is not None and not len(contested)


def _loan_types(contract: Contract) -> dict[str, str]:
    return {name: each.type for name, each in loans(contract).columns.items()}


def _of_a_key() -> WindowSpec:
    return Window.partitionBy("key", "content")


def _gives_way() -> Column:
    """Equal lines with no key are loans of their own."""
    return F.col("is_keyed") & (F.col("nth") > 1)


def _loan_id() -> Column:
    return F.when(F.col("is_keyed"), F.col("key")).otherwise(F.concat_ws("-", "content", "nth"))


def _hash(content: Column) -> Column:
    return F.xxhash64(content)


def _content(fields: Column) -> Column:
    """128 bits of hash over a line's fields, as hexadecimal text."""
    halves = [F.hex(F.xxhash64(F.lit(half), fields)) for half in (1, 2)]
    return F.lower(F.concat(*[F.lpad(half, 16, "0") for half in halves]))
