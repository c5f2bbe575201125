"""Tonight against what the model learnt from, and against last night -> drift, movements."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from credit_spark.contract.errors import DriftError, InputError, listed
from credit_spark.contract.tables import (
    DRIFT,
    METRICS,
    MOVEMENTS,
    PROFILES,
    RUNS,
    STATUSES,
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
from credit_spark.modelling.movement import WHOLE
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.measure import NIGHT, version_of
from credit_spark.pipeline.movements import Earlier, moved_since
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.runs import complete_nights

OF_ALL, OF_A_MONTH = ("auc", "approval_rate"), ("mean_pd", "observed_rate")
# The newest months are judged each by itself.
MOST_MONTHS = 24
Figures = Mapping[tuple[str, str], Mapping[str, Any]]


def monitor(night: RunContext, *, fail_on: Status | None = None) -> None:
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
    """What a model's figures should be."""
    facts, held_out = document.facts, document.held_out
    # Only what is fitted on a part of the loans, for a fold, has not been tested.
    assert held_out is not None
    return Expected(held_out.auc, facts.good, facts.bad, held_out.approval_rate)


def seen(night: RunContext, document: ModelDocument, earlier: Sequence[Earlier]) -> Seen:
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


def earlier_nights(night: RunContext) -> list[Earlier]:
    """The last nights before this one that were scored and are complete, in order."""
    if not night.tables.exists(RUNS):
        return []
    columns = ("as_of", "command", "status", "ended_at", "rows_accepted", "model_version")
    runs = night.tables.rows(RUNS, columns, pc.field("as_of") < night.as_of)
    known = complete_nights(sorted(runs, key=lambda run: run["ended_at"]))
    scored = [
        Earlier(as_of, run["rows_accepted"])
        for as_of, run in known.items()
        if run["rows_accepted"] and run["model_version"]
    ]
    return scored[-night.settings.monitor.nights :]


def told(found: Sequence[Drift], moves: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a person wants to know: the gravest first."""
    counts = {status: sum(each.status == status for each in found) for status in ("watch", "act")}
    gravest = sorted(found, key=lambda each: -STATUSES.index(each.status))
    changed = [sentence(each) for each in gravest if each.status != "stable"]
    whole = next((each for each in moves if each["part"] == WHOLE), None)
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
