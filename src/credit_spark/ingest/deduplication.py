"""Rows that share a key, or a content: which stays, and what ids rows without a key have.

Nearly every key is there once. One aggregation over a hash of the keys finds the others, and only
their rows go through a window.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from credit_spark.ingest.columns import ACCEPTED, CONTENT, QUARANTINED, STATUS, SUPERSEDED
from credit_spark.ingest.lines import BLOCK, LINE, PLACE, SOURCE_FILE
from credit_spark.ingest.rules import KEY
from credit_spark.storage.session import checkpointed

ORDINAL = "_ordinal"
# Keys, or rows, that each task can hold in memory: of more, the join is a shuffle.
MAX_BROADCAST = 500_000


def deduplicated(validated: DataFrame, newest_by: Sequence[str]) -> DataFrame:
    """Rows with their `loan_id` and last STATUS: of accepted rows with one key, the newest stays.

    The newest is the greatest by `newest_by`, then by file name, then by its place in the file.
    """
    duplicates = _duplicates(validated, newest_by).localCheckpoint()
    if duplicates.count() <= MAX_BROADCAST:
        # Nothing is shuffled, so the join need not be kept.
        return _with_final_status(validated, F.broadcast(duplicates))
    return checkpointed(_with_final_status(validated, duplicates))


def _duplicates(validated: DataFrame, newest_by: Sequence[str]) -> DataFrame:
    """PLACE and ORDINAL of the rows that are not the newest with their key or content.

    Accepted rows and quarantined ones with no lender's key are numbered apart.
    """
    is_numbered = (F.col(STATUS) == ACCEPTED) | (
        (F.col(STATUS) == QUARANTINED) & F.col(CONTENT).isNotNull()
    )
    numbered = validated.where(is_numbered).withColumn("_identity", _identity())
    counts = numbered.groupBy("_identity").count().where(F.col("count") > 1)
    repeated = counts.select("_identity").localCheckpoint()
    few = F.broadcast(repeated) if repeated.count() <= MAX_BROADCAST else repeated
    of_repeated_keys = numbered.join(few, on="_identity", how="left_semi")
    newest = [
        F.when(F.col(STATUS) == ACCEPTED, F.col(name)).desc_nulls_last() for name in newest_by
    ]
    order = [*newest, *[F.col(name).desc() for name in (SOURCE_FILE, BLOCK, LINE)]]
    nth = F.row_number().over(Window.partitionBy(STATUS, KEY, CONTENT).orderBy(*order))
    return of_repeated_keys.select(*PLACE, nth.alias(ORDINAL)).where(F.col(ORDINAL) > 1)


def _with_final_status(validated: DataFrame, duplicates: DataFrame) -> DataFrame:
    ordinal = F.coalesce(F.col(ORDINAL), F.lit(1))
    gives_way = (F.col(STATUS) == ACCEPTED) & F.col(CONTENT).isNull() & (ordinal > 1)
    status = F.when(gives_way, SUPERSEDED).otherwise(F.col(STATUS))
    joined = validated.join(duplicates, on=list(PLACE), how="left")
    return joined.withColumns({"loan_id": _loan_id(ordinal), STATUS: status}).drop(ORDINAL)


def _identity() -> Column:
    """A hash of what rows with one key, or content, have in common."""
    return F.xxhash64(STATUS, F.coalesce(F.col(KEY), F.col(CONTENT)))


def _loan_id(ordinal: Column) -> Column:
    numbered = F.concat_ws("-", CONTENT, ordinal.cast("string"))
    return F.when(F.col(CONTENT).isNull(), F.col(KEY)).otherwise(numbered)
