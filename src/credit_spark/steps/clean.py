"""Landing files -> loans, quarantine, and the account of every line."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from credit_spark.adapters.landing import LandingFile
from credit_spark.adapters.session import kept
from credit_spark.cleaning.rules import check_rules
from credit_spark.cleaning.superseding import (
    accepted,
    contested_keys,
    rivals,
    set_aside,
    superseded,
    with_contents,
)
from credit_spark.cleaning.verdicts import ACCEPTED, FOOTER, QUARANTINED, SUPERSEDED
from credit_spark.contract.errors import LandingError, listed
from credit_spark.contract.tables import QUARANTINE, loans
from credit_spark.steps import Night


class Counts(NamedTuple):
    """A night's lines, by what became of them.

    Each is counted by itself: one worked out from the others could not catch a loss.
    """

    read: int
    accepted: int
    quarantined: int
    superseded: int


class Entry(NamedTuple):
    """An entry of the account: lines of one file that came to one verdict, replaced alike."""

    source_file: str
    verdict: str
    replaced: str
    rows: int


def clean(night: Night) -> None:
    """Turn a night's landing files into loans, and set unsound lines aside."""
    check_rules(night.contract)
    files = night.landing.files()
    with kept(with_contents(night.landing.blocks(files))) as blocks:
        read = census(blocks)
        contested = contested_keys(blocks)
        with kept(rivals(blocks, night.contract, contested)) as numbered:
            account = with_superseded(account_of(read), superseded(numbered, contested))
            night.ledger.facts |= told(account, files)
            check_accepted(account)

            sound = accepted(blocks, numbered, night.contract, contested)
            written = night.tables.write(loans(night.contract), sound)
        aside = set_aside(blocks).withColumn("status", F.lit("open"))
        quarantined = night.tables.write(QUARANTINE, aside)
    seen = sum(block.lines for block in read) - total(account, FOOTER)
    counts = balanced(Counts(seen, written, quarantined, total(account, SUPERSEDED)))
    night.ledger.facts |= {f"rows_{name}": rows for name, rows in counts._asdict().items()}
    night.ledger.note(
        "clean", {**counts._asdict(), "reasons": by_reason(read), "files": len(files)}
    )


def census(blocks: DataFrame) -> list[Row]:
    """What the blocks say of themselves: so many rows as blocks.

    Raises:
        LandingError: files cannot be read to their end; all are named.
    """
    rows = blocks.select("source_file", "lines", "counts", "rules", "fault").collect()
    faults = sorted({f"{row.source_file}: {row.fault}" for row in rows if row.fault})
    if faults:
        raise LandingError(listed("the night's files are broken; nothing was written", faults))
    return rows


def account_of(blocks: Sequence[Row]) -> list[Entry]:
    """The entries of the account, before lines with one key were put beside each other."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for block in blocks:
        for each in block.counts:
            counts[block.source_file, each.verdict, each.replaced] += each.rows
    return [Entry(*key, rows) for key, rows in sorted(counts.items())]


def by_reason(blocks: Sequence[Row]) -> dict[str, int]:
    """Quarantined lines by the rule that they break, most first; one line can break several."""
    counts: Counter[str] = Counter()
    for block in blocks:
        counts.update({each.rule: each.rows for each in block.rules})
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def with_superseded(account: Sequence[Entry], losers: Mapping[str, int]) -> list[Entry]:
    """The account after some of the lines accepted gave way to others: so many of each file."""
    moved = [
        entry
        for name, rows in sorted(losers.items())
        for entry in (Entry(name, ACCEPTED, "", -rows), Entry(name, SUPERSEDED, "", rows))
    ]
    return [*account, *moved]


def check_accepted(account: Sequence[Entry]) -> None:
    """Refuse the night where no line of any file became a loan.

    Raises:
        LandingError: none did.
    """
    if not total(account, ACCEPTED):
        read = sum(row.rows for row in account)
        why = "every line broke a rule of the contract" if read else "the files have no lines"
        raise LandingError(
            f"no loan was accepted: {why}; have the files delivered again, or mend the contract"
        )


def told(account: Sequence[Entry], files: Sequence[LandingFile]) -> dict[str, str]:
    """The account for `runs`: each file's own, and the values replaced, as JSON."""
    replaced: dict[str, int] = {}
    for row in account:
        for name in filter(None, row.replaced.split(",")):
            replaced[name] = replaced.get(name, 0) + row.rows
    return {
        "files": json.dumps([_told_file(file, account) for file in files]),
        "replaced": json.dumps(replaced, sort_keys=True),
    }


def _told_file(file: LandingFile, account: Sequence[Entry]) -> dict[str, Any]:
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


def total(account: Sequence[Entry], verdict: str) -> int:
    """How many lines came to a verdict."""
    return sum(row.rows for row in account if row.verdict == verdict)


def balanced(counts: Counts) -> Counts:
    """Give the counts back, or raise RuntimeError where a line is not accounted for."""
    if counts.read != counts.accepted + counts.quarantined + counts.superseded:
        raise RuntimeError(f"lines do not add up: {counts}")
    return counts
