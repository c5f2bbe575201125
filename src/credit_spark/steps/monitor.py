"""Tonight against what the model learnt from, and against last night -> drift, movements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.errors import DriftError, InputError, listed
from credit_spark.contract.tables import (
    DRIFT,
    METRICS,
    MOVEMENTS,
    PROFILES,
    RUNS,
    STATUSES,
    WRITING,
    loans,
)
from credit_spark.evaluation.drift import (
    Bounds,
    Drift,
    Expected,
    Outcomes,
    Seen,
    Status,
    advice,
    drifts,
    worst,
)
from credit_spark.evaluation.figures import ALL
from credit_spark.evaluation.profiles import Bin, by_subject
from credit_spark.evaluation.vintages import OF_A_VINTAGE, month_of, number_of
from credit_spark.modelling.document import ModelDocument
from credit_spark.modelling.movement import BEFORE, Moved, moved, together
from credit_spark.modelling.scoring import columns_read
from credit_spark.modelling.watching import columns_watched
from credit_spark.steps import Night
from credit_spark.steps.measure import NIGHT, version_of

OF_ALL, OF_A_MONTH = ("auc", "approval_rate"), ("mean_pd", "observed_rate")
# Of more loans, a part by a hash of their ids tells what moved their points.
MOST_MOVED = 500_000
# The newest months are judged each by itself.
MOST_MONTHS = 24
Figures = Mapping[tuple[str, str], Mapping[str, Any]]
MOVED = "part string, loans bigint, inputs double, model double"
COMPLETE = "complete"


class Earlier(NamedTuple):
    """A night before this one, and how many loans it accepted."""

    as_of: date
    accepted: int


def monitor(night: Night, *, fail_on: Status | None = None) -> None:
    """Hold tonight against the loans that the model learnt from, and say what has changed.

    What moved the scores since the last night is told, too, where both nights have loans in
    common. With `fail_on`, a change of that status or a graver one ends the command with exit code
    11; all tables of the night are complete then.
    """
    document = night.models.document(version_of(night.tables, night.contract))
    earlier = earlier_nights(night)
    bounds = Bounds(**night.settings.monitor.model_dump(exclude={"nights"}))
    found = drifts(seen(night, document, earlier), expected(document), bounds)
    rows = [{"model_version": document.version, **each._asdict()} for each in found]
    night.tables.write(DRIFT, rows, "true")
    moves = moved_since(night, document, earlier[-1]) if earlier else []
    night.tables.write(MOVEMENTS, moves, "true")
    night.ledger.note("monitor", told(found, moves))
    if fail_on and worst(found) in ("act", fail_on):
        gravest = [sentence(each) for each in found if each.status in ("act", fail_on)]
        headline = "the night is complete, and what it shows has changed"
        raise DriftError(listed(headline, gravest))


def expected(document: ModelDocument) -> Expected:
    """What a model's figures should be; nothing of a model that does not tell."""
    facts, held_out = document.facts, document.held_out
    if held_out is None:
        return Expected(None, facts.good, facts.bad, None)
    return Expected(held_out.auc, facts.good, facts.bad, held_out.approval_rate)


def seen(night: Night, document: ModelDocument, earlier: Sequence[Earlier]) -> Seen:
    """Tonight's profile and figures.

    Raises:
        InputError: the night was not measured.
    """
    tonight = pc.field("as_of") == night.as_of
    own = tonight & (pc.field("model_version") == document.version)
    bins = night.tables.rows(PROFILES, Bin._fields, own)
    if not bins:
        raise InputError(f"the night of {night.as_of} is not measured yet; run 'measure' for it")
    figures = {
        (row["segment"], row["metric"]): row
        for row in night.tables.rows(
            METRICS,
            ("segment", "metric", "value", "rows"),
            own
            & (pc.field("dataset") == NIGHT)
            & pc.field("threshold").is_null()
            & pc.field("metric").isin([*OF_ALL, *OF_A_MONTH]),
        )
    }
    return Seen(
        by_subject(Bin.of(row) for row in bins),
        figures.get((ALL, "auc"), {}).get("value"),
        figures.get((ALL, "approval_rate"), {}).get("value"),
        [each.accepted for each in earlier],
        [*fresh(figures, document)],
    )


def fresh(figures: Figures, document: ModelDocument) -> Iterator[Outcomes]:
    """Loans to judge by of each of the last months that the model has not learnt from."""
    facts = document.facts
    # Of the month that it ends in, a model may have learnt from a part.
    until = facts.out_of_time_from
    last = number_of(until) - (until.day == 1) if until else number_of(facts.as_of)
    months = sorted(
        segment.removeprefix(OF_A_VINTAGE)
        for segment, metric in figures
        if metric == "mean_pd" and segment.startswith(OF_A_VINTAGE)
    )
    for month in [each for each in months if each > month_of(last)][-MOST_MONTHS:]:
        pd, bad = (figures[f"{OF_A_VINTAGE}{month}", name] for name in OF_A_MONTH)
        if known := pd["rows"]:
            of = f"{OF_A_VINTAGE}{month}"
            yield Outcomes(of, known, round(bad["value"] * known), pd["value"] * known)


def earlier_nights(night: Night) -> list[Earlier]:
    """The last nights before this one that are complete, in order; of each its last attempt."""
    if not night.tables.exists(RUNS):
        return []
    asked = (pc.field("as_of") < night.as_of) & (pc.field("status") == COMPLETE)
    columns = ("as_of", "command", "ended_at", "rows_accepted", "model_version")
    # A night's steps may have been taken one by one: what is known of it, they know together.
    known: dict[date, dict[str, Any]] = {}
    for run in sorted(night.tables.rows(RUNS, columns, asked), key=lambda run: run["ended_at"]):
        if run["command"] in WRITING:
            told_ = {name: value for name, value in run.items() if value is not None}
            known.setdefault(run["as_of"], {}).update(told_)
    scored = {
        as_of: facts["rows_accepted"]
        for as_of, facts in sorted(known.items())
        if facts.get("rows_accepted") and facts.get("model_version")
    }
    return [Earlier(*each) for each in scored.items()][-night.settings.monitor.nights :]


def moved_since(night: Night, document: ModelDocument, last: Earlier) -> list[Mapping[str, Any]]:
    """What moved the scores, as rows of the table; none where the last night can't be read now."""
    try:
        return [*movement(night, document, last)]
    except (PySparkException, Py4JJavaError, OSError) as error:
        night.log.event("last night not read", error=type(error).__name__)
        night.log.trace(error)
        return []


def movement(night: Night, document: ModelDocument, last: Earlier) -> Iterator[Mapping[str, Any]]:
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
        parts = [part for block in blocks for part in moved(block, old, document, segments)]
        if parts:
            sums = pl.DataFrame(together(parts), orient="row")
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
    night: Night, earlier_files: Sequence[str], needed: Sequence[str], parts: int
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


def told(found: Sequence[Drift], moves: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a person wants to know: the gravest first."""
    counts = {status: sum(each.status == status for each in found) for status in ("watch", "act")}
    gravest = sorted(found, key=lambda each: -STATUSES.index(each.status))
    changed = [sentence(each) for each in gravest if each.status != "stable"]
    whole = next((each for each in moves if each["part"] == ALL), None)
    since = {"since": str(whole["since"])} if whole else {}
    moved_ = {name: whole[name] for name in ("loans", "by_inputs", "by_model")} if whole else {}
    return {
        "status": worst(found), "figures": len(found), **counts, "changed": changed,
        **advice(found)._asdict(), "moved": {**since, **moved_} or None,
    }  # fmt: skip


def sentence(each: Drift) -> str:
    """A change in words."""
    seen_, held = (f"{value:,.4g}" for value in (each.value, each.reference))
    return (
        f"{each.status}: {each.measure.replace('_', ' ')} of {each.subject} is {seen_}, expected "
        f"{held}; by chance it would be off by {each.chance:.2g} at most"
    )
