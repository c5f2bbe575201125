"""Scores -> score_counts, metrics; and the challenger in the shadow of the champion."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import polars as pl

from credit_spark.adapters.staging import blocks_of
from credit_spark.contract.tables import DECISIONS, loans, scores
from credit_spark.evaluation.cells import (
    Cell,
    added,
    by_risk,
    cells_of_tallies,
    tallied,
    tallied_scores,
)
from credit_spark.evaluation.figures import figures, pooled, reliability
from credit_spark.evaluation.swaps import Swap, swap_figures
from credit_spark.modelling.document import ModelDocument
from credit_spark.modelling.scoring import columns_read, scored
from credit_spark.steps import Night
from credit_spark.steps.assessment import Measured, thresholds_of, write_measured

NIGHT, SHADOW = "night", "shadow"
OF_A_NIGHT = f"dataset in ('{NIGHT}', '{SHADOW}')"
APPROVE = DECISIONS[0]
COUNTED = ("pd", "points", "outcome")
BY_BOTH = ("champions", "decision")
RANKING = ("ks", "auc", "mean_pd", "observed_rate")


def measure(night: Night, tally: pl.DataFrame | None = None) -> None:
    """Count tonight's scores, and compute every metric on those with a known outcome.

    Whoever has just written the scores gives their `tally`, so that they are not read again.
    Where a challenger waits, it scores the same loans in the shadow: nothing but metrics comes
    of it.
    """
    files = night.tables.files(scores(night.contract), "score")
    champion = night.models.document(_version(files))
    tallies = [tally] if tally is not None else night.spread("count scores", _tally, files)
    cells = cells_of_tallies(tallies)
    measured = _measured(champion, NIGHT, cells)
    challenger = night.models.shadow(night.as_of, champion.version)
    in_shadow = [_in_shadow(night, champion, challenger)] if challenger else []
    write_measured(night, [measured, *in_shadow], OF_A_NIGHT)
    told = _told(measured, NIGHT)
    if in_shadow:
        told["shadow"] = _told(in_shadow[0], SHADOW)
    night.ledger.note("measure", told)


def _version(files: Sequence[str]) -> str:
    """The model that made the scores in a table's files."""
    return str(next(blocks_of(files[0], ["model_version"]))["model_version"][0])


def _tally(file: str) -> pl.DataFrame:
    """The scores of a file, counted."""
    return added([tallied_scores(block) for block in blocks_of(file, COUNTED)])


def _tally_both(file: str, champion: ModelDocument, challenger: ModelDocument) -> pl.DataFrame:
    """The loans of a file by the challenger's score and what each of both models would do."""
    needed = sorted({*columns_read(champion), *columns_read(challenger), "outcome"})
    tallies = []
    for block in blocks_of(file, needed):
        champions = scored(block, champion)["decision"].alias("champions")
        by_both = scored(block.with_columns(champions), challenger, "outcome", "champions")
        tallies.append(tallied(by_both, BY_BOTH))
    return added(tallies, BY_BOTH)


def _measured(document: ModelDocument, dataset: str, cells: Sequence[Cell]) -> Measured:
    thresholds = sorted({document.treated_even_odds, *thresholds_of(document.score)})
    figures_ = [*figures(cells, thresholds), *reliability(cells)]
    treatment = document.facts.treatment
    return Measured(document.version, treatment, {dataset: {None: cells}}, {dataset: figures_})


def _in_shadow(night: Night, champion: ModelDocument, challenger: ModelDocument) -> Measured:
    """The challenger on the loans that the champion has scored, and whom only one approves.

    Both score a loan in one pass, since their scores hang on nothing but the loan.
    """
    tally = partial(_tally_both, champion=champion, challenger=challenger)
    files = night.tables.files(loans(night.contract), "clean")
    counts = (
        added(night.spread("score in the shadow", tally, files), BY_BOTH)
        .sort(*BY_BOTH, "cell", "points")
        .rows()
    )
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
