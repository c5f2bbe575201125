"""One verdict a line: accepted, quarantined, or no loan at all (a footer).

In come a file's lines, a part at a time; what a line says of itself is told here. Which of two
lines with one key stays is told by all files together, in superseding.py.
"""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

import polars as pl

from credit_spark.cleaning.lines import is_footer, outside_of, raw, typed
from credit_spark.cleaning.rules import Rule, outcome, reasons, rules_of, sound
from credit_spark.contract.models import Contract
from credit_spark.ingest.layouts import Shape, key_of

ACCEPTED, QUARANTINED, SUPERSEDED, FOOTER = "accepted", "quarantined", "superseded", "footer"


class Count(NamedTuple):
    """Lines that came to one verdict, with values turned null or clipped in the same columns."""

    verdict: str
    replaced: str
    rows: int


class Judged(NamedTuple):
    """Lines after their verdicts.

    `accepted` has `key`, the contract's columns and `outcome`; `quarantined` has `key`, `reasons`
    and `raw`. Beside each stand the fields that its lines were read from, in the same order, where
    these have to serve as the key.
    """

    accepted: pl.DataFrame
    accepted_fields: pl.DataFrame
    quarantined: pl.DataFrame
    quarantined_fields: pl.DataFrame
    counts: list[Count]


@dataclass(frozen=True)
class Judge:
    """Judges the lines of files of one shape, on one night."""

    contract: Contract
    as_of: date
    shape: Shape
    footer: tuple[str, ...] = ()

    @property
    def is_keyed(self) -> bool:
        """Whether the lender has given the loans of this layout a key."""
        return key_of(self.contract.source.layouts[self.shape.layout], self.contract) is not None

    @cached_property
    def _rules(self) -> list[Rule]:
        return rules_of(self.contract, is_keyed=self.is_keyed)

    @cached_property
    def _is_sound(self) -> pl.Expr:
        return sound(self._rules)

    @cached_property
    def _reasons(self) -> pl.Expr:
        return reasons(self._rules)

    @cached_property
    def _raw(self) -> pl.Expr:
        return raw(self.shape)

    @property
    def _bounded(self) -> list[str]:
        columns = self.contract.columns.items()
        return [name for name, promise in columns if promise.outside != "quarantine"]

    def judge(self, lines: pl.DataFrame) -> Judged:
        """Type lines and give each its verdict.

        In come fields by position, `f0` to `fN`, and `line` (see lines.py).
        """
        read = typed(lines, self.shape, self.contract).with_columns(
            pl.lit(self.as_of).alias("as_of")
        )
        is_accepted = read.select(self._is_sound).to_series()
        footer = is_footer(lines, self.footer)
        is_quarantined = ~is_accepted & ~footer
        fields = pl.DataFrame() if self.is_keyed else lines.drop("line")
        return Judged(
            self._loans(read).filter(is_accepted),
            _chosen(fields, is_accepted),
            self._set_aside(read.filter(is_quarantined), lines.filter(is_quarantined)),
            _chosen(fields, is_quarantined),
            self._counts(read, is_accepted, footer),
        )

    def _loans(self, read: pl.DataFrame) -> pl.DataFrame:
        return read.select("key", *self.contract.columns, outcome(self.contract).alias("outcome"))

    def _set_aside(self, read: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        if read.is_empty():
            return pl.DataFrame(
                schema={"key": pl.String, "reasons": pl.List(pl.String), "raw": pl.String}
            )
        return read.select("key", self._reasons).hstack(lines.select(self._raw))

    def _counts(self, read: pl.DataFrame, is_accepted: pl.Series, footer: pl.Series) -> list[Count]:
        said = pl.when(is_accepted).then(pl.lit(ACCEPTED)).when(footer).then(pl.lit(FOOTER))
        verdict = said.otherwise(pl.lit(QUARANTINED)).alias("verdict")
        flags = {outside_of(name): name for name in self._bounded}
        counted = read.group_by(verdict, *flags).len(name="rows")
        return sorted(
            Count(row["verdict"], _replaced(row, flags), row["rows"])
            for row in counted.iter_rows(named=True)
        )


def _chosen(fields: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    return fields.filter(rows) if fields.width else fields


def _replaced(row: dict[str, bool], flags: dict[str, str]) -> str:
    return ",".join(name for flag, name in flags.items() if row[flag])


def rule_counts(quarantined: pl.DataFrame) -> dict[str, int]:
    """Quarantined lines by the rule that they break; one line can break several."""
    rules = quarantined["reasons"].explode().str.split(":").list.first()
    return dict(rules.value_counts().iter_rows())
