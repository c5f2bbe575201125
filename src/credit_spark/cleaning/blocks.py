"""A block of judged lines on its way to the tables: some lines, and what is known of all of them.

Lines go from task to task as they were typed, so text is parsed once; only the counts come to the
driver.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import polars as pl

from credit_spark.cleaning.contents import contents_of
from credit_spark.cleaning.superseding import hash_of_key
from credit_spark.cleaning.verdicts import Count, Judge, Judged, rule_counts


class Summary(NamedTuple):
    """What a file, or a part of one, came to.

    `number` tells the piece, `lines` is how many its reader gave. `fault` says why it could not be
    read to its end.
    """

    source_file: str
    number: int
    lines: int = 0
    counts: Mapping[Count, int] = {}
    rules: Mapping[str, int] = {}
    fault: str | None = None

    def with_block(self, judged: Judged, lines: int) -> Self:
        """The same after one more block of so many lines."""
        counts = Counter(dict(self.counts))
        counts.update({each._replace(rows=0): each.rows for each in judged.counts})
        rules = Counter(dict(self.rules)) + Counter(rule_counts(judged.quarantined))
        return self._replace(lines=self.lines + lines, counts=counts, rules=rules)


def accepted_lines(judged: Judged, judge: Judge, number: int) -> pl.DataFrame:
    """The accepted lines of a file's block, numbered by `place`, with a `hash` to find equals by.

    `key` is the lender's, `content` stands for it in files that have none.
    """
    lines = _placed(judged.accepted, judged.accepted_fields, judge, number)
    return lines.with_columns(hash_of_key().alias("hash"))


def quarantined_lines(judged: Judged, judge: Judge, number: int) -> pl.DataFrame:
    """The quarantined lines of a file's block, with `place`, `key` and `content` alike."""
    return _placed(judged.quarantined, judged.quarantined_fields, judge, number)


def counted(summaries: Iterable[Summary]) -> int:
    """How many lines the readers gave."""
    return sum(each.lines for each in summaries)


def _placed(lines: pl.DataFrame, fields: pl.DataFrame, judge: Judge, number: int) -> pl.DataFrame:
    content = pl.lit(None, pl.String) if judge.is_keyed else contents_of(fields)
    place = pl.int_range(pl.len(), dtype=pl.Int64) + (number << 32)
    return lines.with_columns(content.alias("content"), place.alias("place"))
