"""What a task of `clean` does with a piece of the night: lines of the spool to files of a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Self

import polars as pl

from credit_spark.adapters.spool import Spool, SpoolWriter
from credit_spark.adapters.staging import Stage, Staged
from credit_spark.cleaning.blocks import Summary
from credit_spark.cleaning.superseding import (
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


def contested_in(part: Range, spool: Spool, pieces: Sequence[int]) -> Hashes:
    """The hashes in a part that more than one accepted line has."""
    blocks = (
        block.filter(part.has(pl.col("hash")))["hash"]
        for piece in pieces
        for block in spool.blocks(f"accepted-{piece}", ["hash"])
    )
    return standing_twice(pl.concat([pl.Series("hash", [], pl.Int64), *blocks]))


def write_alone(
    piece: Summary, contested: Hashes | None, parts: Sequence[Range], spool: Spool, stage: Stage
) -> Written:
    """Stage a piece's lines that are alone with their key; its others go back to `spool`."""
    with ExitStack() as files:
        loans = files.enter_context(stage.writer(f"part-{piece.number:05d}"))
        rivals = [
            (part, files.enter_context(spool.writer(f"rivals-{part.nth}-{piece.number}")))
            for part in parts
        ]
        for block in spool.blocks(f"accepted-{piece.number}"):
            lines = block.with_columns(pl.lit(piece.source_file).alias("source_file"))
            is_rival = is_contested(lines, contested)
            loans.write(alone(lines.filter(~is_rival)))
            _write_rivals(lines.filter(is_rival), rivals)
    return Written(loans.staged())


def write_newest(
    part: Range, pieces: Sequence[int], newest_by: Sequence[str], spool: Spool, stage: Stage
) -> Written:
    """Stage, of the lines in a part that share a key, the newest, and count the others."""
    lines = _together(spool, [f"rivals-{part.nth}-{piece}" for piece in pieces])
    if lines is None:
        return Written()
    staying, superseded = settled(lines, newest_by)
    with stage.writer(f"newest-{part.nth:05d}") as loans:
        loans.write(staying)
    return Written(loans.staged(), dict(superseded.group_by("source_file").len().iter_rows()))


def write_set_aside(part: Range, pieces: Sequence[Summary], spool: Spool, stage: Stage) -> Written:
    """Stage the quarantined lines whose keys or contents lie in a part."""
    in_part = part.has(hash_of_key())
    blocks = [
        block.filter(in_part).with_columns(pl.lit(piece.source_file).alias("source_file"))
        for piece in pieces
        for block in spool.blocks(f"quarantined-{piece.number}")
    ]
    with stage.writer(f"part-{part.nth:05d}") as quarantine:
        if blocks:
            quarantine.write(
                set_aside(pl.concat(blocks)).with_columns(pl.lit("open").alias("status"))
            )
    return Written(quarantine.staged())


def _write_rivals(lines: pl.DataFrame, parts: Iterable[tuple[Range, SpoolWriter]]) -> None:
    if lines.is_empty():
        return
    for part, writer in parts:
        writer.write(lines.filter(part.has(pl.col("hash"))))


def _together(spool: Spool, names: Iterable[str]) -> pl.DataFrame | None:
    blocks: Iterator[pl.DataFrame] = (block for name in names for block in spool.blocks(name))
    found = list(blocks)
    return pl.concat(found) if found else None
