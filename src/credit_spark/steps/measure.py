"""Scores -> score_counts, metrics; and the challenger in the shadow of the champion."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import functions as F

from credit_spark.contract.tables import DECISIONS, loans, scores
from credit_spark.evaluation.cells import Cell, by_risk, collected, counted
from credit_spark.evaluation.figures import figures, pooled, reliability
from credit_spark.evaluation.swaps import Swap, swap_figures
from credit_spark.modelling.document import ModelDocument
from credit_spark.modelling.scoring import scored
from credit_spark.steps import Night
from credit_spark.steps.assessment import Measured, thresholds_of, write_measured

NIGHT, SHADOW = "night", "shadow"
OF_A_NIGHT = f"dataset in ('{NIGHT}', '{SHADOW}')"
APPROVE = DECISIONS[0]
RANKING = ("ks", "auc", "mean_pd", "observed_rate")


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
    measured = _measured(champion, NIGHT, collected(counted(rows)))
    challenger = night.models.shadow(night.as_of, version)
    in_shadow = [_in_shadow(night, champion, challenger)] if challenger else []
    write_measured(night, [measured, *in_shadow], OF_A_NIGHT)
    told = _told(measured, NIGHT)
    if in_shadow:
        told["shadow"] = _told(in_shadow[0], SHADOW)
    night.ledger.note("measure", told)


def _measured(document: ModelDocument, dataset: str, cells: Sequence[Cell]) -> Measured:
    thresholds = sorted({document.treated_even_odds, *thresholds_of(document.score)})
    figures_ = [*figures(cells, thresholds), *reliability(cells)]
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
