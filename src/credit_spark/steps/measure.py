"""Scores -> score_counts, metrics."""

from collections.abc import Mapping, Sequence

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
    write_measured(night, document, {NIGHT: {None: cells}}, {NIGHT: measured})
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


def write_measured(
    night: Night,
    document: ModelDocument,
    cells: Mapping[str, Cells],
    measured: Mapping[str, Sequence[Figure]],
) -> None:
    """Replace tonight's rows of these data sets in `score_counts` and `metrics`.

    Fits with several treatments stand beside each other; a night is scored by one model.
    """
    about = {"model_version": document.version, "treatment": document.facts.treatment}
    count_rows = [
        {**about, "dataset": dataset, "fold": fold, **cell._asdict()}
        for dataset, folds in cells.items()
        for fold, each in folds.items()
        for cell in each
    ]
    metric_rows = [
        {**about, "dataset": dataset, "segment": "all", **figure._asdict()}
        for dataset, each in measured.items()
        for figure in each
    ]
    datasets = ", ".join(f"'{name}'" for name in cells)
    within = f"dataset in ({datasets})"
    if NIGHT not in cells:
        within += f" and treatment = '{document.facts.treatment}'"
    night.tables.write(SCORE_COUNTS, night.tables.frame(SCORE_COUNTS, count_rows), within)
    night.tables.write(METRICS, night.tables.frame(METRICS, metric_rows), within)
