"""A challenger becomes the champion, where it passed its gates."""

from credit_spark.contract.errors import GateError, InputError, listed
from credit_spark.contract.tables import MODELS
from credit_spark.steps import Night


def promote(night: Night, version: str | None = None) -> None:
    """Make a fit the champion from the night on; the newest challenger where none is named."""
    chosen = version or _newest(night)
    failed = [str(gate) for gate in night.models.gates(chosen) if not gate.is_passed]
    if failed:
        headline = f"the model {chosen} may not go live; the champion, if any, stays"
        raise GateError(listed(headline, failed))
    night.models.promote(chosen, night.as_of)
    night.ledger.facts["model_version"] = chosen
    night.ledger.note("promote", {"model_version": chosen})


def _newest(night: Night) -> str:
    rows = night.tables.read(MODELS).where("status = 'challenger'")
    last = rows.orderBy("fitted_as_of", "model_version", ascending=[False, True]).first()
    if last is None:
        raise InputError("there is no challenger to promote; run 'train' first")
    return str(last["model_version"])
