"""A model's results on each data set: its calibrated cells, and every figure of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from credit_spark.contract.models import ScorePlan
from credit_spark.contract.tables import METRICS, SCORE_COUNTS
from credit_spark.evaluation.cells import Cell, Folds, by_risk
from credit_spark.evaluation.figures import ALL, Figure, before, figures, fold_figures, reliability
from credit_spark.modelling.calibration import cross_fitted, recalibrated, recalibration
from credit_spark.pipeline.context import RunContext
from credit_spark.scoring.document import Recalibration

CV = "cv"
ANY_BAD_AT = 0.5
DataSets = Mapping[str, Folds]


class Measured(NamedTuple):
    """A model, with the cells and the figures of each data set that it was measured on."""

    model_version: str
    treatment: str
    cells: DataSets
    figures: Mapping[str, Sequence[Figure]]


def assessed(
    raw: DataSets, plan: ScorePlan, offset: float = 0.0
) -> tuple[Recalibration, DataSets, Mapping[str, list[Figure]]]:
    """Calibrate cells of log-odds, the held-out folds `cv` among them, and measure them.

    In come the cells of each data set; out go the line of calibration, the calibrated cells, and
    their figures.

    Each fold is moved by a line that was fitted on the others, every other data set by a line that
    was fitted on all folds. `offset` is what a treatment had added to the log-odds: figures from
    before calibration have it back, and the PD that then had even odds, from which a notebook
    would call loans bad, is a threshold, too.
    """
    line = recalibration(pooled_cells(raw[CV]))
    cells: dict[str, Folds] = {CV: cross_fitted(raw[CV], plan)}
    for name, own in raw.items():
        if name != CV:
            cells[name] = {None: recalibrated(pooled_cells(own), line, plan)}
    even = line.pd(-offset)
    thresholds = [even, *thresholds_of(plan)]
    measured = {}
    for name, folds in cells.items():
        together = pooled_cells(folds)
        as_treated = recalibrated(pooled_cells(raw[name]), Recalibration(intercept=offset), plan)
        rows = sum(each.known for each in as_treated)
        measured[name] = [
            *(figures(together, thresholds) if None in folds else fold_figures(folds, thresholds)),
            *reliability(together),
            *before(as_treated),
            Figure(None, ALL, None, "treated_even_odds", even, rows),
        ]
    return line, cells, measured


def thresholds_of(plan: ScorePlan) -> list[float]:
    """PDs from which a loan is called bad: even odds, and the contract's own decisions."""
    decisions = plan.decisions
    return sorted({ANY_BAD_AT, decisions.approve_below, decisions.decline_from})


def approval_rate(cells: Sequence[Cell], plan: ScorePlan) -> float:
    """The share of loans that are approved by their PD, whatever a hard rule says; one at least."""
    loans = [each.known + each.open for each in cells]
    below = plan.decisions.approve_below
    approved = (count for each, count in zip(cells, loans, strict=True) if each.pd < below)
    return sum(approved) / sum(loans)


def pooled_cells(folds: Folds) -> list[Cell]:
    """The cells of all folds, one a score."""
    return by_risk(cell for cells in folds.values() for cell in cells)


def write_measured(run: RunContext, models: Sequence[Measured], within: str) -> None:
    """Replace the date's rows `within` a condition in `score_counts` and `metrics`."""
    count_rows, metric_rows = [], []
    for model in models:
        about = {"model_version": model.model_version, "treatment": model.treatment}
        count_rows += [
            {**about, "dataset": dataset, "fold": fold, **cell._asdict()}
            for dataset, folds in model.cells.items()
            for fold, cells in folds.items()
            for cell in cells
        ]
        metric_rows += [
            {**about, "dataset": dataset, **figure._asdict()}
            for dataset, figures_ in model.figures.items()
            for figure in figures_
        ]
    run.tables.write(SCORE_COUNTS, count_rows, within)
    run.tables.write(METRICS, metric_rows, within)
