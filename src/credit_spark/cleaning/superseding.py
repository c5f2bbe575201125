"""Which of the lines with one key stays, and what ids lines without a key have: told by all files.

Nearly every key stands once. Hashes alone are compared to find the others, and only lines whose
hash stands more than once are put beside each other: all that share a hash, in one frame.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.int64]
LEAST, SPAN = -(2**63), 2**64
PLACE = ["source_file", "place"]
OF_A_KEY = ["key", "content"]
# Of a task that puts hashes beside each other: what it holds at once.
HASHES_AT_ONCE = 10_000_000


class Range(NamedTuple):
    """One of `of` equal parts of all hashes: what is equal stands in one part."""

    nth: int
    of: int

    def has(self, hashes: pl.Expr) -> pl.Expr:
        """Whether hashes lie in this part."""
        low, high = (LEAST + SPAN * each // self.of for each in (self.nth, self.nth + 1))
        return hashes.is_between(low, high - 1)


def hash_of_key() -> pl.Expr:
    """What lines with one key, or content, have in common; with neither, a line has no equal."""
    return pl.coalesce(*OF_A_KEY, pl.col("place").cast(pl.String)).hash().reinterpret(signed=True)


def ranges(lines: int, most: int) -> list[Range]:
    """As many parts as it takes for each to have about `most` of so many lines; none for none."""
    parts = -(-lines // most)
    return [Range(nth, parts) for nth in range(parts)]


class Contested(NamedTuple):
    """Hashes that stand more than once, in order, and how many lines have one of them."""

    hashes: Hashes
    lines: int


def standing_twice(hashes: pl.Series) -> Contested:
    """The hashes that more than one line has."""
    found, counts = np.unique(hashes.to_numpy(), return_counts=True)
    return Contested(found[counts > 1], int(counts[counts > 1].sum()))


def is_contested(lines: pl.DataFrame, contested: Hashes | None) -> pl.Series:
    """Which lines have a hash of `contested`; None: all of them may."""
    if contested is None:
        return pl.repeat(value=True, n=lines.height, eager=True)
    if not len(contested):
        return pl.repeat(value=False, n=lines.height, eager=True)
    hashes = lines["hash"].to_numpy()
    nearest = np.minimum(np.searchsorted(contested, hashes), len(contested) - 1)
    return pl.Series(contested[nearest] == hashes)


def alone(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines that are alone with their key or content, with their `loan_id`."""
    return lines.with_columns(_loan_id(pl.lit("1")).alias("loan_id"))


class Settled(NamedTuple):
    """Lines that stay, with their `loan_id`, and those that give way to a newer one."""

    staying: pl.DataFrame
    superseded: pl.DataFrame


def settled(lines: pl.DataFrame, newest_by: Sequence[str]) -> Settled:
    """Of each key the newest line; equal lines with no key are loans of their own.

    The newest is the greatest by the contract's `newest_by`, then by file name, then by its place
    in the file.
    """
    told = _numbered(lines, [*newest_by, *PLACE])
    gives_way = pl.col("content").is_null() & (pl.col("nth") > 1)
    return Settled(told.filter(~gives_way), told.filter(gives_way))


def set_aside(lines: pl.DataFrame) -> pl.DataFrame:
    """Quarantined lines with their `loan_id`, where they have one."""
    return _numbered(lines, PLACE)


def _numbered(lines: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Lines with `nth` of those with their key or content, the greatest first, and `loan_id`."""
    ordered = lines.sort(order, descending=True, nulls_last=True)
    nth = (pl.int_range(pl.len()) + 1).over(OF_A_KEY).alias("nth")
    return ordered.with_columns(nth).with_columns(
        _loan_id(pl.col("nth").cast(pl.String)).alias("loan_id")
    )


def _loan_id(nth: pl.Expr) -> pl.Expr:
    numbered = pl.concat_str("content", pl.lit("-"), nth)
    return pl.when(pl.col("content").is_null()).then("key").otherwise(numbered)
