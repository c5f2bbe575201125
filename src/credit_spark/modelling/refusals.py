"""Hard rules: what is declined whatever its score, and the reasons that come before all others."""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from credit_spark.contract.expressions import condition
from credit_spark.contract.models import Contract
from credit_spark.modelling.document import Refusal


def refusals(contract: Contract) -> tuple[Refusal, ...]:
    """The contract's hard rules, compiled."""
    kinds = {name: promise.kind for name, promise in contract.columns.items()}
    return tuple(
        Refusal(name=name, sql=condition(rule.sql, kinds).sql, reason=rule.reason)
        for name, rule in contract.decline_if.items()
    )


def refused(rules: Sequence[Refusal]) -> Column:
    """The reasons of the rules that hold, in the contract's order; what is unknown does not."""
    held = [F.when(F.expr(each.sql), F.lit(each.reason)) for each in rules]
    return F.array_compact(F.array(*held))
