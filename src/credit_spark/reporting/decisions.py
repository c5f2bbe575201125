"""Who is approved and declined, and why."""

from credit_spark.contract.tables import DECISIONS
from credit_spark.reporting.charts import Chart, Rate, bars, nothing, rates
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section, Table, counted, percent

MOST_REASONS = 12


def decisions(facts: NightFacts) -> Section:
    """Who is approved and declined, and why."""
    loans = sum(row["loans"] for row in facts.decided)
    found = facts.loans_by("decision")
    counts = {name: found.get((name,), 0) for name in DECISIONS}
    rows = [
        (name, counted(count), percent(count / loans if loans else None))
        for name, count in counts.items()
    ]
    return Section(
        "Who is declined, and why",
        _why_declined(facts),
        charts=[_bands(facts), _reasons(facts)],
        tables=[Table(("decision", "loans", "share"), rows)],
    )


def _declined_for(facts: NightFacts) -> dict[str, float]:
    declined = DECISIONS[-1]
    found = {
        reason or "no reason": float(count)
        for (decision, reason), count in facts.loans_by("decision", "reason_1").items()
        if decision == declined
    }
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0]))[:MOST_REASONS])


def _why_declined(facts: NightFacts) -> str:
    reasons = _declined_for(facts)
    if not reasons:
        return "No loan is declined."
    plan = facts.document.score.decisions
    first = next(iter(reasons))
    return (
        f"Loans are approved below a PD of {plan.approve_below:.4g} and declined from "
        f"{plan.decline_from:.4g} on. The most frequent first reason of those declined: {first}."
    )


def _reasons(facts: NightFacts) -> Chart:
    title = "First reason of the loans that are declined"
    reasons = _declined_for(facts)
    if not reasons:
        return nothing("reasons", title, "bars", "no loan is declined")
    most, count = next(iter(reasons.items()))
    says = f"{most} comes first for {count:,.0f} of {sum(reasons.values()):,.0f} declined loans."
    return bars("reasons", title, says, reasons, "loans")


def _bands(facts: NightFacts) -> Chart:
    bounds = facts.document.score.bands
    found = {name: [0, 0, 0, 0.0] for name in bounds}
    for cell in facts.cells:
        band = next((name for name, below in bounds.items() if cell.pd < below), list(bounds)[-1])
        own = found[band]
        own[0] += cell.known + cell.open
        own[1] += cell.known
        own[2] += cell.bad
        own[3] += cell.known * cell.pd
    shown = [
        Rate(name, int(loans), int(known), int(bad), pds / known if known else None)
        for name, (loans, known, bad, pds) in found.items()
    ]
    return rates("bands", "Bands", shown, "The band")
