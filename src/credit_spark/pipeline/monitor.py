"""The batch compared with the training data and the previous batch -> drift, score_changes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import DriftError, InputError, listed
from credit_spark.config.tables import (
    DRIFT,
    RUNS,
    SCORE_CHANGES,
    SCORE_DISTRIBUTION,
    STATUSES,
    loans,
)
from credit_spark.evaluation.curves import cutoff
from credit_spark.evaluation.figures import ALL
from credit_spark.evaluation.score_bins import ScoreBin, by_risk
from credit_spark.monitoring.drift import (
    BatchFigures,
    Drift,
    ExpectedFigures,
    Outcomes,
    Status,
    advice,
    drifts,
    worst,
)
from credit_spark.monitoring.score_changes import WHOLE, ModelPair, moved
from credit_spark.monitoring.vintages import OF_A_VINTAGE, month_of, newest_mature, number_of
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.measure import (
    Measurements,
    measured_before,
    policy_of,
    scored_by,
    version_of,
)
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.policy import Policy, scale_of
from credit_spark.scoring.sql import check_columns
from credit_spark.storage.runs import complete_dates
from credit_spark.storage.tables import Tables
from credit_spark.training.splits import sample_by_id

# Each of the newest months is a figure of its own.
MAX_MONTHS = 24
# Of more loans, a sample by a hash of their ids represents all.
MAX_COMPARED = 500_000
# Spark's error condition.
LOST_FILE = "FILE_NOT_EXIST"
Figures = Mapping[tuple[str, str], Mapping[str, Any]]


class Earlier(NamedTuple):
    """A batch date before this one, and how many loans it accepted."""

    as_of: date
    accepted: int


def monitor(
    run: RunContext, measured: Measurements | None = None, *, fail_on: Status | None = None
) -> None:
    """Compare the batch with the training data and with the previous batch, and report changes.

    Args:
        run: The batch; what is found is staged.
        measured: What this run has measured; else what an earlier command of the date has.
        fail_on: A figure of that status or a graver one ends the command with exit code 12; all
            tables of the date are published then.

    Raises:
        InputError: The date was not measured.
        DriftError: a figure has the status of `fail_on`, or a worse one.
    """
    document = run.models.document(scored_by(run))
    seen = measured or measured_before(run, document)
    earlier = earlier_batches(run)
    facts, held_out = document.facts, document.held_out
    months = run.contract.performance_months
    # Only what is fitted on a part of the loans, for a fold, has not been tested.
    assert held_out is not None
    approved = approval_rate_of(run, document, run.policy if measured else policy_of(run))
    expected = ExpectedFigures(held_out.auc, facts.good, facts.bad, approved)
    found = drifts(observed(seen, document, earlier, months), expected, run.settings.monitor)
    rows = [{"model_version": document.version, **each._asdict()} for each in found]
    run.tables.stage_rows(DRIFT, rows, "true")
    changes = score_changes(run, document, earlier[-1]) if earlier else []
    run.tables.stage_rows(SCORE_CHANGES, changes, "true")
    run.summary.note("monitor", summary(found, changes))
    if fail_on and worst(found) in ("act", fail_on):
        gravest = [sentence(each) for each in found if each.status in ("act", fail_on)]
        headline = "the run is complete, and monitored figures have changed"
        raise DriftError(listed(headline, gravest))


def approval_rate_of(run: RunContext, document: ModelDocument, policy: Policy) -> float | None:
    """The share of the training loans that a policy approves; None: no longer known."""
    fitted_as_of = document.facts.as_of
    is_own = fitted_as_of == run.as_of
    tables = run.tables if is_own else run.tables.of_date(fitted_as_of)
    try:
        rows = tables.read(SCORE_DISTRIBUTION, "train")
    except InputError:
        return None
    own = rows.where((F.col("model_version") == document.version) & (F.col("dataset") == "train"))
    score_bins = by_risk(ScoreBin(*row) for row in own.select(*ScoreBin._fields).collect())
    return cutoff(score_bins, policy.score.decisions.approve_below).share if score_bins else None


def observed(
    measured: Measurements, document: ModelDocument, earlier: Sequence[Earlier], months: int
) -> BatchFigures:
    """The profile and the figures of the batch date."""
    figures = measured.figures
    return BatchFigures(
        measured.distributions,
        figures.get((ALL, "auc"), {}).get("value"),
        figures.get((ALL, "approval_rate"), {}).get("value"),
        [each.accepted for each in earlier],
        [*fresh(figures, document, months)],
    )


def fresh(figures: Figures, document: ModelDocument, months: int) -> Iterator[Outcomes]:
    """Mature loans of each of the last months that the model was not trained on.

    It was trained on no loan that was younger than its `performance_months` then; where they are
    not known, than `months`.
    """
    facts = document.facts
    if facts.performance_months is not None:
        months = facts.performance_months
    # Of the month that it ends in, a model may have been trained on a part.
    until = facts.out_of_time_from
    end = number_of(newest_mature(facts.as_of, months))
    last = min(end, number_of(until) - (until.day == 1)) if until else end
    validated = sorted(
        segment.removeprefix(OF_A_VINTAGE)
        for segment, metric in figures
        if metric == "mean_pd" and segment.startswith(OF_A_VINTAGE)
    )
    for month in [each for each in validated if each > month_of(last)][-MAX_MONTHS:]:
        of = f"{OF_A_VINTAGE}{month}"
        pd, bad = (figures[of, name] for name in ("mean_pd", "observed_rate"))
        if known := pd["rows"]:
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
    return scored[-run.settings.monitor.volume_history :]


def score_changes(
    run: RunContext, document: ModelDocument, last: Earlier
) -> list[Mapping[str, Any]]:
    """What moved the scores of loans that both dates have, as rows of the table.

    None where the earlier date's rows or its model are gone, where it has lost a file, or where the
    contract lacks a column that one of the models reads.
    """
    before, now = run.tables.of_date(last.as_of), _compared(run, run.tables, last)
    segments = [each for each in document.baselines if each.role == "segment"]
    try:
        earlier = _compared(run, before, last)
        old = run.models.document(version_of(before, run.contract))
        check_columns(old, run.contract.kinds)
        check_columns(document, run.contract.kinds, with_baselines=True)
        models = ModelPair(old, document, run.contract.kinds, scale_of(run.policy.score))
        found = list(moved(earlier, now, models, segments))
    except InputError:
        return []
    except (PySparkException, Py4JJavaError) as error:
        if LOST_FILE not in str(error):
            raise
        run.log.event("earlier date not read", error=type(error).__name__)
        run.log.trace(error)
        return []
    versions = {"model_version": document.version, "previous_model_version": old.version}
    return [
        {
            **versions,
            "previous_as_of": last.as_of,
            "part": each.part,
            "loans": each.loans,
            "by_inputs": each.inputs / each.loans,
            "by_model": each.model / each.loans,
        }
        for each in found
    ]


def _compared(run: RunContext, tables: Tables, last: Earlier) -> DataFrame:
    """The loans of a date that are compared: the same sample of ids on both."""
    columns = ("loan_id", *run.contract.columns)
    found = tables.read(loans(run.contract), "clean").select(*columns)
    return sample_by_id(found, last.accepted, MAX_COMPARED)


def summary(found: Sequence[Drift], changes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the user is shown: the gravest first."""
    counts = {status: sum(each.status == status for each in found) for status in ("watch", "act")}
    gravest = sorted(found, key=lambda each: -STATUSES.index(each.status))
    changed = [sentence(each) for each in gravest if each.status != "stable"]
    whole = next((each for each in changes if each["part"] == WHOLE), None)
    since = {"previous_as_of": str(whole["previous_as_of"])} if whole else {}
    moved = {name: whole[name] for name in ("loans", "by_inputs", "by_model")} if whole else {}
    return {
        "status": worst(found), "figures": len(found), **counts, "changed": changed,
        **advice(found)._asdict(), "moved": {**since, **moved} or None,
    }  # fmt: skip


def sentence(each: Drift) -> str:
    """A change in words."""
    value, baseline = (f"{value:,.4g}" for value in (each.value, each.baseline))
    return (
        f"{each.status}: {each.measure.replace('_', ' ')} of {each.subject} is {value} (baseline "
        f"{baseline}, critical distance {each.critical_value:.2g})"
    )
