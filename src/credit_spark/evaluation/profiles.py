"""Bins of what is watched, as they stand in the table `profiles`."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple, Self


class Bin(NamedTuple):
    """A bin of a subject, and a night's loans in it.

    `reference` are loans that the model learnt from, `reference_bad` the bad ones. Good and bad
    are only those loans that are old enough to judge by.
    """

    role: str
    subject: str
    bin: int
    label: str
    good: int
    bad: int
    open: int
    pd_sum: float
    known_pd_sum: float
    reference: int | None
    reference_bad: int | None

    @property
    def loans(self) -> int:
        """All loans in it."""
        return self.good + self.bad + self.open

    @property
    def known(self) -> int:
        """Loans with an outcome that may be judged by."""
        return self.good + self.bad

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """A bin from a row of the table."""
        return cls(*[row[name] for name in cls._fields])


Profiles = Mapping[tuple[str, str], list[Bin]]


def by_subject(bins: Iterable[Bin]) -> Profiles:
    """The bins of each role's subjects, in order; subjects by their names."""
    ordered = sorted(bins, key=lambda each: each[:3])
    return {key: list(own) for key, own in groupby(ordered, key=lambda each: each[:2])}
