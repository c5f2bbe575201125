"""Landing files -> loans, quarantine, and the account of every physical line."""

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import GateError, LandingError
from credit_spark.config.models import Contract
from credit_spark.config.tables import QUARANTINE, loans
from credit_spark.ingest.columns import ACCEPTED, QUARANTINED, REPLACED, STATUS, SUPERSEDED
from credit_spark.ingest.deduplication import deduplicated
from credit_spark.ingest.files import landing_files
from credit_spark.ingest.layouts import LandingFile, misspelled_headers
from credit_spark.ingest.lines import BLANK, FOOTER, HEADER, LINE_COUNT, PREAMBLE, SOURCE_FILE
from credit_spark.ingest.records import LineCounts, Records, read_records
from credit_spark.ingest.rules import OUTCOME_RULE
from credit_spark.pipeline.context import RunContext

# Where no row is accepted, so many of the rules that failed are named.
MAX_RULES = 5
# Of a table's files, and of the tasks that score: some 30 MB.
LOANS_PER_FILE = 250_000
LOANS = (ACCEPTED, QUARANTINED, SUPERSEDED)


class Entry(NamedTuple):
    """Records of one file with one status, whose values were replaced alike; and their lines."""

    source_file: str
    status: str
    replaced: str
    rows: int
    lines: int


class Counts(NamedTuple):
    """A run's records of loans, by what became of them."""

    read: int
    accepted: int
    quarantined: int
    superseded: int


def ingest(run: RunContext) -> None:
    """Turn the landing files of a batch date into loans, and quarantine unsound rows.

    Loans are staged; the quarantine is replaced at once.

    Raises:
        LandingError: the files break the contract as a whole, or no row is accepted.
        GateError: no row is accepted, for lack of an outcome that the contract names.
    """
    files = landing_files(run.spark, run.contract, run.landing, run.as_of)
    records = read_records(run.spark, files, run.contract, run.as_of)
    failed = rows_by_rule(records.frame)
    rows = deduplicated(records.frame, run.contract.newest_by)
    account = account_of(rows)
    run.summary.facts |= facts(account, files, records.lines)
    check_accepted(run.contract, total(account, ACCEPTED), total(account, QUARANTINED), failed)
    check_lines(account, records)
    # Without a shuffle, so that each block of a landing file is no file of the table.
    partitions = ceil(total(account, ACCEPTED) / LOANS_PER_FILE)
    run.tables.stage(
        loans(run.contract), rows.where(F.col(STATUS) == ACCEPTED).coalesce(partitions)
    )
    aside = records.quarantined(rows.where(F.col(STATUS) == QUARANTINED))
    written = run.tables.replace(QUARANTINE, aside.withColumn("status", F.lit("open")))
    counts = counted(account, written)
    run.summary.facts |= {f"rows_{name}": rows for name, rows in counts._asdict().items()}
    found = {"reasons": failed, "files": len(files), "remarks": remarks(files, run.contract)}
    run.summary.note("clean", {**counts._asdict(), **found})


def remarks(files: Sequence[LandingFile], contract: Contract) -> list[str]:
    """Columns that may be null in a file because its header misspells them."""
    return [
        f"{file.name}: no header of '{column}', so it is null; '{name}' is not read. If it is that "
        f"column, add it to columns.{column}.from"
        for file in files
        for column, name in misspelled_headers(file.shape.header, contract)
    ]


def account_of(rows: DataFrame) -> list[Entry]:
    """How many records and lines of each file have which status."""
    counts = rows.groupBy(SOURCE_FILE, STATUS, REPLACED).agg(
        F.count(F.lit(1)), F.sum(LINE_COUNT).cast("bigint")
    )
    return sorted(Entry(*row) for row in counts.collect())


def rows_by_rule(records: DataFrame) -> dict[str, int]:
    """Quarantined rows by the rule that they fail, most first; one row can fail several."""
    rules = records.where(F.col(STATUS) == QUARANTINED).select(F.explode("reasons").alias("reason"))
    rule = F.substring_index("reason", ":", 1).alias("rule")
    counts = rules.groupBy(rule).count().collect()
    return dict(sorted(((row[0], row[1]) for row in counts), key=lambda each: (-each[1], each[0])))


def check_accepted(
    contract: Contract, accepted: int, quarantined: int, failed: Mapping[str, int]
) -> None:
    """Refuse a run where no row of any file is a loan; `failed` are rows by rule.

    Raises:
        GateError: what every row lacks is an outcome that the contract names, and nothing else.
        LandingError: no row is accepted, for whatever other reason.
    """
    if accepted:
        return
    by_all = [rule for rule, count in failed.items() if count == quarantined]
    if contract.outcome and by_all == [OUTCOME_RULE]:
        raise GateError(
            f"no loan was accepted: of {quarantined:,} lines none has an outcome that the contract "
            f"names; compare the values of '{contract.outcome.column}' in the files with "
            "outcome.good, outcome.bad and outcome.open"
        )
    most = ", ".join(f"{rule} ({count:,})" for rule, count in [*failed.items()][:MAX_RULES])
    why = (
        f"every line broke a rule of the contract: {most}" if failed else "the files have no lines"
    )
    raise LandingError(
        f"no loan was accepted: {why}; have the files delivered again, or mend the contract"
    )


def facts(
    account: Sequence[Entry], files: Sequence[LandingFile], lines: Mapping[str, LineCounts]
) -> dict[str, str]:
    """The account for `runs`: each file's own, and the values replaced, as JSON."""
    replaced: dict[str, int] = {}
    for row in account:
        for name in filter(None, row.replaced.split(",")):
            replaced[name] = replaced.get(name, 0) + row.rows
    of_files = [_facts_of(file, account, lines.get(file.name, LineCounts())) for file in files]
    return {
        "files": json.dumps(of_files),
        "replaced": json.dumps(replaced, sort_keys=True),
    }


def _facts_of(file: LandingFile, account: Sequence[Entry], lines: LineCounts) -> dict[str, Any]:
    """A file's account: `lines` are those of all statuses, and of loans those of all records."""
    own = [entry for entry in account if entry.source_file == file.name]
    return {
        "name": file.name,
        "bytes": file.size,
        "content_hash": lines.content_hash,
        "layout": file.shape.layout,
        **{status: total(own, status) for status in LOANS},
        "lines": lines.lines,
        **{status: total(own, status) for status in (HEADER, PREAMBLE, FOOTER, BLANK)},
        **{f"{status}_lines": _lines(own, status) for status in LOANS},
    }


def total(account: Sequence[Entry], status: str) -> int:
    """How many records have a status."""
    return sum(entry.rows for entry in account if entry.status == status)


def check_lines(account: Sequence[Entry], records: Records) -> None:
    """Hold the lines of all records against what the reader gave; RuntimeError: some are lost."""
    found: dict[str, int] = {}
    for entry in account:
        found[entry.source_file] = found.get(entry.source_file, 0) + entry.lines
    read = {name: each.lines for name, each in records.lines.items()}
    if found != read or sum(read.values()) != records.observed:
        raise RuntimeError(
            f"lines do not add up: {found} in records, {read} in files, {records.observed} read"
        )


def counted(account: Sequence[Entry], written: int) -> Counts:
    """The run's counts, or RuntimeError where the quarantine has not all of its rows."""
    accepted, quarantined, superseded = (total(account, status) for status in LOANS)
    if written != quarantined:
        raise RuntimeError(f"rows do not add up: {quarantined} quarantined, {written} written")
    return Counts(accepted + quarantined + superseded, accepted, quarantined, superseded)


def _lines(account: Sequence[Entry], status: str) -> int:
    return sum(entry.lines for entry in account if entry.status == status)
