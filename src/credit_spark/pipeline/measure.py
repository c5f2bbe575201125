"""Scores -> score_counts, metrics; and the challenger in the shadow of the champion."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from credit_spark.adapters.staging import blocks_of
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import DECISIONS, PROFILES, loans, scores
from credit_spark.evaluation.cells import (
    Cell,
    added,
    by_risk,
    cells_of_tallies,
    tallied,
)
from credit_spark.evaluation.figures import ALL, Figure, figures, pooled, reliability
from credit_spark.evaluation.swaps import APPROVED_BY, Swap, swap_figures
from credit_spark.evaluation.vintages import judged, vintage_figures, vintages
from credit_spark.modelling.moments import correlations
from credit_spark.modelling.scoring import columns_read, scored
from credit_spark.modelling.watching import named_bins, pairs
from credit_spark.pipeline.assessment import Measured, approval_rate, thresholds_of, write_measured
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.tallies import Tallier, Tally
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.tables import Tables

NIGHT, SHADOW = "night", "shadow"
OF_A_NIGHT = f"dataset in ('{NIGHT}', '{SHADOW}')"
APPROVE = DECISIONS[0]
BY_BOTH = ("champions", "decision")
RANKING = ("ks", "auc", "mean_pd", "observed_rate")


def measure(night: RunContext, tally: Tally | None = None) -> None:
    """Count tonight's scores, and compute every metric on those with a known outcome.

    Outcomes of loans younger than the contract's `performance_months` count as not known.

    Whoever has just written the scores gives their `tally`, so that loans are not scored again.
    Where a challenger waits, it scores the same loans in the shadow: nothing but metrics comes
    of it.
    """
    champion = night.models.document(version_of(night.tables, night.contract))
    if tally is None:
        count = partial(_tally, tallier=Tallier(champion, night.contract, night.as_of))
        loan_files = night.tables.files(loans(night.contract), "clean")
        tally = Tally.together(night.spread("count scores", count, loan_files))
    measured = _measured(champion, NIGHT, cells_of_tallies([tally.scores]))
    approved = approval_rate(measured.cells[NIGHT][None], champion.score)
    figures_ = [
        *measured.figures[NIGHT],
        Figure(None, ALL, None, "approval_rate", approved, loans_in(tally)),
        *watched_figures(champion, tally),
    ]
    measured = measured._replace(figures={NIGHT: figures_})
    challenger = night.models.shadow(night.as_of, champion.version)
    in_shadow = [_in_shadow(night, champion, challenger)] if challenger else []
    write_measured(night, [measured, *in_shadow], OF_A_NIGHT)
    paired = pairs(night.contract, champion.watched)
    rows = [*named_bins(champion, paired, tally.profile)]
    night.tables.write(PROFILES, rows, "true")
    told = {"old_enough": night.contract.performance_months, **_told(measured, NIGHT)}
    if in_shadow:
        told["shadow"] = _told(in_shadow[0], SHADOW)
    night.ledger.note("measure", told)


def version_of(tables: Tables, contract: Contract) -> str:
    """The model that made a night's scores.

    Raises:
        InputError: there are none.
    """
    files = tables.files(scores(contract), "score")
    return str(next(blocks_of(files[0], ["model_version"]))["model_version"][0])


def _tally(file: str, tallier: Tallier) -> Tally:
    """The loans of a file, counted as when they were scored."""
    needed = sorted({*columns_read(tallier.document), *tallier.columns})
    return Tally.together(
        tallier.tally(block, scored(block, tallier.document)) for block in blocks_of(file, needed)
    )


def loans_in(tally: Tally) -> int:
    """All loans that were counted."""
    return int(tally.scores.select("good", "bad", "open").sum().sum_horizontal().item())


def watched_figures(document: ModelDocument, tally: Tally) -> list[Figure]:
    """What `metrics` has of vintages, and of how features hang together."""
    loans_ = int(tally.moments[0, 0])
    hang_together = [
        Figure(None, ALL, None, "correlation", value, loans_, f"features={one},{other}")
        for one, other, value in correlations(tally.moments, document.watched)
    ]
    return [*vintage_figures(vintages(tally.vintages)), *hang_together]


def _tally_both(
    file: str, champion: ModelDocument, challenger: ModelDocument, contract: Contract, as_of: date
) -> pl.DataFrame:
    """The loans of a file by the challenger's score and what each of both models would do."""
    observed_on, months = contract.observed_on, contract.performance_months
    dated = [observed_on] if observed_on else []
    needed = sorted({*columns_read(champion), *columns_read(challenger), "outcome", *dated})
    tallies = []
    for block in blocks_of(file, needed):
        champions = scored(block, champion)["decision"].alias("champions")
        old = judged(block.with_columns(champions), observed_on, as_of, months)
        by_both = scored(old, challenger, "outcome", "champions")
        tallies.append(tallied(by_both, BY_BOTH))
    return added(tallies, BY_BOTH)


def _measured(document: ModelDocument, dataset: str, cells: Sequence[Cell]) -> Measured:
    thresholds = sorted({document.treated_even_odds, *thresholds_of(document.score)})
    figures_ = [*figures(cells, thresholds), *reliability(cells)]
    treatment = document.facts.treatment
    return Measured(document.version, treatment, {dataset: {None: cells}}, {dataset: figures_})


def _in_shadow(night: RunContext, champion: ModelDocument, challenger: ModelDocument) -> Measured:
    """The challenger on the loans that the champion has scored, and whom only one approves.

    Both score a loan in one pass, since their scores hang on nothing but the loan.
    """
    tally = partial(
        _tally_both,
        champion=champion,
        challenger=challenger,
        contract=night.contract,
        as_of=night.as_of,
    )
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
            each.segment: {"loans": int(each.value or 0)}
            for each in rows
            if each.metric == "loans" and each.segment in APPROVED_BY.values()
        },
    }
