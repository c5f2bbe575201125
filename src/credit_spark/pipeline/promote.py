"""A challenger becomes the champion, where it passed its gates, or where someone answers for it."""

from collections.abc import Sequence

from credit_spark.contract.errors import GateError, InputError, instead_of, listed
from credit_spark.pipeline.context import RunContext
from credit_spark.storage.models import Gate


def promote(
    run: RunContext, version: str | None = None, overruled: Sequence[str] = (), reason: str = ""
) -> None:
    """Make a fit the champion from the batch date on; the newest challenger where none is named.

    Failed gates that are `overruled` by name, for a `reason`, do not hinder it; both are kept.
    """
    chosen = version or run.models.newest_challenger(run.as_of)
    gates = run.models.gates(chosen)
    _can_be_overruled(gates, overruled, reason)
    failed = [each for each in gates if not each.is_passed]
    if hindering := [str(each) for each in failed if each.name not in overruled]:
        headline = (
            f"the model {chosen} may not go live; the champion, if any, stays. Train another, or "
            "overrule a gate by --overrule with --reason"
        )
        raise GateError(listed(headline, hindering))
    needed = [each.name for each in failed]
    run.models.promote(chosen, run.as_of, needed, reason)
    run.ledger.facts["model_version"] = chosen
    run.ledger.note("promote", {"model_version": chosen, "overruled": needed})


def _can_be_overruled(gates: Sequence[Gate], overruled: Sequence[str], reason: str) -> None:
    names = [each.name for each in gates]
    faults = [
        f"--overrule: there is no gate '{name}'; {instead_of(name, names)}"
        for name in overruled
        if name not in names
    ]
    if overruled and not reason.strip():
        faults.append("--reason: say why a gate is overruled; it is kept with the model")
    if reason and not overruled:
        faults.append("--overrule: name the gate that the --reason is for")
    if faults:
        raise InputError(listed("nothing was promoted", faults))
