"""Coefficients held against what a contract expects of them."""

from collections.abc import Iterator

from credit_spark.contract.models import Contract
from credit_spark.scoring.document import ModelDocument, Number


def wrong_signs(document: ModelDocument, contract: Contract) -> Iterator[str]:
    """Remarks on coefficients that say the opposite of what the contract expects."""
    for each in document.features:
        feature = contract.features[each.name]
        if isinstance(each, Number):
            change, what = each.coefficient, "coefficient"
        else:
            # Bins of a number rise, after those that stand apart: missing, then special.
            bins = each.levels[1 + len(feature.special) :]
            change = bins[-1].slope - bins[0].slope if bins else 0.0
            what = "from the lowest bin to the highest"
        found = "increases_risk" if change > 0 else "lowers_risk"
        if feature.expect and change and found != feature.expect:
            yield (
                f"{each.name}: the fit says that it {found}, the contract expects {feature.expect} "
                f"({what} {change:+.3f})"
            )
