"""Changes against the training loans, and what changed the scores since the previous batch."""

from credit_spark.monitoring.drift import Drift, advice
from credit_spark.reporting.charts import Chart, bars, largest_first, nothing
from credit_spark.reporting.sections import ReportFacts, ReportTable, Row, Section, counted, plain

# What is below is nothing to see: of points, and of a chart of PSIs.
SHOWN, LEAST_PSI = 0.001, 0.1


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
    if facts.document.facts.as_of == facts.as_of:
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
