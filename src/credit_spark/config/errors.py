"""Why a command ends early: one class per exit code, each with a message for its user."""

from collections.abc import Iterable
from difflib import get_close_matches


class CreditSparkError(Exception):
    """A command ends early; the message is for its user and holds no borrower's values."""

    exit_code = 1


class InputError(CreditSparkError):
    """The command, the settings or the contract is wrong; no loans or scores were changed."""

    exit_code = 2


class NotMigratedError(InputError):
    """The tables in a folder have the names of an earlier version."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"an earlier version of credit-spark wrote the tables in {folder}; run 'credit-spark "
            "migrate' once, with the same --portfolio and --warehouse"
        )


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


def instead_of(wrong: str, right: Iterable[str]) -> str:
    """What to write instead, as the end of a sentence; all names where none is close.

    >>> instead_of("loan_amout", ["loan_amount", "term_months"])
    "did you mean 'loan_amount'?"
    >>> instead_of("zzz", ["b", "a"])
    'known here: a, b'
    """
    names = sorted(right)
    close = get_close_matches(wrong, names, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return "known here: " + (", ".join(names) or "none")
