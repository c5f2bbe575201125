"""A challenger becomes the champion, where it passed its gates."""

from credit_spark.contract.errors import GateError, listed
from credit_spark.steps import Night


def promote(night: Night, version: str | None = None) -> None:
    """Make a fit the champion from the night on; the newest challenger where none is named."""
    chosen = version or night.models.newest_challenger(night.as_of)
    failed = [str(gate) for gate in night.models.gates(chosen) if not gate.is_passed]
    if failed:
        headline = f"the model {chosen} may not go live; the champion, if any, stays"
        raise GateError(listed(headline, failed))
    night.models.promote(chosen, night.as_of)
    night.ledger.facts["model_version"] = chosen
    night.ledger.note("promote", {"model_version": chosen})
