"""What a task of `clean` does with a piece of the night: lines of the spool to files of a table."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Self

import polars as pl

from credit_spark.adapters.spool import Spool
from credit_spark.adapters.staging import Stage, Staged
from credit_spark.cleaning.blocks import Summary
from credit_spark.cleaning.superseding import (
    Contested,
    Hashes,
    Range,
    alone,
    hash_of_key,
    is_contested,
    set_aside,
    settled,
    standing_twice,
)


class Written(NamedTuple):
    """Files that were staged, and how many lines of each landing file gave way to a newer one."""

    staged: Sequence[Staged] = ()
    superseded: Mapping[str, int] = {}

    @property
    def rows(self) -> int:
        """How many lines were staged."""
        return sum(each.rows for each in self.staged)

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """What several tasks have written."""
        staged: list[Staged] = []
        superseded: dict[str, int] = {}
        for each in parts:
            staged += each.staged
            for name, lines in each.superseded.items():
                superseded[name] = superseded.get(name, 0) + lines
        return cls(staged, superseded)


def contested_in(part: Range, most: int, spool: Spool, pieces: Sequence[int]) -> Contested:
    """The hashes in a part that more than one accepted line has; of more than `most`, one more."""
    blocks = (
        block.filter(part.has(pl.col("hash")))["hash"]
        for piece in pieces
        for block in spool.blocks(f"accepted-{piece}", ["hash"])
    )
    found = standing_twice(pl.concat([pl.Series("hash", [], pl.Int64), *blocks]))
    return found._replace(hashes=found.hashes[: most + 1])


class Meetings(NamedTuple):
    """The parts in which lines meet their equals: those with contested keys, those set aside."""

    rivals: Sequence[Range]
    aside: Sequence[Range]


def write_alone(
    piece: Summary,
    contested: Hashes | None,
    newest_by: Sequence[str],
    meetings: Meetings,
    spool: Spool,
    stage: Stage,
) -> Written:
    """Stage a piece's lines that are alone with their key; the others go to their meetings.

    Of a block's lines with one key only the newest goes, however often a key stands.
    """
    superseded: Counter[str] = Counter()
    with ExitStack() as files:
        loans = files.enter_context(stage.writer(f"part-{piece.number:05d}"))
        rivals = _sender(files, spool, "rivals", piece, meetings.rivals)
        for lines in _lines(spool, "accepted", piece):
            is_rival = is_contested(lines, contested)
            loans.write(alone(lines.filter(~is_rival)))
            if is_rival.any():
                staying, gone = settled(lines.filter(is_rival), newest_by)
                superseded[piece.source_file] += gone.height
                rivals(staying.select(lines.columns))
        aside = _sender(files, spool, "aside", piece, meetings.aside)
        for lines in _lines(spool, "quarantined", piece):
            aside(lines)
    return Written(loans.staged(), +superseded)


def write_newest(
    part: Range, pieces: Sequence[int], newest_by: Sequence[str], spool: Spool, stage: Stage
) -> Written:
    """Stage, of the lines in a part that share a key, the newest, and count the others."""
    lines = _met(spool, "rivals", part, pieces)
    if lines is None:
        return Written()
    staying, gone = settled(lines, newest_by)
    with stage.writer(f"newest-{part.nth:05d}") as loans:
        loans.write(staying)
    return Written(loans.staged(), dict(gone.group_by("source_file").len().iter_rows()))


def write_set_aside(part: Range, pieces: Sequence[int], spool: Spool, stage: Stage) -> Written:
    """Stage the quarantined lines in a part."""
    lines = _met(spool, "aside", part, pieces)
    if lines is None:
        return Written()
    with stage.writer(f"part-{part.nth:05d}") as quarantine:
        quarantine.write(set_aside(lines).with_columns(pl.lit("open").alias("status")))
    return Written(quarantine.staged())


def _lines(spool: Spool, name: str, piece: Summary) -> Iterator[pl.DataFrame]:
    """The lines of a piece, which know their file from here on."""
    file = pl.lit(piece.source_file).alias("source_file")
    return (block.with_columns(file) for block in spool.blocks(f"{name}-{piece.number}"))


def _sender(
    files: ExitStack, spool: Spool, name: str, piece: Summary, parts: Sequence[Range]
) -> Callable[[pl.DataFrame], None]:
    """Writes lines to where all that may share a key with them come."""
    writers = [
        (part, files.enter_context(spool.writer(f"{name}-{part.nth}-{piece.number}")))
        for part in parts
    ]

    def send(lines: pl.DataFrame) -> None:
        if not lines.is_empty():
            for part, writer in writers:
                writer.write(lines.filter(part.has(hash_of_key())))

    return send


def _met(spool: Spool, name: str, part: Range, pieces: Sequence[int]) -> pl.DataFrame | None:
    """The lines of all pieces that meet in a part; None: there are none."""
    blocks = [block for piece in pieces for block in spool.blocks(f"{name}-{part.nth}-{piece}")]
    return pl.concat(blocks) if blocks else None
