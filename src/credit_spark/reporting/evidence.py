"""Information value of a model's features, and the weight of evidence of their bins.

Bins are those that are watched batch by batch, with the model's training loans.
"""

from collections.abc import Sequence
from typing import NamedTuple

from credit_spark.evaluation.evidence import Evidence, evidence, information_value, strength
from credit_spark.reporting.sections import ReportTable, Section, counted, percent, plain
from credit_spark.scoring.document import ModelDocument


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
