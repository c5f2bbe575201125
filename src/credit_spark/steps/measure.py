"""Scores -> score_counts, metrics."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import functions as F

from credit_spark.contract.tables import METRICS, SCORE_COUNTS, scores
from credit_spark.evaluation.cells import Cell, counted
from credit_spark.evaluation.figures import Figure, figures, pooled
from credit_spark.modelling.document import ModelDocument
from credit_spark.steps import Night

NIGHT = "night"
ANY_BAD_AT = 0.5
Cells = Mapping[int | None, Sequence[Cell]]


def measure(night: Night) -> None:
    """Count tonight's scores, and compute every metric on those with a known outcome."""
    tonight = night.tables.tonight(scores(night.contract), "score")
    (version,) = tonight.select("model_version").take(1)[0]
    document = night.models.document(version)
    log_odds = F.log(F.col("pd") / (F.lit(1.0) - F.col("pd"))).alias("log_odds")
    rows = tonight.select(log_odds, "points", "outcome")
    cells = sorted(Cell(*row) for row in counted(rows).collect())
    measured = figures(cells, thresholds_of(document))
    tonights = Measured(document, {NIGHT: {None: cells}}, {NIGHT: measured})
    write_measured(night, [tonights], f"dataset = '{NIGHT}'")
    night.ledger.note(
        "measure",
        {
            "known_outcomes": sum(each.known for each in cells),
            **{name: pooled(measured, name) for name in ("ks", "auc", "mean_pd", "observed_rate")},
        },
    )


def thresholds_of(document: ModelDocument) -> list[float]:
    """PDs from which a loan is called bad: even odds, and the contract's own decisions."""
    decisions = document.score.decisions
    return sorted({ANY_BAD_AT, decisions.approve_below, decisions.decline_from})


class Measured(NamedTuple):
    """A model, with the cells and the figures of each data set that it was measured on."""

    document: ModelDocument
    cells: Mapping[str, Cells]
    figures: Mapping[str, Sequence[Figure]]

    @property
    def about(self) -> dict[str, str]:
        """What rows of both tables say of the model."""
        facts = self.document.facts
        return {"model_version": self.document.version, "treatment": facts.treatment}


def write_measured(night: Night, models: Sequence[Measured], within: str) -> None:
    """Replace tonight's rows `within` a condition in `score_counts` and `metrics`."""
    count_rows = [
        {**each.about, "dataset": dataset, "fold": fold, **cell._asdict()}
        for each in models
        for dataset, folds in each.cells.items()
        for fold, cells in folds.items()
        for cell in cells
    ]
    metric_rows = [
        {**each.about, "dataset": dataset, "segment": "all", **figure._asdict()}
        for each in models
        for dataset, figures_ in each.figures.items()
        for figure in figures_
    ]
    night.tables.write(SCORE_COUNTS, night.tables.frame(SCORE_COUNTS, count_rows), within)
    night.tables.write(METRICS, night.tables.frame(METRICS, metric_rows), within)
