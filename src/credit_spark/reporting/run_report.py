"""A batch's report: its sections, in the order in which they are read; a glance first.

Everything comes from counts that are bounded by the scale and the contract, never by the book.
"""

from collections.abc import Callable, Sequence

from credit_spark.config.tables import DECISIONS, STATUSES
from credit_spark.reporting.changes import changes
from credit_spark.reporting.portfolio import decisions, portfolio
from credit_spark.reporting.ranking import ranking, vintages
from credit_spark.reporting.sections import (
    Report,
    ReportFacts,
    ReportTable,
    Section,
    counted,
    percent,
    plain,
)
from credit_spark.reporting.sources import data, model, run

Say = Callable[[float | None], str]
# What the gravest status of drift means; None: the batch was not monitored.
CHANGED = {
    "act": "a monitored figure calls for action (see Changes)",
    "watch": "a monitored figure is to be watched (see Changes)",
    "stable": "no monitored figure has changed",
    None: "no figure was monitored",
}
FIGURES = (
    ("approved by their PD", "approval_rate", percent),
    ("mean PD of known outcomes", "mean_pd", percent),
    ("bad among known outcomes", "observed_rate", percent),
    ("KS", "ks", plain),
    ("AUC", "auc", plain),
)
COUNTS = (
    ("records read", "rows_read"),
    ("loans accepted", "rows_accepted"),
    ("records superseded by newer ones", "rows_superseded"),
    ("records quarantined", "rows_quarantined"),
)


def headline(facts: ReportFacts) -> Section:
    """This batch at a glance, beside the batch before."""
    last = facts.last_run or {}
    figure, before = facts.figure, facts.last_figures
    shown = [
        *((name, facts.run[fact], last.get(fact), counted) for name, fact in COUNTS),
        *((name, figure(metric), before.get(metric), say) for name, metric, say in FIGURES),
    ]
    head = ["", "this batch"]
    rows = [[name, say(now)] for name, now, _, say in shown]
    if last:
        head += [f"batch of {last['as_of']}", "change"]
        for row, (_, now, then, say) in zip(rows, shown, strict=True):
            row += [say(then), _change(now, then, say)]
    return Section("This batch", _at_a_glance(facts), tables=[ReportTable(head, rows)])


def _at_a_glance(facts: ReportFacts) -> str:
    by_decision = facts.loans_by("decision")
    loans = by_decision.total()
    shares = ", ".join(f"{by_decision[(name,)] / loans:.0%} {name}" for name in DECISIONS if loans)
    gravest = max((row["status"] for row in facts.drift), key=STATUSES.index, default=None)
    changed = CHANGED[gravest]
    return f"{loans:,} loans were scored: {shares}. {_how_good(facts)} On the whole, {changed}."


def _how_good(facts: ReportFacts) -> str:
    value, known = facts.figure("auc"), sum(each.known for each in facts.score_bins)
    if value is None:
        return "Too few outcomes are known to measure the model."
    word = "well" if value >= 0.75 else "fairly" if value >= 0.65 else "poorly"
    held_out, honest = facts.document.held_out, ""
    if held_out and held_out.auc is not None:
        honest = f"; on held-out loans: {held_out.auc:.3f}"
    return (
        f"On {known:,} known outcomes, its training loans among them, the model ranks {word} "
        f"(AUC {value:.3f}{honest})."
    )


def _change(now: float | None, before: float | None, say: Say) -> str:
    if now is None or before is None:
        return ""
    sign = "+" if now >= before else "-"
    return f"{sign}{say(abs(now - before)).replace('%', ' points')}"


SECTIONS: Sequence[Callable[[ReportFacts], Section]] = (
    headline, ranking, decisions, portfolio, vintages, changes, data, model, run,
)  # fmt: skip


def report(facts: ReportFacts) -> Report:
    """A batch's report."""
    return Report(
        facts.contract.title, f"The batch of {facts.as_of}", [make(facts) for make in SECTIONS]
    )
