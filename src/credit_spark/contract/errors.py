"""Why a command ends early: one class per exit code, each with a message for its user."""

from collections.abc import Iterable


class CreditSparkError(Exception):
    """A command ends early; the message is for its user and holds no borrower's values."""

    exit_code = 1


class InputError(CreditSparkError):
    """The command, the settings or the contract is wrong: nothing was touched."""

    exit_code = 2


class LandingError(CreditSparkError):
    """The landing files of a batch date break the contract as a whole."""

    exit_code = 10


class GateError(CreditSparkError):
    """A gate stopped the run: expectations, or a model that may not go live."""

    exit_code = 11


class DriftError(CreditSparkError):
    """The run is complete, and a monitored figure asks for action."""

    exit_code = 12


class TryAgainError(CreditSparkError):
    """Another run or a storage fault is in the way: the same command may succeed later."""

    exit_code = 20


def listed(headline: str, faults: Iterable[str]) -> str:
    """All faults at once: a headline, then one fault a line."""
    return "\n  ".join([headline, *faults])
