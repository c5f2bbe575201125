"""What has changed against the loans learnt from, and what moved the scores since last night."""

from collections.abc import Iterator

from credit_spark.evaluation.drift import Drift, advice
from credit_spark.reporting.charts import Chart, bars, nothing
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section, Table, counted, plain

PSI_SHOWN = 0.001


def changes(facts: NightFacts) -> Section:
    """What has changed against the loans learnt from, and what moved the scores."""
    graver = [row for row in facts.drift if row["status"] != "stable"]
    rows = [
        (
            row["status"], row["subject"], row["measure"].replace("_", " "), plain(row["value"]),
            plain(row["reference"]), plain(row["chance"]), counted(row["rows"]),
        )
        for row in sorted(graver, key=lambda row: (row["status"], row["subject"]))
    ]  # fmt: skip
    head = ("status", "what", "measure", "tonight", "expected", "by chance", "loans")
    says = (
        f"{len(facts.drift)} figures were held against what the model learnt from; {len(graver)} "
        f"have changed beyond a bound and beyond chance. {_advice(facts)}"
        if facts.drift
        else "Not enough data: the night was not monitored."
    )
    return Section(
        "Changes",
        says,
        charts=[_psi(facts), _moved(facts, "feature=", "By feature"), *_moved_segments(facts)],
        tables=[Table(head, rows)] if rows else [],
    )


def _advice(facts: NightFacts) -> str:
    rows = [Drift(*[row[name] for name in Drift._fields]) for row in facts.drift]
    found = advice(rows)
    word = "Retrain" if found.retrain else "No reason to retrain"
    return f"{word}: {found.why}."


def _psi(facts: NightFacts) -> Chart:
    title = "Population stability index, against the loans learnt from"
    found = {row["subject"]: row["psi"] for row in facts.drift if row["psi"] is not None}
    if not found:
        return nothing("psi", title, "bars", "the model tells no distributions to hold against")
    ordered = dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
    first, most = next(iter(ordered.items()))
    row = next(row for row in facts.drift if row["subject"] == first and row["psi"] is not None)
    word = {"stable": "no more than may be", "watch": "to be watched", "act": "to be acted on"}
    says = (
        f"{first} has changed most (PSI {most:.3f}; by chance it would be {row['chance']:.3f} at "
        f"most): {word[row['status']]}."
    )
    return bars("psi", title, says, ordered, "PSI")


def _moved(facts: NightFacts, prefix: str, words: str) -> Chart:
    title = f"What moved the points of the same loans since the last night: {words.lower()}"
    name = f"moved-{prefix.removesuffix('=')}"
    found = facts.segments(prefix, "movement")
    whole = facts.segments("all", "movement").get("")
    if not found or not whole:
        return nothing(name, title, "bars", "no loan stood in an earlier night, too")
    total = {cause: whole[f"points_moved_by_{cause}"]["value"] for cause in ("inputs", "model")}
    values = {
        f"{part}, {words_}": own[f"points_moved_by_{cause}"]["value"]
        for part, own in found.items()
        for cause, words_ in (("inputs", "its data"), ("model", "the model"))
        if abs(own[f"points_moved_by_{cause}"]["value"]) >= PSI_SHOWN
    }
    loans = whole["points_moved_by_inputs"]["rows"]
    says = (
        f"{loans:,} loans stood in the last night, too: their points moved by "
        f"{total['inputs']:+.2f} for their data and by {total['model']:+.2f} for the model, on "
        "average."
    )
    if not values:
        return Chart(name, title, "bars", says, None)
    return bars(name, title, says, values, "points, on average")


def _moved_segments(facts: NightFacts) -> Iterator[Chart]:
    if facts.segments("all", "movement"):
        for segment in facts.contract.segments:
            yield _moved(facts, f"{segment}=", segment.replace("_", " "))
