"""Rows of `runs` put together: what is known of each night."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

COMPLETE = "complete"
# Commands that write a night's rows: the others neither complete a night nor break it.
WRITING = ("nightly", "clean", "score", "measure")


def complete_nights(runs: Iterable[Mapping[str, Any]]) -> dict[date, Mapping[str, Any]]:
    """What complete runs know of each night together, the earliest night first.

    A night's steps may have been taken one by one; of a fact, what was told last counts. In come
    rows in the order in which they ended.
    """
    found: dict[date, dict[str, Any]] = {}
    for run in runs:
        if run["status"] == COMPLETE and run["command"] in WRITING:
            told = {name: value for name, value in run.items() if value is not None}
            found.setdefault(run["as_of"], dict.fromkeys(run)).update(told)
    return {as_of: found[as_of] for as_of in sorted(found)}
