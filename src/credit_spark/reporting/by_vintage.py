"""The model by the month of its loans, and how old they are."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from credit_spark.evaluation.vintages import OF_A_VINTAGE, number_of
from credit_spark.reporting.charts import FEWEST_KNOWN, Chart, Rate, lines, nothing, rates
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section, Table, counted, percent, plain

YOUNGEST = 24
FEWEST_RANKED = 100
# Of a month: how many outcomes are known, and its metrics.
Months = Mapping[str, tuple[int, Mapping[str, Any]]]


def vintages(facts: NightFacts) -> Section:
    """The model by vintage and by months on book."""
    months = {
        name: (own["loans"]["rows"], {metric: row["value"] for metric, row in own.items()})
        for name, own in facts.segments(OF_A_VINTAGE).items()
        if own["loans"]["rows"]
    }
    title = "By vintage"
    if not months:
        return Section(title, "Not enough data: no outcome is known of loans that are old enough.")
    rows = [
        (
            name, f"{_age(name, facts.as_of)}", counted(known), percent(own["mean_pd"]),
            percent(own["observed_rate"]), plain(own["ks"]), plain(own["auc"]),
        )
        for name, (known, own) in list(months.items())[-YOUNGEST:]
    ]  # fmt: skip
    head = ("vintage", "months on book", "known outcomes", "mean PD", "bad", "KS", "AUC")
    says = (
        f"{len(months)} months of loans are old enough to judge by; the newest {len(rows)} are "
        "listed."
    )
    return Section(title, says, [_bad_rates(months), _ranks(months)], [Table(head, rows)])


def _age(month: str, as_of: date) -> int:
    return number_of(as_of) - number_of(date.fromisoformat(f"{month}-01"))


def _bad_rates(months: Months) -> Chart:
    found = [
        Rate(name, int(own["loans"]), known, round(own["observed_rate"] * known), own["mean_pd"])
        for name, (known, own) in months.items()
    ]
    chart = rates("vintages", "Bad rate of each month's loans", found, "The month of a loan")
    sure = sorted(
        (each for each in found if each.known >= FEWEST_KNOWN), key=lambda each: each.rate or 0.0
    )
    if len(sure) < 2:
        return chart._replace(says="Too few outcomes are known in each month to compare them.")
    low, *_, high = sure
    return chart._replace(
        says=f"Of {len(sure)} months with {FEWEST_KNOWN} known outcomes at least, the bad rate is "
        f"lowest in {low.label} ({low.rate:.1%}) and highest in {high.label} ({high.rate:.1%})."
    )


def _ranks(months: Months) -> Chart:
    title = "AUC and KS of each month's loans"
    both = {
        name: own
        for name, (known, own) in months.items()
        if own["auc"] is not None and known >= FEWEST_RANKED
    }
    if len(both) < 2:
        return nothing("vintage-ranks", title, "lines", "fewer than two months have 100 outcomes")
    years = [int(name[:4]) + (int(name[5:]) - 1) / 12 for name in both]
    aucs: Sequence[float] = [own["auc"] for own in both.values()]
    series = {"AUC": aucs, "KS": [own["ks"] for own in both.values()]}
    says = (
        f"AUC lies between {min(aucs):.3f} and {max(aucs):.3f} over the {len(both)} months with "
        "100 outcomes."
    )
    return lines("vintage-ranks", title, says, years, series, ("month", ""))
