"""The closest right name for one that is wrong."""

from collections.abc import Iterable
from difflib import get_close_matches


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
