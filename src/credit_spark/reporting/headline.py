"""Tonight at a glance, beside the night before."""

from collections.abc import Callable

from credit_spark.contract.tables import DECISIONS, STATUSES
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section, Table, counted, percent, plain

Say = Callable[[float | None], str]
# A name, tonight's value, the last night's, how it is said.
Row = tuple[str, float | None, float | None, Say]
# What the gravest status of drift means; None: the night was not monitored.
CHANGED = {
    "act": "something has changed that calls for action (see Changes)",
    "watch": "something has changed and should be watched (see Changes)",
    "stable": "nothing has changed so much that it is to be watched",
    None: "whether anything has changed was not looked at",
}
FIGURES = (
    ("approved by their PD", "approval_rate", percent),
    ("mean PD of known outcomes", "mean_pd", percent),
    ("bad among known outcomes", "observed_rate", percent),
    ("KS", "ks", plain),
    ("AUC", "auc", plain),
)
COUNTS = (
    ("lines read", "rows_read"),
    ("loans accepted", "rows_accepted"),
    ("lines that gave way to newer ones", "rows_superseded"),
    ("lines set aside", "rows_quarantined"),
)


def headline(facts: NightFacts) -> Section:
    """Tonight at a glance, beside the night before."""
    found, last = facts.run, facts.last_run or {}
    rows: list[Row] = [(name, found[fact], last.get(fact), counted) for name, fact in COUNTS]
    rows += [
        (name, facts.figure(metric), facts.last_figures.get(metric), say)
        for name, metric, say in FIGURES
    ]
    lines_ = [
        (name, say(now), say(before), _change(now, before, say)) for name, now, before, say in rows
    ]
    if not last:
        alone = [(name, now) for name, now, *_ in lines_]
        return Section("Tonight", _at_a_glance(facts), tables=[Table(("", "tonight"), alone)])
    head = ("", "tonight", f"night of {last['as_of']}", "change")
    return Section("Tonight", _at_a_glance(facts), tables=[Table(head, lines_)])


def _at_a_glance(facts: NightFacts) -> str:
    loans = sum(row["loans"] for row in facts.decided)
    by_decision = facts.loans_by("decision")
    shares = ", ".join(
        f"{by_decision.get((name,), 0) / loans:.0%} {name}" for name in DECISIONS if loans
    )
    gravest = max((row["status"] for row in facts.drift), key=STATUSES.index, default=None)
    told = CHANGED[gravest]
    return f"{loans:,} loans were scored: {shares}. {_how_good(facts)} On the whole, {told}."


def _how_good(facts: NightFacts) -> str:
    value, known = facts.figure("auc"), sum(each.known for each in facts.cells)
    if value is None:
        return "Too few outcomes are known to say how good the model is."
    word = "well" if value >= 0.75 else "fairly" if value >= 0.65 else "poorly"
    held_out = facts.document.held_out
    honest = (
        f"; on loans held out from its training it came to {held_out.auc:.3f}"
        if held_out and held_out.auc is not None
        else ""
    )
    return (
        f"On {known:,} known outcomes, its training loans among them, the model ranks {word} "
        f"(AUC {value:.3f}{honest})."
    )


def _change(now: float | None, before: float | None, say: Say) -> str:
    if now is None or before is None:
        return ""
    sign = "+" if now >= before else "-"
    return f"{sign}{say(abs(now - before)).replace('%', ' points')}"
