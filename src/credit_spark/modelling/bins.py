"""Features in bins, and the weight of evidence of each: the classic scorecard.

A binned feature is a text, the name of the bin, so whatever scores a text scores it.
Source: Siddiqi, Credit Risk Scorecards, chapter 6, Initial characteristic analysis.
"""

from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from math import log
from typing import NamedTuple

from sqlglot import exp

from credit_spark.contract.tables import MISSING
from credit_spark.features.columns import LARGEST

# Added to each count, so that a bin of nothing but good loans has evidence that is finite.
HALF = 0.5
OTHER = "(any other)"
# A blank for the value, which no text of a book can hold.
VALUE = "\0"
# As features do: what is not finite is not known.
_LARGEST = f"{LARGEST!r}".replace("e+", "e")
IS_MISSING = f"{VALUE} is null or not {VALUE} between -{_LARGEST} and {_LARGEST}"


class Classes(NamedTuple):
    """How many rows are good and bad, or what they weigh together."""

    good: float
    bad: float

    @property
    def rows(self) -> int:
        """Both together."""
        return int(self.good + self.bad)

    @property
    def log_odds(self) -> float:
        """Log-odds of bad."""
        return log((self.bad + HALF) / (self.good + HALF))


class Bin(NamedTuple):
    """A bin: its name, when a value is in it where it was in none before, its share, its evidence.

    `condition` is SQL with a blank for the value; None: whatever is left. `evidence` is the
    log-odds of bad above those of all loans, none where no loan is in the bin. `texts` are what a
    text's bin holds.
    """

    name: str
    condition: str | None
    share: float
    evidence: float
    texts: tuple[str, ...] = ()


def bins_of_number(
    splits: Sequence[float],
    counts: Sequence[Classes],
    missing: Classes,
    special: Mapping[float, Classes],
) -> list[Bin]:
    """A number's bins, those of values that stand apart first: the missing, the special.

    In come the values at which bins begin, but for the first, and the loans of each.
    """
    below = [*[f"{VALUE} < {split!r}" for split in splits], None]
    return _bins([
        (MISSING, IS_MISSING, missing),
        *[(repr(value), f"{VALUE} = {value!r}", each) for value, each in special.items()],
        *zip(_names(splits), below, counts, strict=True),
    ])  # fmt: skip


def bins_of_text(groups: Sequence[Sequence[str]], counts: Sequence[Classes]) -> list[Bin]:
    """A text's bins: groups of texts; one that is in no group is in no bin."""
    known = f"coalesce({VALUE}, {_quoted(MISSING)})"
    texts = [tuple(sorted(group)) for group in groups]
    conditions = [f"{known} in ({', '.join(map(_quoted, own))})" for own in texts]
    bins = _bins(list(zip(map(", ".join, texts), conditions, counts, strict=True)))
    return [each._replace(texts=own) for each, own in zip(bins, texts, strict=True)]


def named(bins: Sequence[Bin], value: str) -> str:
    """SQL of the name of a value's bin; OTHER where it is in none."""
    return _case(value, [(each.condition, _quoted(each.name)) for each in bins], _quoted(OTHER))


def evident(bins: Sequence[Bin], value: str) -> str:
    """SQL of the evidence of a value's bin; none where it is in none."""
    return _case(value, [(each.condition, f"{each.evidence!r}d") for each in bins], "0d")


def _case(value: str, results: Sequence[tuple[str | None, str]], other: str) -> str:
    whens = [
        f"when {condition.replace(VALUE, value)} then {result}"
        for condition, result in results
        if condition is not None
    ]
    (left,) = [result for condition, result in results if condition is None] or [other]
    return f"case {' '.join(whens)} else {left} end" if whens else left


def _bins(found: Sequence[tuple[str, str | None, Classes]]) -> list[Bin]:
    whole = Classes(*map(sum, zip(*[each for _, _, each in found], strict=True)))
    taken = [OTHER]
    bins = []
    for name, condition, each in found:
        evidence = each.log_odds - whole.log_odds if each.rows else 0.0
        # A number follows a name that is taken: what is scored is told by it.
        numbered = (name if nth == 1 else f"{name} ({nth})" for nth in count(1))
        taken.append(next(each for each in numbered if each not in taken))
        bins.append(Bin(taken[-1], condition, each.rows / whole.rows, evidence))
    return bins


def _names(splits: Sequence[float]) -> list[str]:
    """Names of a number's bins; no two splits read the same."""
    if not splits:
        return ["any"]
    written = ([f"{split:.{digits}g}" for split in splits] for digits in range(4, 18))
    ends = next(each for each in written if len({*each}) == len(splits))
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [f"under {ends[0]}", *between, f"{ends[-1]} and more"]


def _quoted(text: str) -> str:
    return str(exp.Literal.string(text).sql(dialect="spark"))
