"""A night's report: its sections, in the order in which they are read.

Everything comes from counts that are bounded by the scale and the contract, never by the book.
"""

from collections.abc import Callable, Sequence

from credit_spark.reporting.by_vintage import vintages
from credit_spark.reporting.changes import changes
from credit_spark.reporting.decisions import decisions
from credit_spark.reporting.facts import NightFacts
from credit_spark.reporting.headline import headline
from credit_spark.reporting.portfolio import portfolio
from credit_spark.reporting.ranking import ranking
from credit_spark.reporting.sections import Report, Section
from credit_spark.reporting.sources import data, model, run

SECTIONS: Sequence[Callable[[NightFacts], Section]] = (
    headline, ranking, decisions, portfolio, vintages, changes, data, model, run,
)  # fmt: skip


def report(facts: NightFacts) -> Report:
    """A night's report."""
    return Report(
        facts.contract.title, f"The night of {facts.as_of}", [make(facts) for make in SECTIONS]
    )
