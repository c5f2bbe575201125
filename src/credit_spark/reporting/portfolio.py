"""The loans by segments and analyses, their balance, and how features hang together."""

from credit_spark.contract.tables import MISSING
from credit_spark.evaluation.profiles import Bin
from credit_spark.reporting.charts import Chart, Rate, bars, heat, nothing, rates
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.sections import Section

MOST_LEVELS = 15
# With fewer known outcomes, a field's rate is mostly chance.
SURE = 20


def portfolio(facts: NightFacts) -> Section:
    """The loans by what the contract asks for: segments and analyses."""
    contract = facts.contract
    charts = [
        *(
            _by(facts, "segment", name, name.replace("_", " ").capitalize())
            for name in contract.segments
        ),
        *(_by(facts, "analysis", name, each.title) for name, each in contract.analyses.items()),
        *(
            _against(facts, name, each.against)
            for name, each in contract.analyses.items()
            if each.against
        ),
        _balance(facts),
        _correlations(facts),
    ]
    months = contract.performance_months
    young = f" Loans younger than {months} months are counted, and not judged by." if months else ""
    return Section(
        "The portfolio",
        "Loans, and the share of bad ones among those whose outcome is known, with 95% intervals; "
        f"the ranges were found when the model was fitted.{young}",
        charts=charts,
    )


def _rate(found: Bin) -> Rate:
    expected = found.known_pd_sum / found.known if found.known else None
    return Rate(found.label, found.loans, found.known, found.bad, expected)


def _by(facts: NightFacts, role: str, name: str, title: str) -> Chart:
    bins = facts.bins(role, name)
    if not bins:
        why = "the model was fitted before the contract asked for it; it is shown after a training"
        return nothing(f"by-{name}", title, "rates", why)
    found = [_rate(each) for each in bins]
    if role == "segment":
        found = sorted(found, key=lambda each: -each.loans)[:MOST_LEVELS]
        found = sorted(found, key=lambda each: (each.label == MISSING, each.label))
    return rates(f"by-{name}", title, found, title)


def _against(facts: NightFacts, name: str, other: str) -> Chart:
    titles = [facts.contract.analyses[each].title for each in (name, other)]
    title = f"{titles[0]} against {titles[1].lower()}: the bad rate"
    bins = facts.bins("pair", f"{name} | {other}")
    known = sum(each.known for each in bins)
    if not known:
        return nothing(f"{name}-by-{other}", title, "heat", "no outcome is known of them")
    rates_ = {each.label: each.bad / each.known if each.known >= SURE else None for each in bins}
    rows = list(dict.fromkeys(each.label.split(" | ")[0] for each in bins))
    columns = list(dict.fromkeys(each.label.split(" | ")[1] for each in bins))
    loans = {each.label: each.loans for each in bins}
    rows = [row for row in rows if any(loans[f"{row} | {column}"] for column in columns)]
    columns = [column for column in columns if any(loans[f"{row} | {column}"] for row in rows)]
    sure = [each for each in bins if each.known >= SURE]
    says = "Too few outcomes are known in each field to compare them."
    if sure:
        worst = max(sure, key=lambda each: each.bad / each.known)
        where = worst.label.replace(" | ", ", and ")
        says = (
            f"The bad rate is highest, {worst.bad / worst.known:.1%}, where they are {where}; it "
            f"is {sum(each.bad for each in bins) / known:.1%} on the whole."
        )
    values = [[rates_[f"{row} | {column}"] for column in columns] for row in rows]
    blank = f" Fields with fewer than {SURE} known outcomes are blank."
    return heat(f"{name}-by-{other}", title, says + blank, (rows, columns), values)


def _balance(facts: NightFacts) -> Chart:
    """Good and bad loans that the model learnt from, before and after their treatment."""
    learnt = facts.document.facts
    before = learnt.bad / learnt.rows
    after = 0.5 if learnt.treatment != "none" else before
    says = (
        f"{before:.1%} of the {learnt.rows:,} loans learnt from are bad; after the treatment "
        f"({learnt.treatment}) they weigh {after:.0%}."
    )
    values = {"bad, as they are": before, "bad, after the treatment": after}
    return bars("balance", "The balance of good and bad", says, values, "share")


def _correlations(facts: NightFacts) -> Chart:
    title = "Correlation of the numeric features"
    found = {
        tuple(name.split(",")): figures["correlation"]["value"]
        for name, figures in facts.segments("features=").items()
    }
    if not found:
        return nothing("correlation", title, "heat", "fewer than two numeric features vary")
    names = list(dict.fromkeys(name for pair in found for name in pair))
    values = [
        [1.0 if a == b else found.get((a, b), found.get((b, a))) for b in names] for a in names
    ]
    (one, other), most = max(found.items(), key=lambda each: abs(each[1]))
    says = f"The closest pair is {one} and {other}, with a correlation of {most:.2f}."
    return heat("correlation", title, says, (names, names), values)
