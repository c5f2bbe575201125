"""What a batch was made of: its data, its model, its run."""

import json
from collections.abc import Iterator

from credit_spark.config.tables import MISSING
from credit_spark.reporting.charts import Chart, bars, largest_first, nothing
from credit_spark.reporting.sections import ReportFacts, ReportTable, Section, counted
from credit_spark.scoring.scorecard import scorecard

MOST_ROWS = 300
HASH = "content_hash"
OF_A_RUN = (
    "command", "status", "started_at", "ended_at", "run_id", "code_version", "contract_hash",
    "suite_hash",
)  # fmt: skip


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
    if len(rows) > MOST_ROWS:
        says += f" The first {MOST_ROWS} of {len(rows)} lines are shown."
    table = ReportTable(("feature", "level", "points"), rows[:MOST_ROWS])
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
