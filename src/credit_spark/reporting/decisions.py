"""Who is approved and declined, and why."""

from collections.abc import Mapping

from credit_spark.contract.tables import DECISIONS
from credit_spark.evaluation.calibration import mean_pd
from credit_spark.evaluation.cells import Cell
from credit_spark.reporting.charts import Chart, Rate, bars, largest_first, nothing, rates
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section, Table, counted, percent
from credit_spark.scoring.scale import band_of

MOST_REASONS = 12


def decisions(facts: NightFacts) -> Section:
    """Who is approved and declined, and why."""
    found = facts.loans_by("decision")
    rows = [
        (name, counted(found[(name,)]), percent(found[(name,)] / found.total() if found else None))
        for name in DECISIONS
    ]
    reasons = _declined_for(facts)
    return Section(
        "Who is declined, and why",
        _why_declined(facts, reasons),
        charts=[_bands(facts), _reasons(reasons)],
        tables=[Table(("decision", "loans", "share"), rows)],
    )


def _declined_for(facts: NightFacts) -> dict[str, float]:
    found = {
        reason or "no reason": float(count)
        for (decision, reason), count in facts.loans_by("decision", "reason_1").items()
        if decision == DECISIONS[-1]
    }
    return dict(list(largest_first(found).items())[:MOST_REASONS])


def _why_declined(facts: NightFacts, reasons: Mapping[str, float]) -> str:
    if not reasons:
        return "No loan is declined."
    plan = facts.document.score.decisions
    first = next(iter(reasons))
    return (
        f"Loans are approved below a PD of {plan.approve_below:.4g} and declined from "
        f"{plan.decline_from:.4g} on. The most frequent first reason of those declined: {first}."
    )


def _reasons(reasons: Mapping[str, float]) -> Chart:
    title = "First reason of the loans that are declined"
    if not reasons:
        return nothing("reasons", title, "bars", "no loan is declined")
    most, count = next(iter(reasons.items()))
    says = f"{most} comes first for {count:,.0f} of {sum(reasons.values()):,.0f} declined loans."
    return bars("reasons", title, says, reasons, "loans")


def _bands(facts: NightFacts) -> Chart:
    plan = facts.document.score
    cells: dict[str, list[Cell]] = {name: [] for name in plan.bands}
    for cell in facts.cells:
        cells[band_of(cell.pd, plan)].append(cell)
    shown = [
        Rate(
            name,
            sum(each.loans for each in own),
            sum(each.known for each in own),
            sum(each.bad for each in own),
            mean_pd(own),
        )
        for name, own in cells.items()
    ]
    title = "Bands, and the bad rate of loans to judge by in them"
    return rates("bands", title, shown, "The band")
