"""A challenger becomes champion, or the earlier champion again; the decision is kept with it."""

from collections.abc import Sequence

from credit_spark.config.errors import GateError, InputError, instead_of, listed
from credit_spark.pipeline.context import RunContext
from credit_spark.storage.models import Decision, Gate

# Who promotes where the contract says `promotion: automatic`.
AUTOMATIC = Decision("credit-spark nightly", "it passed its gates; promotion is automatic")


def promote(
    run: RunContext,
    version: str | None = None,
    overruled: Sequence[str] = (),
    reason: str = "",
    by: str = "",
) -> None:
    """Make a fit the champion from the batch date on; the newest challenger where none is named.

    Failed gates that are `overruled` by name do not hinder it. Who decides, and why, is kept with
    the model.
    """
    chosen = version or run.models.newest_challenger(run.as_of)
    faults = [*_unknown_gates(run.models.gates(chosen), overruled)]
    champion = run.models.champion(run.as_of)
    if champion and champion.version == chosen:
        faults.append(f"--model: {chosen} is the champion of {run.as_of} already")
    decision = _decided(by, reason, faults)
    make_champion(run, chosen, decision, overruled)


def rollback(run: RunContext, by: str = "", reason: str = "") -> None:
    """Reinstate the previous champion from the batch date onwards.

    Who decides, and why, is kept with the model.
    """
    decision = _decided(by, reason)
    chosen = run.models.earlier_champion(run.as_of)
    run.models.promote(chosen, run.as_of, decision, is_rollback=True)
    run.summary.facts["model_version"] = chosen
    run.summary.note("promote", {"model_version": chosen, "overruled": []})


def make_champion(
    run: RunContext, version: str, decision: Decision, overruled: Sequence[str] = ()
) -> None:
    """Promote a fit that passes its gates, but for those that are overruled.

    Raises:
        GateError: it fails another one.
    """
    failed = check_gates(run, version, overruled)
    run.models.promote(version, run.as_of, decision, failed)
    run.summary.facts["model_version"] = version
    run.summary.note("promote", {"model_version": version, "overruled": failed})


def check_gates(run: RunContext, version: str, overruled: Sequence[str] = ()) -> list[str]:
    """The gates that a fit fails, all of which are overruled.

    Raises:
        GateError: it fails another one.
    """
    failed = [each for each in run.models.gates(version) if not each.is_passed]
    if hindering := [str(each) for each in failed if each.name not in overruled]:
        headline = (
            f"the model {version} may not go live; the champion, if any, stays. Train another, or "
            "overrule a gate by --overrule"
        )
        raise GateError(listed(headline, hindering))
    return [each.name for each in failed]


def _unknown_gates(gates: Sequence[Gate], overruled: Sequence[str]) -> list[str]:
    names = [each.name for each in gates]
    return [
        f"--overrule: there is no gate '{name}'; {instead_of(name, names)}"
        for name in overruled
        if name not in names
    ]


def _decided(by: str, reason: str, faults: Sequence[str] = ()) -> Decision:
    """The decision, with all that is kept of it."""
    found = [*faults]
    if not by.strip():
        found.append("--by: say who decides; it is kept with the model")
    if not reason.strip():
        found.append("--reason: say why; it is kept with the model")
    if found:
        raise InputError(listed("nothing was promoted", found))
    return Decision(by.strip(), reason.strip())
