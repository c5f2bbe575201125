"""A training's report: strategies side by side, folds, coefficients, information value, gates.

Weight of evidence is that of the bins that are monitored batch by batch.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from credit_spark.config.loading import contract_hash
from credit_spark.config.models import Contract
from credit_spark.evaluation.evidence import Evidence, evidence, information_value, strength
from credit_spark.evaluation.score_bins import ScoreBin
from credit_spark.features.columns import label_of
from credit_spark.reporting.charts import Chart, bars, largest_first, lines, nothing
from credit_spark.reporting.ranking import calibration, curves
from credit_spark.reporting.sections import (
    Report,
    ReportTable,
    Row,
    Section,
    counted,
    percent,
    plain,
)
from credit_spark.scoring.document import ModelDocument, Number, slots_of
from credit_spark.scoring.scorecard import at_bound

CV = "cv"
# A figure's heading, its data set and its metric.
SIDE_BY_SIDE = (
    ("KS in folds", CV, "ks_mean"), ("± its deviation", CV, "ks_sd"),
    ("AUC in folds", CV, "auc_mean"), ("± its deviation", CV, "auc_sd"),
    ("KS, later", "out_of_time", "ks"), ("AUC, later", "out_of_time", "auc"),
    ("mean PD / observed", CV, "mean_pd_over_observed"), ("slope", CV, "calibration_slope"),
    ("ECE before", CV, "ece_before"), ("ECE after", CV, "ece"), ("log loss", CV, "log_loss"),
)  # fmt: skip


class Fitted(NamedTuple):
    """An imbalance strategy's model: its document, its gates, its held-out score bins."""

    document: ModelDocument
    gates: Sequence[Row]
    score_bins: Sequence[ScoreBin]

    @property
    def imbalance(self) -> str:
        """The imbalance strategy."""
        return self.document.facts.imbalance


class TrainingFacts(NamedTuple):
    """A batch's training: its models, the contract's own first, and rows of `metrics`."""

    contract: Contract
    as_of: date
    fits: Sequence[Fitted]
    metrics: Sequence[Row]

    def figure(self, name: str, dataset: str, metric: str) -> float | None:
        """A figure of all folds, or of a data set that has none, by strategy or benchmark."""
        return self.by_fold(name, dataset, metric).get(None)

    def by_fold(self, name: str, dataset: str, metric: str) -> dict[int | None, float | None]:
        """A figure of each fold; by None, that of all."""
        versions = {each.imbalance: each.document.version for each in self.fits}
        wanted = (versions.get(name, name), dataset, metric, "all", "all", None)
        columns = ("model_version", "dataset", "metric", "segment", "label", "threshold")
        rows = [row for row in self.metrics if tuple(row[each] for each in columns) == wanted]
        return {row["fold"]: row["value"] for row in rows}

    @property
    def names(self) -> list[str]:
        """Imbalance strategies, then benchmarks."""
        tested = {row["model_version"] for row in self.metrics if row["dataset"] == CV}
        # Benchmarks have names; models, hexadecimal digits.
        others = [name for name in tested if not re.fullmatch("[0-9a-f]{12}", name)]
        return [*(each.imbalance for each in self.fits), *sorted(others)]


def training_report(facts: TrainingFacts) -> Report:
    """A training's report."""
    sections = (strategies, folds, ranking, coefficients, information_values, gates)
    made = [make(facts) for make in sections]
    return Report(facts.contract.title, f"Training, {facts.as_of}", made)


def strategies(facts: TrainingFacts) -> Section:
    """Every imbalance strategy and benchmark, on the same features and folds."""
    shown = [
        column
        for column in SIDE_BY_SIDE
        if any(facts.figure(name, *column[1:]) is not None for name in facts.names)
    ]
    rows = [
        (name, *(plain(facts.figure(name, *column[1:])) for column in shown))
        for name in facts.names
    ]
    fit = facts.fits[0].document.facts
    says = (
        f"{fit.rows:,} training loans, {fit.bad:,} of them bad, "
        f"in {fit.folds} folds. {_best(facts)}"
    )
    head = ("", *(name for name, *_ in shown))
    return Section("Imbalance strategies side by side", says, tables=[ReportTable(head, rows)])


def _best(facts: TrainingFacts) -> str:
    means = {name: facts.figure(name, CV, "auc_mean") for name in facts.names}
    known = {name: value for name, value in means.items() if value is not None}
    if len(known) < 2:
        return ""
    best, worst = max(known, key=lambda each: known[each]), min(known, key=lambda each: known[each])
    spread, gap = facts.figure(best, CV, "auc_sd") or 0.0, known[best] - known[worst]
    word = "more" if gap > spread else "less"
    return (
        f"{best} ranks best in the folds (AUC {known[best]:.3f}), {gap:.3f} above {worst}: {word} "
        f"than one standard deviation between folds ({spread:.3f})."
    )


def folds(facts: TrainingFacts) -> Section:
    """Each fold's figures."""
    says = "Each point is a fold that was held out, scored by a model fitted on the others."
    return Section("Folds", says, [_by_fold(facts, metric) for metric in ("auc", "ks")])


def _by_fold(facts: TrainingFacts, metric: str) -> Chart:
    title, name = f"{metric.upper()} of each fold", f"folds-{metric}"
    series = {each: facts.by_fold(each, CV, metric) for each in facts.names}
    numbers = sorted({fold for own in series.values() for fold in own if fold is not None})
    drawn = {each: [own.get(fold) for fold in numbers] for each, own in series.items()}
    values = [value for own in drawn.values() for value in own if value is not None]
    if not values:
        return nothing(name, title, "lines", "no fold has good and bad loans")
    says = f"It lies between {min(values):.3f} and {max(values):.3f}."
    return lines(name, title, says, numbers, drawn, ("fold", metric.upper()))


def ranking(facts: TrainingFacts) -> Section:
    """The first model on its held-out folds."""
    first = facts.fits[0]
    says = f"The model ({first.imbalance}), on loans that it was not trained on."
    return Section(
        "How good the model is", says, [*curves(first.score_bins), calibration(first.score_bins)]
    )


def coefficients(facts: TrainingFacts) -> Section:
    """What one deviation of a feature, or a level of it, adds to the log-odds of bad."""
    first = facts.fits[0].document
    says = "Of scaled features: to the right, what makes a loan turn bad more often."
    if first.left_out:
        reasons = "; ".join(f"{each.name} ({each.why})" for each in first.left_out)
        says += f" Left out: {reasons}."
    # What a later contract expects is no expectation of this fit.
    is_same = first.contract_hash == contract_hash(facts.contract)
    signs = [(each,) for each in at_bound(first, facts.contract)] if is_same else []
    tables = [ReportTable((f"look at ({first.facts.imbalance})",), signs)] if signs else []
    return Section("Coefficients", says, [_coefficients(each) for each in facts.fits], tables)


def _coefficients(fitted: Fitted) -> Chart:
    found: dict[str, float] = {}
    for term in fitted.document.terms:
        for slot in slots_of(term):
            level = "" if isinstance(slot, Number) else f": {label_of(slot.text)}"
            found[f"{term.name}{level}"] = slot.coefficient
    ordered = largest_first(found)
    first, most = next(iter(ordered.items()))
    says = f"{first} weighs most ({most:+.3f})."
    name, title = (
        f"coefficients-{fitted.imbalance}",
        f"Coefficients (imbalance strategy: {fitted.imbalance})",
    )
    return bars(name, title, says, ordered, "log-odds of bad")


def information_values(facts: TrainingFacts) -> Section:
    """How far each feature separates good from bad by itself, before any imbalance strategy."""
    return information(facts.fits[0].document)


def gates(facts: TrainingFacts) -> Section:
    """What each model must reach before it is promoted."""
    rows = [
        (
            each.imbalance, each.document.version, gate["name"], plain(gate["seen"]),
            f"{plain(gate['lowest'])} to {plain(gate['highest'])}", _end(gate),
        )
        for each in facts.fits
        for gate in each.gates
    ]  # fmt: skip
    failed = sum(row[-1] == "failed" for row in rows)
    says = f"{counted(failed)} of {len(rows)} gates failed; what fails one is not promoted."
    head = ("imbalance", "model", "gate", "seen", "bounds", "")
    return Section("Gates", says, tables=[ReportTable(head, rows)])


def _end(gate: Row) -> str:
    if gate["passed"]:
        return "passed"
    overruled = gate.get("overruled")
    return f"overruled: {overruled['reason']}" if overruled else "failed"


class FeatureEvidence(NamedTuple):
    """A feature: the labels of its bins, and their evidence."""

    name: str
    labels: Sequence[str]
    bins: Sequence[Evidence]

    @property
    def value(self) -> float:
        """Its information value."""
        return information_value(self.bins)


def by_feature(document: ModelDocument) -> list[FeatureEvidence]:
    """The features of a model, the highest information value first, of equals in their order."""
    found = [
        FeatureEvidence(each.name, each.labels, evidence(each.counts, each.bads))
        for each in document.baselines
        if each.role == "feature"
    ]
    return sorted(found, key=lambda each: -each.value)


def information(document: ModelDocument) -> Section:
    """Every feature by information value, then each one's bins."""
    features = by_feature(document)
    values = [(each.name, plain(each.value), strength(each.value)) for each in features]
    says = (
        "How far the bins of each feature, by itself, part good from bad among the "
        f"{document.facts.rows:,} training loans. Weight of evidence (WoE) is "
        "log-odds of bad: above zero, a bin has more than its share of the bad loans. Many bins "
        "and few bad loans raise the information value by chance."
    )
    tables = [ReportTable(("feature", "information value", ""), values), *map(_bins, features)]
    return Section("Information value", says, tables=tables)


def _bins(feature: FeatureEvidence) -> ReportTable:
    rows = [
        (
            label, counted(each.loans), percent(each.bad_rate), _signed(each.weight),
            plain(each.value),
        )
        for label, each in zip(feature.labels, feature.bins, strict=True)
        if each.loans
    ]  # fmt: skip
    return ReportTable((feature.name, "loans", "bad rate", "WoE", "of the information value"), rows)


def _signed(weight: float | None) -> str:
    return "" if weight is None else f"{weight:+.3f}"
