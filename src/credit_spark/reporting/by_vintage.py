"""The model by the month of its loans, and how old they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from credit_spark.reporting.charts import FEWEST_KNOWN, Chart, Rate, lines, nothing, rates
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section, Table, counted, percent, plain

YOUNGEST = 24


def vintages(facts: NightFacts) -> Section:
    """The model by vintage and by months on book."""
    found = facts.segments("vintage=")
    judged = {name: own for name, own in found.items() if own["loans"]["rows"]}
    title = "By vintage"
    if not judged:
        return Section(title, "Not enough data: no outcome is known of loans that are old enough.")
    of_all = [
        Rate(
            name, int(own["loans"]["value"] or 0), own["loans"]["rows"],
            round((own["observed_rate"]["value"] or 0) * own["loans"]["rows"]),
            own["mean_pd"]["value"],
        )
        for name, own in judged.items()
    ]  # fmt: skip
    newest = facts.as_of.year * 12 + facts.as_of.month
    rows = [
        (
            name, f"{newest - int(name[:4]) * 12 - int(name[5:])}", counted(own["loans"]["rows"]),
            percent(own["mean_pd"]["value"]), percent(own["observed_rate"]["value"]),
            plain(own["ks"]["value"]), plain(own["auc"]["value"]),
        )
        for name, own in list(judged.items())[-YOUNGEST:]
    ]  # fmt: skip
    head = ("vintage", "months on book", "known outcomes", "mean PD", "bad", "KS", "AUC")
    return Section(
        title,
        f"{len(judged)} months of loans are old enough to judge by; the newest {len(rows)} are "
        "listed.",
        charts=[
            _bad_rates(of_all),
            _ranks(judged),
        ],
        tables=[Table(head, rows)],
    )


def _bad_rates(found: Sequence[Rate]) -> Chart:
    chart = rates("vintages", "Bad rate of each month's loans", found, "The month of a loan")
    sure = sorted(
        (each for each in found if each.known >= FEWEST_KNOWN),
        key=lambda each: each.bad / each.known,
    )
    if len(sure) < 2:
        return chart._replace(says="Too few outcomes are known in each month to compare them.")
    low, high = sure[0], sure[-1]
    return chart._replace(
        says=f"Of {len(sure)} months with {FEWEST_KNOWN} known outcomes at least, the bad rate is "
        f"lowest in {low.label} ({low.rate:.1%}) and highest in {high.label} ({high.rate:.1%})."
    )


def _ranks(judged: Mapping[str, Mapping[str, Any]]) -> Chart:
    title = "AUC and KS of each month's loans"
    both = {
        name: own for name, own in judged.items()
        if own["auc"]["value"] is not None and own["auc"]["rows"] >= 100
    }  # fmt: skip
    if len(both) < 2:
        return nothing("vintage-ranks", title, "lines", "fewer than two months have 100 outcomes")
    months = [int(name[:4]) + (int(name[5:]) - 1) / 12 for name in both]
    series = {
        "AUC": [own["auc"]["value"] for own in both.values()],
        "KS": [own["ks"]["value"] for own in both.values()],
    }
    low, high = min(series["AUC"]), max(series["AUC"])
    says = (
        f"AUC lies between {low:.3f} and {high:.3f} over the {len(both)} months with 100 outcomes."
    )
    return lines("vintage-ranks", title, says, months, series, ("month", ""))
