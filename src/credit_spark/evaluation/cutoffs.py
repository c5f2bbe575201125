"""What another cut-off would do: whom it approves, and how many of them would turn bad."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from credit_spark.evaluation.cells import Cell, by_risk

STEPS = 20


class Cutoff(NamedTuple):
    """Loans approved below a PD: how many, their share, expected and observed rates of bad.

    `observed_rate` is None where no outcome is known, `expected_loss` where losses are not; it is
    a sum, in the book's currency.
    """

    approve_below: float
    approved: int
    share: float
    expected_rate: float | None
    observed_rate: float | None
    expected_loss: float | None


def cutoff(
    cells: Iterable[Cell], approve_below: float, losses: Mapping[int, float] | None = None
) -> Cutoff:
    """What a cut-off does to loans that are counted by score.

    `losses` are expected ones, by cell, where they are known.
    A cell is approved where its own PD lies below; those of single loans differ from it by a
    thousandth of the log-odds at most.
    """
    ordered = by_risk(cells)
    approved = [each for each in ordered if each.pd < approve_below]
    loans, everyone = sum(each.loans for each in approved), sum(each.loans for each in ordered)
    known = sum(each.known for each in approved)
    return Cutoff(
        approve_below,
        loans,
        loans / everyone if everyone else 0.0,
        sum(each.loans * each.pd for each in approved) / loans if loans else None,
        sum(each.bad for each in approved) / known if known else None,
        None if losses is None else sum(losses.get(each.cell, 0.0) for each in approved),
    )


def curve(cells: Sequence[Cell], losses: Mapping[int, float] | None = None) -> list[Cutoff]:
    """Cut-offs that approve a twentieth more of the loans each, to all but the riskiest."""
    ordered = by_risk(cells)
    everyone = sum(each.loans for each in ordered)
    found: list[Cutoff] = []
    passed = 0
    for each in ordered:
        if passed >= everyone * (len(found) + 1) / STEPS:
            found.append(cutoff(ordered, each.pd, losses))
        passed += each.loans
    return found
