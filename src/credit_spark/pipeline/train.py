"""Loans -> fitted models that were tested on loans they have not seen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from credit_spark.config.loading import contract_hash
from credit_spark.config.models import Decisions, ImbalanceStrategy
from credit_spark.config.tables import METRICS
from credit_spark.evaluation.classification import counted_calls, printed
from credit_spark.evaluation.figures import Figure, pooled
from credit_spark.evaluation.metrics import ks_threshold
from credit_spark.pipeline.assessment import (
    ANY_BAD_AT,
    CV,
    Measured,
    pooled_score_bins,
    stage_measured,
)
from credit_spark.pipeline.benchmarks import BENCHMARKS, Benchmark, benchmarked, check_benchmarks
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.fitting import Candidate, chosen_penalty, fitted_candidates
from credit_spark.pipeline.training_data import TrainingData, read_training_data
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.scorecard import at_bound
from credit_spark.storage.models import Gate

PENALTIES = "penalties"
# In place of a list of names in SQL: no model has it.
NO_VERSION = "''"
# What a training measures; the other data sets are a batch's.
TRAINED = (CV, "train", "out_of_time", "random_split", "validation", PENALTIES)
SHOWN = {
    CV: (
        "ks_mean", "ks_sd", "auc_mean", "auc_sd", "mean_pd_over_observed", "calibration_slope",
        "ece", "ece_before",
    ),
    "out_of_time": ("ks", "auc", "mean_pd_over_observed", "calibration_slope", "ece", "ece_before"),
    **dict.fromkeys(("random_split", "train", "validation"), ("ks", "auc")),
}  # fmt: skip


def train(
    run: RunContext,
    strategies: Sequence[ImbalanceStrategy] = (),
    benchmarks: Sequence[Benchmark] = (),
    *,
    random_split: bool = False,
    report: bool = False,
) -> ModelDocument:
    """Fit models on the date's mature loans, and test them on folds and out of time.

    The first imbalance strategy's document is returned.

    Args:
        run: The run, which publishes what is fitted.
        strategies: Imbalance strategies, each fitted on the same features and folds; the
            contract's where none is named.
        benchmarks: Models that can't become champion, to show what is left on the table.
        random_split: Test on a random quarter, too.
        report: Add the imbalanced classification reports of the held-out folds to the summary.
    """
    data = read_training_data(run)
    plan = run.contract.model
    # Beside a binned model always the linear one.
    always: list[Benchmark] = ["linear"] if plan.form == "binned" else []
    benchmarks = list(dict.fromkeys([*benchmarks, *always]))
    check_benchmarks(run, data, benchmarks)
    penalty, of_penalties = chosen_penalty(run, data)
    variants = [(each, penalty) for each in strategies or [plan.imbalance]]
    candidates = fitted_candidates(run, data, variants, random_split=random_split)
    others = [benchmarked(run, data, each) for each in benchmarks]
    _stage(run, data, of_penalties, [each.measured for each in candidates], others)
    summaries = []
    for each in candidates:
        gates = gates_of(run, each.measured.figures)
        run.models.save(each.document, gates)
        path = f"{run.tables.folder}/pipelines/{each.document.version}"
        each.pipeline().write().overwrite().save(path)
        more = {"reports": reports(each, run.contract.score.decisions)} if report else {}
        summaries.append({**summary(run, data, each, gates), **more})
    first = candidates[0].document
    run.summary.facts["model_version"] = first.version
    shown = [{"name": each.model_version, **_shown(each)} for each in others]
    run.summary.note("train", {**summaries[0], "strategies": summaries, "benchmarks": shown})
    return first


def gates_of(run: RunContext, measured: Mapping[str, Sequence[Figure]]) -> list[Gate]:
    """The fit against its gates: out of time where there is such a test, else in the folds.

    A slope may lie beyond its bounds by twice its standard error, as it will on a few loans.
    """
    dataset = "out_of_time" if "out_of_time" in measured else CV
    plan = run.contract.model.gates
    low, high = plan.calibration_slope
    chance = 2 * (pooled(measured[dataset], "calibration_slope_error") or 0.0)
    bounds = {
        "mean_pd_over_observed": plan.mean_pd_over_observed,
        "calibration_slope": (low - chance, high + chance),
        "auc": plan.auc,
    }
    return [
        Gate(f"{dataset}.{name}", *pair, pooled(measured[dataset], name))
        for name, pair in bounds.items()
    ]


def summary(
    run: RunContext, data: TrainingData, candidate: Candidate, gates: Sequence[Gate]
) -> dict[str, Any]:
    """What the user is shown of a fit."""
    document = candidate.document
    shown = {"imbalance", "rows", "bad", "regularisation", "elastic_net"}
    return {
        "model_version": document.version,
        **document.facts.model_dump(include=shown),
        "immature": data.immature,
        "left_out": [each.name for each in document.left_out],
        **_shown(candidate.measured),
        "failed_gates": [str(each) for each in gates if not each.is_passed],
        "remarks": [*data.remarks, *at_bound(document, run.contract)],
    }


def reports(candidate: Candidate, decisions: Decisions) -> list[dict[str, str]]:
    """The imbalanced classification report of the held-out folds, at each threshold of PD."""
    score_bins, document = pooled_score_bins(candidate.measured.score_bins[CV]), candidate.document

    thresholds = {
        "even odds": ANY_BAD_AT,
        "even odds before calibration": document.balanced_even_odds,
        "the widest gap of good and bad (KS)": ks_threshold(score_bins),
        "approve_below": decisions.approve_below,
        "decline_from": decisions.decline_from,
    }
    return [
        {
            "threshold": f"called bad from a PD of {at:.4f} on: {why}",
            "report": printed(score_bins, at),
            "confusion": counted_calls(score_bins, at),
        }
        for why, at in thresholds.items()
        if at is not None
    ]


def _stage(
    run: RunContext,
    data: TrainingData,
    of_penalties: Sequence[Figure],
    candidates: Sequence[Measured],
    others: Sequence[Measured],
) -> None:
    """Stage the figures of all fits and benchmarks, with those of penalties and collinearity."""
    first, *rest = candidates
    inflations = [
        Figure("variance_inflation", value, data.training.classes.rows, f"feature={name}")
        for name, value in data.inflations.items()
    ]
    train = [*first.figures["train"], *inflations]
    first = first._replace(figures={**first.figures, PENALTIES: of_penalties, "train": train})
    stage_measured(run, [first, *rest, *others], _replaced(run, data, candidates, others))


def _replaced(
    run: RunContext,
    data: TrainingData,
    candidates: Sequence[Measured],
    others: Sequence[Measured],
) -> str:
    """The rows of the date's trainings that new figures replace, in Spark SQL.

    They are those of the same strategies and benchmarks, and of all where fits are of another
    contract or of other training loans. What any other fit scored of its training loans stays:
    monitoring compares batches with it where it is champion, or becomes it.
    """
    strategies = _quoted(each.imbalance for each in candidates)
    made = _quoted(each.model_version for each in others) or NO_VERSION
    fitted_now = (
        f"(imbalance in ({strategies}) and model_version not in ({_quoted(BENCHMARKS)})) "
        f"or model_version in ({made})"
    )
    replaced = "true" if has_other_fits(run, data) else fitted_now
    kept = run.models.versions() - {each.model_version for each in candidates}
    of_others = f"(dataset = 'train' and model_version in ({_quoted(kept) or NO_VERSION}))"
    return f"dataset in {TRAINED} and ({replaced}) and not {of_others}"


def has_other_fits(run: RunContext, data: TrainingData) -> bool:
    """Whether figures of the date's trainings are by another contract, or of other training loans.

    They cannot be compared with those that are made now.
    """
    if not run.tables.exists(METRICS):
        return False
    of_folds = f"as_of = date '{run.as_of}' and dataset = '{CV}'"
    rows = run.tables.rows(METRICS, ["model_version"], of_folds)
    measured = {row["model_version"] for row in rows} - {*BENCHMARKS}
    same = run.models.fitted_on(data.baselines, contract_hash(run.contract), run.as_of)
    return not measured <= same


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def _shown(measured: Measured) -> dict[str, dict[str, float | None]]:
    return {
        dataset: {name: pooled(measured.figures[dataset], name) for name in names}
        | {"accuracy": pooled(measured.figures[dataset], "accuracy", ANY_BAD_AT)}
        for dataset, names in SHOWN.items()
        if dataset in measured.figures
    }
