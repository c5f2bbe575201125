"""Landing files -> loans, quarantine, and the account of every line."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation, Row
from pyspark.sql import functions as F

from credit_spark.adapters.landing import BROKEN, LandingFile
from credit_spark.cleaning.verdicts import ACCEPTED, FOOTER, QUARANTINED, SUPERSEDED, verdicts
from credit_spark.contract.errors import LandingError
from credit_spark.contract.tables import QUARANTINE, loans
from credit_spark.steps import Night

UNREADABLE = ("EOFException", "ZipException", "invalid header", "IOException", "not a gzip")


class Counts(NamedTuple):
    """A night's lines, by what became of them.

    Each is counted by itself: one worked out from the others could not catch a loss.
    """

    read: int
    accepted: int
    quarantined: int
    superseded: int


def clean(night: Night) -> None:
    """Turn a night's landing files into loans, and set unsound lines aside."""
    files = night.landing.files()
    read, shapes = counted(night.landing.lines(files))
    # Kept for the account and for two tables: the text is then parsed once.
    lines = verdicts(shapes, night.contract, night.as_of).persist()
    try:
        account = census(lines, files)
        night.ledger.facts |= told(account, files)
        check_accepted(account)

        accepted = night.tables.write(loans(night.contract), of(lines, ACCEPTED))
        set_aside = of(lines, QUARANTINED).withColumn("status", F.lit("open"))
        quarantined = night.tables.write(QUARANTINE, set_aside)
        reasons = by_reason(lines)
    finally:
        lines.unpersist()

    footers = total(account, FOOTER)
    seen = sum(each.get["lines"] for each in read) - footers
    counts = balanced(Counts(seen, accepted, quarantined, total(account, SUPERSEDED)))
    night.ledger.facts |= {f"rows_{name}": rows for name, rows in counts._asdict().items()}
    night.ledger.note("clean", {**counts._asdict(), "reasons": reasons, "files": len(files)})


def counted(shapes: Sequence[DataFrame]) -> tuple[list[Observation], list[DataFrame]]:
    """The frames, and what tells after their first use how many `lines` went by."""
    seen = [Observation(f"lines_{nth}") for nth in range(len(shapes))]
    lines = F.count(F.lit(1)).alias("lines")
    return seen, [frame.observe(each, lines) for each, frame in zip(seen, shapes, strict=True)]


def census(lines: DataFrame, files: Sequence[LandingFile]) -> list[Row]:
    """Count lines by file, verdict and `replaced`: as many rows as files, nearly.

    Raises:
        LandingError: a file cannot be read to its end.
    """
    by = ("source_file", "verdict", "replaced")
    try:
        return lines.groupBy(*by).count().orderBy(*by).collect()
    except PySparkException as error:
        if not any(sign in str(error) for sign in UNREADABLE):
            raise
        names = ", ".join(file.name for file in files)
        raise LandingError(f"a file cannot be read to its end ({names}): {BROKEN}") from error


def check_accepted(account: Sequence[Row]) -> None:
    """Refuse the night where no line of any file became a loan.

    Raises:
        LandingError: none did.
    """
    if not total(account, ACCEPTED):
        read = sum(row["count"] for row in account)
        why = "every line broke a rule of the contract" if read else "the files have no lines"
        raise LandingError(
            f"no loan was accepted: {why}; have the files delivered again, or mend the contract"
        )


def told(account: Sequence[Row], files: Sequence[LandingFile]) -> dict[str, str]:
    """The account for `runs`: each file's own, and the values replaced, as JSON."""
    replaced: dict[str, int] = {}
    for row in account:
        for name in filter(None, row.replaced.split(",")):
            replaced[name] = replaced.get(name, 0) + row["count"]
    return {
        "files": json.dumps([_told_file(file, account) for file in files]),
        "replaced": json.dumps(replaced, sort_keys=True),
    }


def _told_file(file: LandingFile, account: Sequence[Row]) -> dict[str, Any]:
    own = [row for row in account if row.source_file == file.name]
    verdict_counts = {
        verdict: total(own, verdict) for verdict in (ACCEPTED, QUARANTINED, SUPERSEDED, FOOTER)
    }
    return {
        "name": file.name,
        "bytes": file.size,
        "sha256": file.sha256,
        "layout": file.shape.layout,
        **verdict_counts,
    }


def total(account: Sequence[Row], verdict: str) -> int:
    """How many lines came to a verdict."""
    return sum(row["count"] for row in account if row.verdict == verdict)


def of(lines: DataFrame, verdict: str) -> DataFrame:
    """The lines of one verdict."""
    return lines.where(F.col("verdict") == verdict)


def by_reason(lines: DataFrame) -> dict[str, int]:
    """Quarantined lines by the rule that they break, most first; one line can break several."""
    reason = F.explode("reasons").alias("reason")
    rule = F.substring_index("reason", ":", 1).alias("rule")
    counts = of(lines, QUARANTINED).select(reason).groupBy(rule).count()
    ordered = counts.orderBy(F.desc("count"), "rule").collect()
    return {row["rule"]: row["count"] for row in ordered}


def balanced(counts: Counts) -> Counts:
    """Give the counts back, or raise RuntimeError where a line is not accounted for."""
    if counts.read != counts.accepted + counts.quarantined + counts.superseded:
        raise RuntimeError(f"lines do not add up: {counts}")
    return counts
