"""Scores -> score_counts, metrics; and the challenger in the shadow of the champion."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pyspark.sql import functions as F

from credit_spark.contract.tables import DECISIONS, METRICS, SCORE_COUNTS, loans, scores
from credit_spark.evaluation.cells import Cell, Folds, by_risk, counted
from credit_spark.evaluation.figures import Figure, figures, pooled, reliability
from credit_spark.evaluation.swaps import Swap, swap_figures
from credit_spark.modelling.document import ModelDocument
from credit_spark.modelling.scoring import scored
from credit_spark.steps import Night

NIGHT, SHADOW = "night", "shadow"
OF_A_NIGHT = f"dataset in ('{NIGHT}', '{SHADOW}')"
ANY_BAD_AT = 0.5
APPROVE = DECISIONS[0]
RANKING = ("ks", "auc", "mean_pd", "observed_rate")


class Measured(NamedTuple):
    """A model, with the cells and the figures of each data set that it was measured on."""

    model_version: str
    treatment: str
    cells: Mapping[str, Folds]
    figures: Mapping[str, Sequence[Figure]]

    @property
    def about(self) -> dict[str, str]:
        """What rows of both tables say of the model."""
        return {"model_version": self.model_version, "treatment": self.treatment}


def measure(night: Night) -> None:
    """Count tonight's scores, and compute every metric on those with a known outcome.

    Where a challenger waits, it scores the same loans in the shadow: nothing but metrics comes
    of it.
    """
    tonight = night.tables.tonight(scores(night.contract), "score")
    (version,) = tonight.select("model_version").take(1)[0]
    champion = night.models.document(version)
    log_odds = F.log(F.col("pd") / (F.lit(1.0) - F.col("pd"))).alias("log_odds")
    rows = tonight.select(log_odds, "points", "outcome")
    cells = sorted(Cell(*row) for row in counted(rows).collect())
    measured = _measured(champion, NIGHT, cells)
    challenger = night.models.shadow(night.as_of, version)
    in_shadow = [_in_shadow(night, champion, challenger)] if challenger else []
    write_measured(night, [measured, *in_shadow], OF_A_NIGHT)
    told = _told(measured, NIGHT)
    if in_shadow:
        told["shadow"] = _told(in_shadow[0], SHADOW)
    night.ledger.note("measure", told)


def thresholds_of(document: ModelDocument) -> list[float]:
    """PDs from which a loan is called bad.

    Even odds, those that were even before calibration, and the contract's own decisions.
    """
    decisions = document.score.decisions
    own = {decisions.approve_below, decisions.decline_from, document.treated_even_odds}
    return sorted({ANY_BAD_AT, *own})


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
        {**each.about, "dataset": dataset, **figure._asdict()}
        for each in models
        for dataset, figures_ in each.figures.items()
        for figure in figures_
    ]
    night.tables.write(SCORE_COUNTS, night.tables.frame(SCORE_COUNTS, count_rows), within)
    night.tables.write(METRICS, night.tables.frame(METRICS, metric_rows), within)


def _measured(document: ModelDocument, dataset: str, cells: Sequence[Cell]) -> Measured:
    figures_ = [*figures(cells, thresholds_of(document)), *reliability(cells)]
    treatment = document.facts.treatment
    return Measured(document.version, treatment, {dataset: {None: cells}}, {dataset: figures_})


def _in_shadow(night: Night, champion: ModelDocument, challenger: ModelDocument) -> Measured:
    """The challenger on the loans that the champion has scored, and whom only one approves.

    Both score a loan in one pass, since their scores hang on nothing but the loan.
    """
    rows = night.tables.tonight(loans(night.contract), "clean")
    by_champion = scored(rows, champion, *rows.columns)
    decided = by_champion.select(*rows.columns, F.col("decision").alias("champions"))
    by_both = scored(decided, challenger, "outcome", "champions")
    counts = counted(by_both, ("champions", "decision")).collect()
    swaps = [Swap(row[0] == APPROVE, row[1] == APPROVE, Cell(*row[2:])) for row in counts]
    measured = _measured(challenger, SHADOW, by_risk(each.cell for each in swaps))
    with_swaps = [*measured.figures[SHADOW], *swap_figures(swaps)]
    return measured._replace(figures={SHADOW: with_swaps})


def _told(measured: Measured, dataset: str) -> dict[str, Any]:
    rows = measured.figures[dataset]
    return {
        "model_version": measured.model_version,
        "known_outcomes": sum(cell.known for cell in measured.cells[dataset][None]),
        **{name: pooled(rows, name) for name in RANKING},
        **{
            each.segment: {"loans": int(each.value or 0)} for each in rows if each.metric == "loans"
        },
    }
