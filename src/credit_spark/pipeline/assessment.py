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

    @property
    def about(self) -> dict[str, str]:
        """What rows of both tables say of the model."""
        return {"model_version": self.model_version, "treatment": self.treatment}


class Assessment(NamedTuple):
    """A line through the log-odds, and what it makes of each data set: cells, then figures."""

    line: Recalibration
    cells: DataSets
    figures: Mapping[str, list[Figure]]


def assessed(raw: DataSets, plan: ScorePlan, offset: float = 0.0) -> Assessment:
    """Calibrate cells of log-odds, the held-out folds `cv` among them, and measure them.

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
    measured = {name: _measured(own, [even, *thresholds_of(plan)]) for name, own in cells.items()}
    for name, own in raw.items():
        as_treated = recalibrated(pooled_cells(own), Recalibration(intercept=offset), plan)
        measured[name] += before(as_treated)
        rows = sum(each.known for each in as_treated)
        measured[name].append(Figure(None, ALL, None, "treated_even_odds", even, rows))
    return Assessment(line, cells, measured)


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
    count_rows = [
        {**each.about, "dataset": dataset, "fold": fold, **cell._asdict()}
        for each in models
        for dataset, folds in each.cells.items()
        for fold, cells in folds.items()
        for cell in cells
    ]
    metric_rows = [
        {**each.about, "dataset": dataset, **figure._asdict()}
        for each in models
        for dataset, figures_ in each.figures.items()
        for figure in figures_
    ]
    run.tables.write(SCORE_COUNTS, count_rows, within)
    run.tables.write(METRICS, metric_rows, within)


def _measured(folds: Folds, thresholds: Sequence[float]) -> list[Figure]:
    together = pooled_cells(folds)
    if None in folds:
        return [*figures(together, thresholds), *reliability(together)]
    return [*fold_figures(folds, thresholds), *reliability(together)]
