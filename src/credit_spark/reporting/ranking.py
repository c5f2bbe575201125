"""How good the model is: on outcomes that are known by now, and by the month of its loans."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from operator import mul
from typing import Any

from credit_spark.evaluation.curves import bad_among, passed
from credit_spark.evaluation.metrics import auc, ks, ks_threshold, tenths
from credit_spark.evaluation.score_bins import ScoreBin
from credit_spark.monitoring.vintages import OF_A_VINTAGE, number_of
from credit_spark.reporting.charts import Chart, Rate, lines, nothing, rates
from credit_spark.reporting.sections import (
    ReportFacts,
    ReportTable,
    Section,
    counted,
    percent,
    plain,
)

YOUNGEST = 24
MIN_RANKED = 100
# Of a month: how many outcomes are known, and its metrics.
Months = Mapping[str, tuple[int, Mapping[str, Any]]]


def ranking(facts: ReportFacts) -> Section:
    """How good the model is on the outcomes that are known."""
    months = facts.contract.performance_months
    old = f" and that are {months} months old at least" if months else ""
    return Section(
        "How good the model is",
        f"On loans whose outcome is known by now{old}, the model's own training loans among them.",
        charts=[*curves(facts.score_bins), calibration(facts.score_bins), _by_outcome(facts)],
    )


def curves(score_bins: Sequence[ScoreBin]) -> Iterator[Chart]:
    """KS, ROC and gains."""
    steps = passed(score_bins)
    names = {
        "ks": "KS: good and bad loans, the riskiest first",
        "roc": "ROC",
        "gains": "Gains: bad loans found among the riskiest",
    }
    if not steps:
        why = "there are no known outcomes of both kinds"
        yield from (nothing(name, title, "lines", why) for name, title in names.items())
        return
    loans, good, bad = zip(*steps, strict=True)
    at = ks_threshold(score_bins)
    yield lines(
        "ks", names["ks"],
        f"KS is {ks(score_bins):.3f}: the widest gap between both curves, at a PD of {at:.3f}.",
        loans, {"bad": bad, "good": good}, ("share of loans, the riskiest first", "share found"),
    )  # fmt: skip
    yield lines(
        "roc", names["roc"],
        f"The area under the curve (AUC) is {auc(score_bins):.3f}; 0.5 is chance.",
        good, {"model": bad, "chance": good}, ("share of good loans", "share of bad loans"),
    )  # fmt: skip
    yield lines(
        "gains", names["gains"],
        f"The riskiest fifth of the loans holds {bad_among(steps, 0.2):.0%} of the bad ones.",
        loans, {"model": bad, "chance": loans},
        ("share of loans, the riskiest first", "share of bad loans"),
    )  # fmt: skip


def calibration(score_bins: Sequence[ScoreBin]) -> Chart:
    """Mean PD and observed rate of each tenth."""
    title = "Calibration: tenths of the loans, from the least risk up"
    found = [
        Rate(f"{each.nth}", each.known, each.known, each.bad, each.expected / each.known)
        for each in tenths(score_bins)
    ]
    if not any(each.bad for each in found):
        return nothing("calibration", title, "rates", "there are no known outcomes of both kinds")
    expected = sum(each.known * (each.expected or 0) for each in found)
    bad = sum(each.bad for each in found)
    says = (
        f"The model expected {expected:,.0f} bad loans among those with a known outcome; "
        f"{bad:,} turned bad ({expected / bad:.2f} expected for each)."
    )
    return rates("calibration", title, found, "The tenth")._replace(says=says)


def _by_outcome(facts: ReportFacts) -> Chart:
    title = "Points by outcome"
    counts = {name: Counter[int]() for name in ("good", "bad", "open")}
    for score_bin in facts.score_bins:
        for name, own in counts.items():
            own[(score_bin.points + 5) // 10 * 10] += getattr(score_bin, name)
    found = {name: own for name, own in counts.items() if own.total()}
    if not found:
        return nothing("points", title, "lines", "there are no scores")
    points = list(range(min(counts["bad"]), max(counts["bad"]) + 10, 10))
    series = {name: [own[each] / own.total() for each in points] for name, own in found.items()}
    means = {name: sum(map(mul, own, own.values())) / own.total() for name, own in found.items()}
    shown = ", ".join(f"{mean:.0f} ({name})" for name, mean in means.items())
    says = f"On average, loans have these points: {shown}."
    return lines("points", title, says, points, series, ("points, by tens", "share of loans"))


def vintages(facts: ReportFacts) -> Section:
    """The model by vintage and by months on book."""
    months = {
        name: (own["loans"]["rows"], {metric: row["value"] for metric, row in own.items()})
        for name, own in facts.segments(OF_A_VINTAGE).items()
        if own["loans"]["rows"]
    }
    title = "By vintage"
    if not months:
        return Section(title, "Not enough data: no mature loan has a known outcome.")
    rows = [
        (
            name, f"{number_of(facts.as_of) - number_of(date.fromisoformat(f'{name}-01'))}",
            counted(known), percent(own["mean_pd"]), percent(own["observed_rate"]),
            plain(own["ks"]), plain(own["auc"]),
        )
        for name, (known, own) in list(months.items())[-YOUNGEST:]
    ]  # fmt: skip
    head = ("vintage", "months on book", "known outcomes", "mean PD", "bad", "KS", "AUC")
    says = f"{len(months)} months of loans are mature; the newest {len(rows)} are listed."
    return Section(title, says, [_bad_rates(months), _ranks(months)], [ReportTable(head, rows)])


def _bad_rates(months: Months) -> Chart:
    found = [
        Rate(name, int(own["loans"]), known, round(own["observed_rate"] * known), own["mean_pd"])
        for name, (known, own) in months.items()
    ]
    return rates("vintages", "Bad rate of each month's loans", found, "The vintage")


def _ranks(months: Months) -> Chart:
    title = "AUC and KS of each month's loans"
    both = [
        (int(name[:4]) + (int(name[5:]) - 1) / 12, own["auc"], own["ks"])
        for name, (known, own) in months.items()
        if own["auc"] is not None and known >= MIN_RANKED
    ]
    if len(both) < 2:
        return nothing("vintage-ranks", title, "lines", "fewer than two months have 100 outcomes")
    years, aucs, statistics = zip(*both, strict=True)
    series = {"AUC": aucs, "KS": statistics}
    says = (
        f"AUC lies between {min(aucs):.3f} and {max(aucs):.3f} over the {len(both)} months with "
        "100 outcomes."
    )
    return lines("vintage-ranks", title, says, years, series, ("month", ""))
