"""Landing files -> loans, quarantine, and the account of every line."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from credit_spark.adapters.landing import LandingFile
from credit_spark.adapters.spool import Spool
from credit_spark.adapters.staging import Stage, Staged
from credit_spark.cleaning.blocks import Summary, counted
from credit_spark.cleaning.rules import OUTCOME_RULE
from credit_spark.cleaning.superseding import HASHES_AT_ONCE, Hashes, ranges
from credit_spark.cleaning.verdicts import ACCEPTED, FOOTER, QUARANTINED, SUPERSEDED
from credit_spark.contract.sql_types import check_sql
from credit_spark.contract.errors import GateError, LandingError, listed
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import QUARANTINE, loans
from credit_spark.evaluation.questions import NOTHING_ASKED, Questionnaire
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.pieces import (
    Meetings,
    Written,
    contested_in,
    write_alone,
    write_newest,
    write_set_aside,
)

# Of a task that puts lines, or their hashes, beside each other: what it holds at once.
LINES_AT_ONCE, WHOLE_LINES_AT_ONCE = 500_000, 100_000
# Hashes that a task can look up in. With more, every line is put beside its equals.
MOST_CONTESTED = 2_000_000
# Where no line is accepted, so many of the rules that were broken are told.
MOST_RULES = 5


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


def clean(night: RunContext, asked: Questionnaire = NOTHING_ASKED) -> Sequence[Staged]:
    """Turn a night's landing files into loans, and set unsound lines aside.

    Out come the files of the loans, with what they tell of what is `asked`.
    """
    check_sql(night.contract)
    files = night.landing.files()
    with night.spool() as spool:
        read = sound_files(night.landing.judged(files, spool))
        night.ledger.facts |= told(account_of(read), files)
        check_accepted(night.contract, account_of(read), by_reason(read))
        contested, rivals = contested_hashes(night, spool, read)
        meetings = Meetings(
            ranges(rivals, LINES_AT_ONCE),
            ranges(total(account_of(read), QUARANTINED), WHOLE_LINES_AT_ONCE),
        )
        stage = night.tables.stage(loans(night.contract), asked)
        sound = write_loans(night, spool, read, contested, meetings, stage)
        aside = write_quarantine(night, spool, read, meetings)
    account = with_superseded(account_of(read), sound.superseded)
    night.ledger.facts |= told(account, files)
    seen = counted(read) - total(account, FOOTER)
    counts = balanced(Counts(seen, sound.rows, aside.rows, total(account, SUPERSEDED)))
    night.tables.replace(loans(night.contract), sound.staged)
    night.tables.replace(QUARANTINE, aside.staged)
    night.ledger.facts |= {f"rows_{name}": rows for name, rows in counts._asdict().items()}
    night.ledger.note(
        "clean", {**counts._asdict(), "reasons": by_reason(read), "files": len(files)}
    )
    return sound.staged


def sound_files(read: Sequence[Summary]) -> Sequence[Summary]:
    """Give the pieces' summaries back.

    Raises:
        LandingError: files cannot be read to their end; all are named.
    """
    faults = sorted({f"{each.source_file}: {each.fault}" for each in read if each.fault})
    if faults:
        raise LandingError(listed("the night's files are broken; nothing was written", faults))
    return read


def contested_hashes(
    night: RunContext, spool: Spool, read: Sequence[Summary]
) -> tuple[Hashes | None, int]:
    """The hashes that more than one accepted line has, and the lines; None: too many hashes."""
    look = partial(contested_in, most=MOST_CONTESTED, spool=spool, pieces=_numbers(read))
    lines = total(account_of(read), ACCEPTED)
    found = night.spread("find keys that stand twice", look, ranges(lines, HASHES_AT_ONCE))
    hashes = np.concatenate([each.hashes for each in found])
    rivals = sum(each.lines for each in found)
    return (None, lines) if len(hashes) > MOST_CONTESTED else (np.sort(hashes), rivals)


def write_loans(
    night: RunContext,
    spool: Spool,
    read: Sequence[Summary],
    contested: Hashes | None,
    meetings: Meetings,
    stage: Stage,
) -> Written:
    """Stage the lines that are alone with their key, and of those that share one the newest."""
    newest_by, pieces = night.contract.newest_by, _numbers(read)
    write = partial(
        write_alone,
        contested=contested,
        newest_by=newest_by,
        meetings=meetings,
        spool=spool,
        stage=stage,
    )
    alone = night.spread("write loans", write, read)
    settle = partial(write_newest, pieces=pieces, newest_by=newest_by, spool=spool, stage=stage)
    return Written.together([*alone, *night.spread("settle keys", settle, meetings.rivals)])


def write_quarantine(
    night: RunContext, spool: Spool, read: Sequence[Summary], meetings: Meetings
) -> Written:
    """Stage the lines that are set aside, which `write_loans` has sent to their parts."""
    stage = night.tables.stage(QUARANTINE)
    write = partial(write_set_aside, pieces=_numbers(read), spool=spool, stage=stage)
    return Written.together(night.spread("write quarantine", write, meetings.aside))


def account_of(read: Sequence[Summary]) -> list[Entry]:
    """The entries of the account, before lines with one key were put beside each other."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for piece in read:
        for each, rows in piece.counts.items():
            counts[piece.source_file, each.verdict, each.replaced] += rows
    return [Entry(*key, rows) for key, rows in sorted(counts.items())]


def by_reason(read: Sequence[Summary]) -> dict[str, int]:
    """Quarantined lines by the rule that they break, most first; one line can break several."""
    counts: Counter[str] = Counter()
    for piece in read:
        counts.update(piece.rules)
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def with_superseded(account: Sequence[Entry], losers: Mapping[str, int]) -> list[Entry]:
    """The account after some of the lines accepted gave way to others: so many of each file."""
    moved = [
        entry
        for name, rows in sorted(losers.items())
        for entry in (Entry(name, ACCEPTED, "", -rows), Entry(name, SUPERSEDED, "", rows))
    ]
    return [*account, *moved]


def check_accepted(contract: Contract, account: Sequence[Entry], broken: Mapping[str, int]) -> None:
    """Refuse the night where no line of any file became a loan; `broken` are lines by rule.

    Raises:
        GateError: what every line lacks is an outcome that the contract names, and nothing else.
        LandingError: none did, for whatever other reason.
    """
    if total(account, ACCEPTED):
        return
    lines = total(account, QUARANTINED)
    by_all = [rule for rule, count in broken.items() if count == lines]
    if contract.outcome and by_all == [OUTCOME_RULE]:
        raise GateError(
            f"no loan was accepted: of {lines:,} lines none has an outcome that the contract "
            f"names; hold '{contract.outcome.column}' in a file against outcome.good, outcome.bad "
            "and outcome.open"
        )
    most = ", ".join(f"{rule} ({count:,})" for rule, count in [*broken.items()][:MOST_RULES])
    why = f"every line broke a rule of the contract: {most}" if lines else "the files have no lines"
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


def _numbers(read: Sequence[Summary]) -> list[int]:
    return [each.number for each in read]
