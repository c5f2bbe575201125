"""Why a command ends early: one class an exit code, each with words for the person who ran it."""

from collections.abc import Iterable


class Stop(Exception):  # noqa: N818 - it ends a command, as StopIteration ends a loop
    """The command ends here; the text is for its user and holds no borrower's values."""

    exit_code = 1


class InputError(Stop):
    """The command, the settings or the contract is wrong: nothing was touched."""

    exit_code = 2


class LandingError(Stop):
    """The night's files break the contract as a whole."""

    exit_code = 10


class GateError(Stop):
    """A gate stopped the night: expectations, or a model that may not go live."""

    exit_code = 11


class DriftError(Stop):
    """The run is complete, and a monitored figure asks for action."""

    exit_code = 12


class TryAgainError(Stop):
    """Another run or a storage fault is in the way: the same command may pass later."""

    exit_code = 20


def listed(headline: str, faults: Iterable[str]) -> str:
    """All faults at once: a headline, then one fault a line."""
    return "\n  ".join([headline, *faults])
