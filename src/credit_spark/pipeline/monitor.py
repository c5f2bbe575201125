"""This batch date against the training data, and against the earlier date -> drift, movements."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from credit_spark.contract.errors import DriftError, listed
from credit_spark.contract.tables import (
    DRIFT,
    MOVEMENTS,
    RUNS,
    STATUSES,
)
from credit_spark.evaluation.drift import (
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
from credit_spark.evaluation.vintages import OF_A_VINTAGE, month_of, number_of
from credit_spark.modelling.movement import WHOLE
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.measure import Measurements, measured_before, scored_by
from credit_spark.pipeline.movements import Earlier, score_changes
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.runs import complete_dates

OF_A_MONTH = ("mean_pd", "observed_rate")
# Each of the newest months is a figure of its own.
MOST_MONTHS = 24
Figures = Mapping[tuple[str, str], Mapping[str, Any]]


def monitor(
    run: RunContext, measured: Measurements | None = None, *, fail_on: Status | None = None
) -> None:
    """Compare the batch date with the loans that the model was trained on, and report changes.

    What moved the scores since the earlier batch date is reported, too, where both dates have
    loans in common.

    Args:
        run: The batch; what is found is staged.
        measured: What this run has measured; else what an earlier command of the date has.
        fail_on: A figure of that status or a graver one ends the command with exit code 12; all
            tables of the date are published then.

    Raises:
        InputError: The date was not measured.
        DriftError: A figure asks for action, by `fail_on`.
    """
    document = run.models.document(scored_by(run))
    seen = measured or measured_before(run, document)
    earlier = earlier_batches(run)
    found = drifts(observed(seen, document, earlier), expected(document), run.settings.monitor)
    rows = [{"model_version": document.version, **each._asdict()} for each in found]
    run.tables.write(DRIFT, rows, "true")
    changes = score_changes(run, document, earlier[-1]) if earlier else []
    run.tables.write(MOVEMENTS, changes, "true")
    run.ledger.note("monitor", summary(found, changes))
    if fail_on and worst(found) in ("act", fail_on):
        gravest = [sentence(each) for each in found if each.status in ("act", fail_on)]
        headline = "the run is complete, and monitored figures have changed"
        raise DriftError(listed(headline, gravest))


def expected(document: ModelDocument) -> Expected:
    """What a model's figures should be."""
    facts, held_out = document.facts, document.held_out
    # Only what is fitted on a part of the loans, for a fold, has not been tested.
    assert held_out is not None
    return Expected(held_out.auc, facts.good, facts.bad, held_out.approval_rate)


def observed(measured: Measurements, document: ModelDocument, earlier: Sequence[Earlier]) -> Seen:
    """The profile and the figures of the batch date."""
    figures = measured.figures
    return Seen(
        measured.profiles,
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


def earlier_batches(run: RunContext) -> list[Earlier]:
    """The last batch dates before this one that were scored and are complete, in order."""
    if not run.tables.exists(RUNS):
        return []
    columns = ("as_of", "command", "status", "ended_at", "rows_accepted", "model_version")
    ended = f"as_of < date '{run.as_of}' and ended_at is not null"
    runs = run.tables.rows(RUNS, columns, ended)
    known = complete_dates(sorted(runs, key=lambda each: each["ended_at"]))
    scored = [
        Earlier(as_of, each["rows_accepted"])
        for as_of, each in known.items()
        if each["rows_accepted"] and each["model_version"]
    ]
    return scored[-run.settings.monitor.nights :]


def summary(found: Sequence[Drift], changes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the user is shown: the gravest first."""
    counts = {status: sum(each.status == status for each in found) for status in ("watch", "act")}
    gravest = sorted(found, key=lambda each: -STATUSES.index(each.status))
    changed = [sentence(each) for each in gravest if each.status != "stable"]
    whole = next((each for each in changes if each["part"] == WHOLE), None)
    since = {"since": str(whole["since"])} if whole else {}
    moved = {name: whole[name] for name in ("loans", "by_inputs", "by_model")} if whole else {}
    return {
        "status": worst(found), "figures": len(found), **counts, "changed": changed,
        **advice(found)._asdict(), "moved": {**since, **moved} or None,
    }  # fmt: skip


def sentence(each: Drift) -> str:
    """A change in words."""
    value, reference = (f"{value:,.4g}" for value in (each.value, each.reference))
    return (
        f"{each.status}: {each.measure.replace('_', ' ')} of {each.subject} is {value}, expected "
        f"{reference}; by chance it would be off by {each.chance:.2g} at most"
    )
