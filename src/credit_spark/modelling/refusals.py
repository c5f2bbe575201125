"""Hard rules: what is declined whatever its score, and the reasons that come before all others."""

from credit_spark.contract.expressions import condition
from credit_spark.contract.models import Contract
from credit_spark.scoring.document import Refusal


def refusals(contract: Contract) -> tuple[Refusal, ...]:
    """The contract's hard rules, compiled."""
    kinds = {name: promise.kind for name, promise in contract.columns.items()}
    return tuple(
        Refusal(name=name, sql=condition(rule.sql, kinds).sql, reason=rule.reason)
        for name, rule in contract.decline_if.items()
    )
