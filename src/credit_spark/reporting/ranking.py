"""How good the model is: on outcomes that are known by now."""

from collections.abc import Iterator, Sequence

from credit_spark.evaluation.calibration import tenths
from credit_spark.evaluation.cells import Cell
from credit_spark.evaluation.curves import bad_among, passed
from credit_spark.evaluation.metrics import auc, ks, ks_threshold
from credit_spark.reporting.charts import Chart, Rate, lines, nothing, rates
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section


def ranking(facts: NightFacts) -> Section:
    """How good the model is on the outcomes that are known."""
    months = facts.contract.performance_months
    old = f" and that are {months} months old at least" if months else ""
    return Section(
        "How good the model is",
        f"On loans whose outcome is known by now{old}, the model's own training loans among them.",
        charts=[*curves(facts.cells), calibration(facts.cells), _by_outcome(facts)],
    )


def curves(cells: Sequence[Cell]) -> Iterator[Chart]:
    """KS, ROC and gains."""
    steps = passed(cells)
    names = {
        "ks": "KS: good and bad loans, the riskiest first",
        "roc": "ROC",
        "gains": "Gains: bad loans found among the riskiest",
    }
    if not steps:
        why = "there are no known outcomes of both kinds"
        yield from (nothing(name, title, "lines", why) for name, title in names.items())
        return
    loans, good, bad = zip(*(each[1:] for each in steps), strict=True)
    at = ks_threshold(cells)
    yield lines(
        "ks", names["ks"],
        f"KS is {ks(cells):.3f}: the widest gap between both curves, at a PD of {at:.3f}.",
        loans, {"bad": bad, "good": good}, ("share of loans, the riskiest first", "share found"),
    )  # fmt: skip
    yield lines(
        "roc", names["roc"],
        f"The area under the curve (AUC) is {auc(cells):.3f}; 0.5 is chance.",
        good, {"model": bad, "chance": good}, ("share of good loans", "share of bad loans"),
    )  # fmt: skip
    yield lines(
        "gains", names["gains"],
        f"The riskiest fifth of the loans holds {bad_among(steps, 0.2):.0%} of the bad ones.",
        loans, {"model": bad, "chance": loans},
        ("share of loans, the riskiest first", "share of bad loans"),
    )  # fmt: skip


def calibration(cells: Sequence[Cell]) -> Chart:
    """Mean PD and observed rate of each tenth."""
    title = "Calibration: tenths of the loans, from the least risk up"
    found = [
        Rate(f"{each.nth}", each.known, each.known, each.bad, each.expected / each.known)
        for each in tenths(cells)
    ]
    if not any(each.bad for each in found):
        return nothing("calibration", title, "rates", "there are no known outcomes of both kinds")
    expected = sum(each.known * (each.expected or 0) for each in found)
    bad = sum(each.bad for each in found)
    chart = rates("calibration", title, found, "The tenth")
    says = (
        f"The model expected {expected:,.0f} bad loans among those with a known outcome; "
        f"{bad:,} turned bad ({expected / bad:.2f} expected for each)."
    )
    return chart._replace(says=says)


def _by_outcome(facts: NightFacts) -> Chart:
    title = "Points of loans by their outcome"
    found: dict[int, dict[str, int]] = {}
    for cell in facts.cells:
        own = found.setdefault(round(cell.points / 10) * 10, {"good": 0, "bad": 0, "open": 0})
        for name in own:
            own[name] += getattr(cell, name)
    totals = {name: sum(own[name] for own in found.values()) for name in ("good", "bad", "open")}
    shown = [name for name, total in totals.items() if total]
    if not shown:
        return nothing("points", title, "lines", "there are no scores")
    points = list(range(min(found), max(found) + 10, 10))
    found = {each: found.get(each, dict.fromkeys(totals, 0)) for each in points}
    series = {name: [found[each][name] / totals[name] for each in points] for name in shown}
    means = {
        name: sum(each * found[each][name] for each in points) / totals[name] for name in shown
    }
    told = ", ".join(f"{mean:.0f} ({name})" for name, mean in means.items())
    says = f"On average, loans have these points: {told}."
    return lines("points", title, says, points, series, ("points, by tens", "share of loans"))
