"""Scores -> score_distribution, metrics, feature_distribution; and the challenger in shadow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract
from credit_spark.config.tables import DECISIONS, FEATURE_DISTRIBUTION, METRICS, loans, scores
from credit_spark.evaluation.curves import cutoff
from credit_spark.evaluation.figures import (
    APPROVED_BY,
    Figure,
    Swap,
    figures,
    pooled,
    reliability,
    swap_figures,
)
from credit_spark.evaluation.score_bins import ScoreBin, by_risk, collected, counted
from credit_spark.monitoring.baselines import bin_counts, named_bins, pairs
from credit_spark.monitoring.drift import ComparedBin, Distributions, by_subject
from credit_spark.monitoring.vintages import (
    collected_vintages,
    vintage_figures,
    with_vintage,
)
from credit_spark.pipeline.assessment import Measured, stage_measured, thresholds_of
from credit_spark.pipeline.context import RunContext
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.frames import scores_of
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import check_columns, columns_read
from credit_spark.storage.runs import newest_complete
from credit_spark.storage.tables import Tables
from credit_spark.training.diagnostics import correlations

if TYPE_CHECKING:
    from credit_spark.pipeline.score import Scored

BATCH, SHADOW = "batch", "shadow"
OF_A_BATCH = f"dataset in ('{BATCH}', '{SHADOW}')"
APPROVE = DECISIONS[0]
CHAMPIONS = "champions"
RANKING = ("ks", "auc", "mean_pd", "observed_rate")


class Measurements(NamedTuple):
    """What monitoring compares: loans by bin of each subject, and figures by segment and name."""

    distributions: Distributions
    figures: Mapping[tuple[str, str], Mapping[str, Any]]


def measure(run: RunContext, scored: "Scored | None" = None) -> Measurements:
    """Count the batch date's scores, and compute every metric on those with a known outcome.

    Outcomes of loans younger than the contract's `performance_months` count as not known. Where a
    challenger waits, it scores the same loans in the shadow: nothing but metrics comes of it.

    Args:
        run: The batch; what is measured is staged.
        scored: The loans with their scores, where the score step has just made them; else they
            are scored again by the model that made the date's scores.

    Raises:
        InputError: The date has no scores.
    """
    champion, policy = run.models.document(scored_by(run)), run.policy
    contract, frame = run.contract, scored.frame if scored else None
    if frame is None:
        policy = policy_of(run)
        frame = scored_again(run, champion, policy)
    by_age = with_vintage(frame, contract.observed_on, run.as_of, contract.performance_months)
    measured = _of_batch(champion, policy, by_age)
    challenger = challenger_of(run, champion)
    in_shadow = [_in_shadow(run, policy, by_age, challenger)] if challenger else []
    stage_measured(run, [measured, *in_shadow], OF_A_BATCH)
    paired = pairs(contract, champion.baselines)
    distribution = bin_counts(by_age, champion.baselines, paired)
    bins = [*named_bins(champion, paired, distribution)]
    run.tables.stage_rows(FEATURE_DISTRIBUTION, bins, "true")
    shown = {"old_enough": contract.performance_months, **_summary(measured, BATCH)}
    if in_shadow:
        shown["shadow"] = _summary(in_shadow[0], SHADOW)
    run.summary.note("measure", shown)
    return Measurements(
        by_subject(map(ComparedBin.of, bins)),
        {
            (each.segment, each.metric): each._asdict()
            for each in measured.figures[BATCH]
            if each.threshold is None
        },
    )


def measured_before(run: RunContext, document: ModelDocument) -> Measurements:
    """What an earlier command has measured of the batch date.

    Raises:
        InputError: The date was not measured.
    """
    own = f"as_of = date '{run.as_of}' and model_version = '{document.version}'"
    bins = run.tables.rows(FEATURE_DISTRIBUTION, ComparedBin._fields, own)
    if not bins:
        raise InputError(f"{run.as_of} is not measured yet; run 'measure' for it")
    columns = ("segment", "metric", "value", "rows")
    figures_ = run.tables.rows(
        METRICS, columns, f"{own} and dataset = '{BATCH}' and threshold is null"
    )
    return Measurements(
        by_subject(map(ComparedBin.of, bins)),
        {(row["segment"], row["metric"]): row for row in figures_},
    )


def scored_by(run: RunContext) -> str:
    """The model that made the batch date's scores, in this run or an earlier one.

    Raises:
        InputError: There are none.
    """
    known = run.summary.facts.get("model_version")
    return str(known) if known else version_of(run.tables, run.contract)


def version_of(tables: Tables, contract: Contract) -> str:
    """The model that made a batch date's scores.

    Raises:
        InputError: There are none.
    """
    row = tables.read(scores(contract), "score").select("model_version").first()
    assert row is not None
    return str(row["model_version"])


def policy_of(run: RunContext) -> Policy:
    """The policy by which the date's scores were made; the contract's where that is not known."""
    newest = newest_complete(run.tables, ["policy"], "policy is not null")
    return Policy.model_validate_json(newest["policy"]) if newest else run.policy


def scored_again(run: RunContext, document: ModelDocument, policy: Policy) -> DataFrame:
    """The batch date's loans, all columns, with their scores by a model."""
    check_columns(document, run.contract.kinds, policy, with_baselines=True)
    found = run.tables.read(loans(run.contract), "clean")
    return scores_of(found, document, policy, run.contract.kinds, found.columns)


def _of_batch(champion: ModelDocument, policy: Policy, by_age: DataFrame) -> Measured:
    """The champion's score bins and every figure of them, of vintages and of correlations."""
    measured = _measured(champion, policy, BATCH, collected(counted(by_age)))
    score_bins = measured.score_bins[BATCH][None]
    rows = sum(each.loans for each in score_bins)
    approved = cutoff(score_bins, policy.score.decisions.approve_below).share
    return measured._replace(
        figures={BATCH: [
            *measured.figures[BATCH],
            Figure("approval_rate", approved, rows),
            *vintage_figures(collected_vintages(by_age)),
            *_correlation_figures(correlations(by_age, rows, champion.baselines), rows),
        ]}
    )  # fmt: skip


def _correlation_figures(found: Iterable[tuple[str, str, float]], rows: int) -> Iterable[Figure]:
    for one, other, value in found:
        yield Figure("correlation", value, rows, f"features={one},{other}")


def _measured(
    document: ModelDocument, policy: Policy, dataset: str, score_bins: Sequence[ScoreBin]
) -> Measured:
    thresholds = sorted({document.balanced_even_odds, *thresholds_of(policy.score)})
    figures_ = [*figures(score_bins, thresholds), *reliability(score_bins)]
    imbalance = document.facts.imbalance
    return Measured(document.version, imbalance, {dataset: {None: score_bins}}, {dataset: figures_})


def challenger_of(run: RunContext, champion: ModelDocument) -> ModelDocument | None:
    """The challenger that scores in the shadow; None: there is none, or its inputs have changed."""
    found = run.models.shadow(run.as_of, champion.version)
    if found is None or found.changed_inputs(run.contract):
        return None
    return found if run.contract.columns.keys() >= {*columns_read(found)} else None


def _in_shadow(
    run: RunContext, policy: Policy, by_age: DataFrame, challenger: ModelDocument
) -> Measured:
    """The challenger on the loans that the champion has scored, and whom only one approves."""
    read = columns_read(challenger, policy)
    rows = by_age.select(*read, "outcome", F.col("decision").alias(CHAMPIONS))
    kept = ["outcome", CHAMPIONS]
    by_challenger = scores_of(rows, challenger, policy.without_loss, run.contract.kinds, kept)
    by_both = (CHAMPIONS, "decision")
    counts = counted(by_challenger, by_both).orderBy(*by_both, "score_bin", "points").collect()
    swaps = [Swap(row[0] == APPROVE, row[1] == APPROVE, ScoreBin(*row[2:])) for row in counts]
    measured = _measured(challenger, policy, SHADOW, by_risk(each.score_bin for each in swaps))
    with_swaps = [*measured.figures[SHADOW], *swap_figures(swaps)]
    return measured._replace(figures={SHADOW: with_swaps})


def _summary(measured: Measured, dataset: str) -> Mapping[str, Any]:
    """What the user is shown of a model's figures."""
    rows = measured.figures[dataset]
    return {
        "model_version": measured.model_version,
        "known_outcomes": sum(score_bin.known for score_bin in measured.score_bins[dataset][None]),
        **{name: pooled(rows, name) for name in RANKING},
        **{
            each.segment: {"loans": int(each.value or 0)}
            for each in rows
            if each.metric == "loans" and each.segment in APPROVED_BY.values()
        },
    }
