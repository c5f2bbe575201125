"""A batch's report: its sections, in the order in which they are read; a glance first.

Everything comes from counts that are bounded by the scale and the contract, never by the book.
"""

import json
from collections.abc import Callable, Iterator

from credit_spark.config.tables import DECISIONS, MISSING, STATUSES
from credit_spark.monitoring.drift import Drift, advice
from credit_spark.reporting.charts import Chart, bars, largest_first, nothing
from credit_spark.reporting.portfolio import decisions, portfolio
from credit_spark.reporting.ranking import ranking, vintages
from credit_spark.reporting.sections import (
    Report,
    ReportFacts,
    ReportTable,
    Row,
    Section,
    counted,
    percent,
    plain,
)
from credit_spark.scoring.scorecard import scorecard

# What is below is nothing to see: of points, and of a chart of PSIs.
SHOWN, LEAST_PSI = 0.001, 0.1
MAX_ROWS = 300
HASH = "content_hash"
OF_A_RUN = (
    "command", "status", "started_at", "ended_at", "run_id", "code_version", "contract_hash",
    "suite_hash",
)  # fmt: skip
Say = Callable[[float | None], str]
# What the gravest status of drift means; None: the batch was not monitored.
CHANGED = {
    "act": "a monitored figure calls for action (see Changes)",
    "watch": "a monitored figure needs watching (see Changes)",
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


def report(facts: ReportFacts) -> Report:
    """A batch's report."""
    sections = (headline, ranking, decisions, portfolio, vintages, changes, data, model, run)
    made = [make(facts) for make in sections]
    return Report(facts.contract.title, f"The batch of {facts.as_of}", made)


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


def changes(facts: ReportFacts) -> Section:
    """What has changed against the training loans, and what changed the scores."""
    graver = [row for row in facts.drift if row["status"] != "stable"]
    rows = [
        (
            row["status"], row["subject"], row["measure"].replace("_", " "), plain(row["value"]),
            plain(row["baseline"]), plain(row["critical_value"]), counted(row["rows"]),
        )
        for row in sorted(graver, key=lambda row: (row["status"], row["subject"]))
    ]  # fmt: skip
    head = ("status", "figure", "measure", "this batch", "baseline", "critical value", "loans")
    says = (
        f"{len(facts.drift)} figures were compared with the training data; {len(graver)} "
        f"are beyond a bound and beyond their critical value. {_advice(facts)}"
        if facts.drift
        else "Not enough data: the batch was not monitored."
    )
    return Section(
        "Changes",
        says,
        charts=[_psi(facts), *_all_moved(facts)],
        tables=[ReportTable(head, rows)] if rows else [],
    )


def _advice(facts: ReportFacts) -> str:
    rows = [Drift(*[row[name] for name in Drift._fields]) for row in facts.drift]
    found = advice(rows)
    is_stable = all(each.status == "stable" for each in rows)
    if facts.document.facts.as_of == facts.as_of and is_stable:
        return "The model was trained on this batch, so hardly anything can have changed."
    word = "Retrain" if found.retrain else "No reason to retrain"
    return f"{word}: {found.why}."


def _psi(facts: ReportFacts) -> Chart:
    title = "Population stability index, against the training loans"
    found = {row["subject"]: row["psi"] for row in facts.drift if row["psi"] is not None}
    if not found:
        return nothing("psi", title, "bars", "the model has no baseline distributions")
    ordered = largest_first(found)
    first, most = next(iter(ordered.items()))
    row = next(row for row in facts.drift if row["subject"] == first and row["psi"] is not None)
    word = {"stable": "stable", "watch": "to watch", "act": "to act on"}
    says = (
        f"{first} has changed most (PSI {most:.3f}; by chance it would be at most "
        f"{row['critical_value']:.3f}): {word[row['status']]}."
    )
    return bars("psi", title, says, ordered, "PSI", least=LEAST_PSI)


def _all_moved(facts: ReportFacts) -> list[Chart]:
    """What changed the points: features and, where a loan is in the previous batch, segments."""
    whole = next((row for row in facts.score_changes if row["part"] == "all"), None)
    parts = ["feature", *(facts.contract.segments if whole else ())]
    return [_moved(facts, part, whole) for part in parts]


def _moved(facts: ReportFacts, part: str, whole: Row | None) -> Chart:
    name, words = f"moved-{part}", part.replace("_", " ")
    title = f"Change of points of the same loans since the previous batch, by {words}"
    if whole is None:
        return nothing(name, title, "bars", "no loan is in an earlier batch")
    values = {
        f"{row['part'].removeprefix(f'{part}=')}, {cause}": row[column]
        for row in facts.score_changes
        if row["part"].startswith(f"{part}=")
        for cause, column in (("its data", "by_inputs"), ("the model", "by_model"))
        if abs(row[column]) >= SHOWN
    }
    says = (
        f"{whole['loans']:,} loans are in the previous batch, too. On average, their "
        f"points changed by {whole['by_inputs']:+.2f} from new data and by "
        f"{whole['by_model']:+.2f} from the model."
    )
    if not values:
        return Chart(name, title, "bars", says, None)
    return bars(name, title, says, largest_first(values), "points, on average")


def data(facts: ReportFacts) -> Section:
    """Data quality."""
    read, aside = facts.run["rows_read"], facts.run["rows_quarantined"]
    says, charts, tables = "No line was quarantined.", [], []
    if facts.broken:
        ordered = largest_first(facts.broken)
        first, count = next(iter(ordered.items()))
        lines = "Some lines were" if aside is None else f"{aside:,} lines were"
        share = f" ({aside / read:.1%} of those read)" if read and aside is not None else ""
        says = (
            f"{lines} quarantined{share}; the table quarantine has each with every rule that it "
            "breaks."
        )
        most = f"{first} fails most often, for {count:,} lines; a line can fail several rules."
        title = "Quarantined lines, by rule"
        charts = [bars("quarantine", title, most, ordered, "lines")]
        rows = [(name, counted(each)) for name, each in ordered.items()]
        tables = [ReportTable(("rule", "lines"), rows)]
    title, tables = "Data quality", [*tables, *_replaced(facts)]
    return Section(title, says, [*charts, _gaps(facts)], tables)


def _gaps(facts: ReportFacts) -> Chart:
    title = "Missing values of the features"
    shares = {
        subject: missing / loans
        for (role, subject), bins in facts.distributions.items()
        if role == "feature" and (loans := sum(each.loans for each in bins))
        if (missing := sum(each.loans for each in bins if each.label == MISSING))
    }
    if not shares:
        return nothing("missing", title, "bars", "no feature has a missing value")
    ordered = largest_first(shares)
    first, most = next(iter(ordered.items()))
    says = f"{first} is missing most often, for {most:.1%} of the loans."
    return bars("missing", title, says, ordered, "share of loans")


def model(facts: ReportFacts) -> Section:
    """The model that scored the batch: its facts and its scorecard."""
    fit = facts.document.facts
    lines = scorecard(facts.document, facts.policy.score)
    rows = [(row.feature, row.level, f"{row.points:+.1f}") for row in lines]
    says = (
        f"Model {facts.document.version} was fitted on {fit.rows:,} loans of "
        f"{fit.as_of}, {fit.bad:,} of them bad; imbalance strategy {fit.imbalance}. "
        "Its scorecard: what each feature adds to the points."
    )
    if len(rows) > MAX_ROWS:
        says += f" The first {MAX_ROWS} of {len(rows)} lines are shown."
    table = ReportTable(("feature", "level", "points"), rows[:MAX_ROWS])
    return Section("The model", says, tables=[table])


def run(facts: ReportFacts) -> Section:
    """How the batch was made."""
    rows = [(name.replace("_", " "), f"{facts.run.get(name) or ''}") for name in OF_A_RUN]
    took = facts.run["ended_at"] - facts.run["started_at"]
    says = f"The last run took {took.total_seconds():,.0f} seconds."
    return Section("The run", says, tables=[ReportTable(("", ""), rows), *_files(facts)])


def _replaced(facts: ReportFacts) -> Iterator[ReportTable]:
    """Values that the contract turned null or clipped."""
    found = json.loads(facts.run.get("replaced") or "{}")
    rows = [(name, counted(count)) for name, count in sorted(found.items()) if count]
    if rows:
        yield ReportTable(("column", "values replaced, as the contract says"), rows)


def _files(facts: ReportFacts) -> Iterator[ReportTable]:
    files = json.loads(facts.run.get("files") or "[]")
    rows = [
        (
            each["name"],
            *[counted(each[of]) for of in ("bytes", "lines")],
            each["layout"],
            each[HASH],
        )
        for each in files
    ]
    if rows:
        yield ReportTable(("file", "bytes", "lines", "layout", "content hash"), rows)
