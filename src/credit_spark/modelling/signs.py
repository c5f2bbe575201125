"""Coefficients held against what a contract expects of them."""

from collections.abc import Iterator

from credit_spark.contract.models import Contract, Feature
from credit_spark.scoring.document import Category, ModelDocument, Number


def wrong_signs(document: ModelDocument, contract: Contract) -> Iterator[str]:
    """Remarks on coefficients that say the opposite of what the contract expects."""
    for each in document.features:
        feature = contract.features[each.name]
        change, what = _change(each, feature)
        found = "increases_risk" if change > 0 else "lowers_risk"
        if feature.expect and change and found != feature.expect:
            yield (
                f"{each.name}: the fit says that it {found}, the contract expects {feature.expect} "
                f"({what} {change:+.3f})"
            )


def _change(term: Number | Category, feature: Feature) -> tuple[float, str]:
    """What a higher value adds to the log-odds of bad, and what that is called."""
    if isinstance(term, Number):
        return term.coefficient, "coefficient"
    # Bins of a number rise, after those of the values that stand apart: missing, then special.
    bins = term.levels[1 + len(feature.special) :]
    return (bins[-1].slope - bins[0].slope if bins else 0.0), "from the lowest bin to the highest"
