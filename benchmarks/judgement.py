"""What times and peaks mean: is it slower, is a goal met. Numbers in, a verdict out."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

SHARE_BEYOND, SECONDS_BEYOND = 0.15, 0.5


def is_slower(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether our median lies beyond theirs by 15% and by half a second."""
    mine, base = median(ours), median(theirs)
    return mine > base * (1 + SHARE_BEYOND) and mine > base + SECONDS_BEYOND


class Goal(NamedTuple):
    """What is aimed at beside a program: ours over theirs, at most so much."""

    program: str
    measure: str
    most: float


class Outcome(NamedTuple):
    """A goal, and what was measured: ours over theirs."""

    goal: Goal
    ratio: float

    @property
    def is_met(self) -> bool:
        """Whether it is no more than the goal."""
        return self.ratio <= self.goal.most


def outcome(goal: Goal, ours: float, theirs: float) -> Outcome:
    """What became of a goal."""
    return Outcome(goal, ours / theirs)
