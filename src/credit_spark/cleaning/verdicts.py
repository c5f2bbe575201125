"""One verdict a line: accepted, quarantined, superseded, or no loan at all (a footer).

What stands in the account of the night is counted from these verdicts alone.
"""

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from credit_spark.cleaning.rules import judge, outcome, rules_of
from credit_spark.contract.models import Contract

ACCEPTED, QUARANTINED, SUPERSEDED, FOOTER = "accepted", "quarantined", "superseded", "footer"


def verdicts(shapes: Sequence[DataFrame], contract: Contract, as_of: date) -> DataFrame:
    """Judge typed lines, a frame a shape of file, and give each its `loan_id` and `verdict`.

    Out go `loan_id`, the contract's columns, `outcome`, `reasons`, `raw` (JSON, of quarantined
    lines only), `replaced` (the columns whose value was turned null or clipped), `source_file`
    and `verdict`.
    """
    of_the_night = [lines.withColumn("as_of", F.lit(as_of)) for lines in shapes]
    told = reduce(DataFrame.union, [_told(lines, contract) for lines in of_the_night])
    return _superseding(told, contract.newest_by)


def _told(lines: DataFrame, contract: Contract) -> DataFrame:
    """What each line says of itself; which of two with one key stays is told by both."""
    is_unsound = F.size("reasons") > 0
    return judge(lines, rules_of(contract)).select(
        "key",
        "is_keyed",
        "content",
        *contract.columns,
        outcome(contract).alias("outcome"),
        "reasons",
        F.when(is_unsound, _raw()).alias("raw"),
        _replaced(contract).alias("replaced"),
        "source_file",
        F.when(F.col("is_footer"), FOOTER)
        .when(is_unsound, QUARANTINED)
        .otherwise(ACCEPTED)
        .alias("verdict"),
    )


def _superseding(told: DataFrame, newest_by: Sequence[str]) -> DataFrame:
    """Let the newest of the sound lines with one key stay, and number equals by content.

    The newest is the greatest by `newest_by`, then by file name, then by content.
    """
    newest = [F.col(name).desc_nulls_last() for name in newest_by]
    order = [*newest, F.col("source_file").desc(), F.col("content").desc()]
    nth = F.row_number().over(Window.partitionBy("key", "verdict").orderBy(*order))
    is_loser = F.col("is_keyed") & (F.col("verdict") == ACCEPTED) & (F.col("nth") > 1)
    ordinal = F.concat_ws("-", "content", "nth")
    return (
        told.withColumn("nth", nth)
        .withColumn("loan_id", F.when(F.col("is_keyed"), F.col("key")).otherwise(ordinal))
        .withColumn("verdict", F.when(is_loser, SUPERSEDED).otherwise(F.col("verdict")))
        .drop("nth", "key", "is_keyed", "content")
    )


def _replaced(contract: Contract) -> Column:
    flags = [
        F.when(F.col(f"outside.{name}"), F.lit(name))
        for name, promise in contract.columns.items()
        if promise.outside != "quarantine"
    ]
    return F.concat_ws(",", *flags)


def _raw() -> Column:
    """The fields by their header's names; of a malformed line its whole text."""
    whole = F.to_json(F.struct("line"))
    return F.when(F.col("line").isNotNull(), whole).otherwise(F.to_json("fields"))
