"""The loans: who is declined and why, segments and analyses, their balance and correlations."""

from collections.abc import Mapping
from operator import attrgetter

from credit_spark.config.tables import DECISIONS, MISSING
from credit_spark.evaluation.metrics import mean_pd
from credit_spark.evaluation.score_bins import ScoreBin
from credit_spark.reporting.charts import Chart, Rate, bars, heat, largest_first, nothing, rates
from credit_spark.reporting.sections import ReportFacts, ReportTable, Section, counted, percent
from credit_spark.scoring.policy import band_of

MAX_REASONS = 12
MAX_LEVELS = 15
# With fewer known outcomes, a field's rate is mostly chance.
SURE = 20


def decisions(facts: ReportFacts) -> Section:
    """Who is approved and declined, and why."""
    found = facts.loans_by("decision")
    rows = [
        (name, counted(found[(name,)]), percent(found[(name,)] / found.total() if found else None))
        for name in DECISIONS
    ]
    declined_for = {
        reason or "no reason": float(count)
        for (decision, reason), count in facts.loans_by("decision", "reason_1").items()
        if decision == DECISIONS[-1]
    }
    reasons = largest_first(declined_for)
    plan, says = facts.policy.score.decisions, "No loan is declined."
    if reasons:
        says = (
            f"Loans are approved below a PD of {plan.approve_below:.4g} and declined from "
            f"{plan.decline_from:.4g} on. The most frequent first reason of those declined: "
            f"{next(iter(reasons))}."
        )
    tables = [ReportTable(("decision", "loans", "share"), rows)]
    return Section("Who is declined, and why", says, [_bands(facts), _reasons(reasons)], tables)


def _reasons(reasons: Mapping[str, float]) -> Chart:
    title = "First reason of the loans that are declined"
    if not reasons:
        return nothing("reasons", title, "bars", "no loan is declined")
    most, count = next(iter(reasons.items()))
    says = f"{most} comes first for {count:,.0f} of {sum(reasons.values()):,.0f} declined loans."
    if len(reasons) > MAX_REASONS:
        says += f" The {MAX_REASONS} most frequent of {len(reasons)} are shown."
    shown = dict(list(reasons.items())[:MAX_REASONS])
    return bars("reasons", title, says, shown, "loans")


def _bands(facts: ReportFacts) -> Chart:
    plan = facts.policy.score
    score_bins: dict[str, list[ScoreBin]] = {name: [] for name in plan.bands}
    for score_bin in facts.score_bins:
        score_bins[band_of(score_bin.pd, plan)].append(score_bin)
    # A score bin at the bound of two bands has loans of both: loans are counted by their own band.
    loans, shown = facts.loans_by("band"), []
    for name, own in score_bins.items():
        known, bad = (sum(map(attrgetter(of), own)) for of in ("known", "bad"))
        shown.append(Rate(name, loans[(name,)], known, bad, mean_pd(own)))
    title = "Bands, and the bad rate of mature loans in them"
    return rates("bands", title, shown, "The band")


def portfolio(facts: ReportFacts) -> Section:
    """The loans by the contract's segments and analyses."""
    segments, analyses = facts.contract.segments, facts.contract.analyses
    charts = [
        *(_by(facts, "segment", name, name.replace("_", " ").capitalize()) for name in segments),
        *(_by(facts, "analysis", name, each.title) for name, each in analyses.items()),
        *(_against(facts, name, each.against) for name, each in analyses.items() if each.against),
        _outcomes(facts),
        _balance(facts),
        _correlations(facts),
    ]
    months = facts.contract.performance_months
    says = (
        "Loans, and the share of bad ones among those whose outcome is known, with 95% intervals; "
        "the ranges were found when the model was fitted."
    )
    if months:
        says += f" Loans younger than {months} months are counted, and their outcome is not used."
    return Section("The portfolio", says, charts)


def _by(facts: ReportFacts, role: str, name: str, title: str) -> Chart:
    bins, chart = facts.distributions.get((role, name)), f"{role}-{name}"
    if not bins:
        why = "the contract names it since the model was fitted; it is shown after a training"
        return nothing(chart, title, "rates", why)
    expected = [each.known_pd_sum / each.known if each.known else None for each in bins]
    found = [
        Rate(each.label, each.loans, each.known, each.bad, pd)
        for each, pd in zip(bins, expected, strict=True)
    ]
    loans = sum(each.loans for each in found)
    if role == "segment":
        frequent = sorted(found, key=lambda each: -each.loans)[:MAX_LEVELS]
        found = sorted(frequent, key=lambda each: (each.label == MISSING, each.label))
    return rates(chart, title, found, title, loans)


def _against(facts: ReportFacts, name: str, other: str) -> Chart:
    titles = [facts.contract.analyses[each].title for each in (name, other)]
    title = f"{titles[0]} against {titles[1].lower()}: the bad rate"
    chart, bins = f"{name}-by-{other}", facts.distributions.get(("pair", f"{name} | {other}"), [])
    known = sum(each.known for each in bins)
    if not known:
        return nothing(chart, title, "heat", "no outcome is known of them")
    rows, columns = (
        [each.label for each in facts.distributions["analysis", by]] for by in (name, other)
    )
    across = len(columns)
    fields = [(row, bins[nth * across : (nth + 1) * across]) for nth, row in enumerate(rows)]
    filled = [(row, own) for row, own in fields if any(each.loans for each in own)]
    down = [nth for nth in range(across) if any(own[nth].loans for _, own in filled)]
    sure = {each.bin: each.bad / each.known for each in bins if each.known >= SURE}
    values = [[sure.get(own[nth].bin) for nth in down] for _, own in filled]
    says = "Too few outcomes are known in each cell to compare them."
    if sure:
        worst = max(sure, key=lambda each: sure[each])
        row, column = divmod(worst, across)
        says = (
            f"The bad rate is highest, {sure[worst]:.1%}, at {rows[row]}, and {columns[column]}; "
            f"it is {sum(each.bad for each in bins) / known:.1%} overall."
        )
    blank = f" Cells with fewer than {SURE} known outcomes are blank."
    shown = ([row for row, _ in filled], [columns[nth] for nth in down])
    return heat(chart, title, says + blank, shown, values)


def _outcomes(facts: ReportFacts) -> Chart:
    """Loans by outcome."""
    title = "Loans by outcome"
    names = ("good", "bad", "open")
    found = {name: float(sum(getattr(each, name) for each in facts.score_bins)) for name in names}
    loans = sum(found.values())
    if not loans:
        return nothing("outcomes", title, "bars", "there are no loans")
    good, bad, still_open = (each / loans for each in found.values())
    says = f"{bad:.1%} of the loans are known to be bad, {good:.1%} good."
    if still_open:
        says += f" Of {still_open:.1%} the outcome is open, or they are not mature."
    return bars("outcomes", title, says, found, "loans")


def _balance(facts: ReportFacts) -> Chart:
    """The model's good and bad training loans, before and after their imbalance strategy."""
    fit = facts.document.facts
    before = fit.bad / fit.rows
    # Every imbalance strategy makes good and bad weigh the same, oversampling but for chance.
    after = 0.5 if fit.imbalance != "none" else before
    says = (
        f"{before:.1%} of the {fit.rows:,} training loans are bad; after the strategy "
        f"({fit.imbalance}) they weigh {after:.0%}."
    )
    values = {"bad, as they are": before, "bad, after the strategy": after}
    return bars("balance", "The balance of good and bad", says, values, "share")


def _correlations(facts: ReportFacts) -> Chart:
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
    return heat("correlation", title, says, (names, names), values, signed=True)
