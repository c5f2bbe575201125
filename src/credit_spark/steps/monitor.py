"""Tonight against what the model learnt from, and against last night -> drift, metrics."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from credit_spark.contract.errors import DriftError, InputError, listed
from credit_spark.contract.tables import DRIFT, METRICS, PROFILES, RUNS, loans
from credit_spark.evaluation.drift import (
    Bounds,
    Drift,
    Expected,
    Seen,
    Status,
    advice,
    drifts,
    worst,
)
from credit_spark.evaluation.figures import ALL, Figure
from credit_spark.evaluation.profiles import Bin, by_subject
from credit_spark.evaluation.vintages import OLD_ENOUGH
from credit_spark.modelling.document import ModelDocument
from credit_spark.modelling.movement import BEFORE, Moved, moved
from credit_spark.modelling.scoring import columns_read
from credit_spark.steps import Night
from credit_spark.steps.measure import NIGHT, version_of

MOVEMENT = "movement"
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
    found = drifts(seen(night, earlier), expected(document), bounds)
    rows = [{"model_version": document.version, **each._asdict()} for each in found]
    night.tables.write(DRIFT, rows, "true")
    changes = movement(night, document, earlier[-1].as_of) if earlier else []
    write_movement(night, document, changes)
    night.ledger.note("monitor", told(found, changes, earlier))
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


def seen(night: Night, earlier: Sequence[Earlier]) -> Seen:
    """Tonight's profile and figures.

    Raises:
        InputError: the night was not measured.
    """
    tonight = pc.field("as_of") == night.as_of
    bins = night.tables.rows(PROFILES, Bin._fields, tonight)
    if not bins:
        raise InputError(f"the night of {night.as_of} is not measured yet; run 'measure' for it")
    figures = {
        (row["segment"], row["metric"]): row["value"]
        for row in night.tables.rows(
            METRICS,
            ("segment", "metric", "value"),
            tonight
            & (pc.field("dataset") == NIGHT)
            & pc.field("metric").isin(["auc", "approval_rate"]),
        )
    }
    return Seen(
        by_subject(Bin.of(row) for row in bins),
        figures.get((OLD_ENOUGH, "auc")),
        figures.get((ALL, "approval_rate")),
        [each.accepted for each in earlier],
    )


def earlier_nights(night: Night) -> list[Earlier]:
    """The last nights before this one that are complete, in order; of each its last attempt."""
    if not night.tables.exists(RUNS):
        return []
    asked = (pc.field("as_of") < night.as_of) & (pc.field("status") == COMPLETE)
    columns = ("as_of", "ended_at", "rows_accepted", "model_version")
    runs = night.tables.rows(RUNS, columns, asked)
    last = {
        run["as_of"]: run["rows_accepted"]
        for run in sorted(runs, key=lambda run: run["ended_at"])
        if run["rows_accepted"]
    }
    kept = sorted(last)[-night.settings.monitor.nights :]
    return [Earlier(each, last[each]) for each in kept]


def movement(night: Night, document: ModelDocument, last: date) -> list[Moved]:
    """What moved the scores of loans that stood in the last night, too; nothing where none did."""
    before = night.tables.of_night(last)
    try:
        earlier_files = before.files(loans(night.contract), "clean")
        old = night.models.document(version_of(before, night.contract))
    except InputError:
        return []
    segments = night.contract.segments
    needed = sorted({*columns_read(old), *columns_read(document), *segments})
    table = loans(night.contract)
    tonight = night.tables.frame(table, night.tables.files(table, "clean"))
    then = night.tables.frame(table, earlier_files).select(
        "loan_id", *[F.col(name).alias(f"{BEFORE}{name}") for name in needed]
    )

    def added_up(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            parts = pl.DataFrame(moved(pl.DataFrame(batch), old, document, segments), orient="row")
            yield from parts.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()

    joined = tonight.select("loan_id", *needed).join(then, "loan_id").drop("loan_id")
    sums: dict[str, list[Moved]] = defaultdict(list)
    for row in joined.mapInArrow(added_up, MOVED).toArrow().to_pylist():
        sums[row["part"]].append(Moved(**row))
    return [
        Moved(
            part,
            sum(each.loans for each in own),
            sum(each.inputs for each in own),
            sum(each.model for each in own),
        )
        for part, own in sums.items()
    ]


def write_movement(night: Night, document: ModelDocument, changes: Sequence[Moved]) -> None:
    """Put the mean change of points of each part into `metrics`."""
    figures = [
        Figure(
            None, ALL, None, f"points_moved_by_{cause}", total / each.loans, each.loans, each.part
        )
        for each in changes
        for cause, total in (("inputs", each.inputs), ("model", each.model))
    ]
    about = {
        "model_version": document.version,
        "treatment": document.facts.treatment,
        "dataset": MOVEMENT,
    }
    rows = [{**about, **each._asdict()} for each in figures]
    night.tables.write(METRICS, rows, f"dataset = '{MOVEMENT}'")


def told(
    found: Sequence[Drift], changes: Sequence[Moved], earlier: Sequence[Earlier]
) -> Mapping[str, Any]:
    """What a person wants to know: the gravest first."""
    counts = {status: sum(each.status == status for each in found) for status in ("watch", "act")}
    changed = [sentence(each) for each in found if each.status != "stable"]
    whole = next((each for each in changes if each.part == ALL), None)
    since = None
    if whole and earlier:
        since = {
            "since": str(earlier[-1].as_of),
            "loans": whole.loans,
            "by_inputs": whole.inputs / whole.loans,
            "by_model": whole.model / whole.loans,
        }
    return {
        "status": worst(found), "figures": len(found), **counts, "changed": changed,
        **advice(found), "moved": since,
    }  # fmt: skip


def sentence(each: Drift) -> str:
    """A change in words."""
    seen_, held = (f"{value:,.4g}" for value in (each.value, each.reference))
    return (
        f"{each.status}: {each.measure.replace('_', ' ')} of {each.subject} is {seen_}, expected "
        f"{held}; by chance it would be off by {each.chance:.2g} at most"
    )
