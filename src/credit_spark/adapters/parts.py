"""Parts of a large file, for tasks to read side by side: each begins with a line's first byte.

A line break inside quotes ends no line, so a file's quotes are counted from its first byte on. Of a
run of quotes only an odd one tells anything: where a field begins it opens or closes quotes,
elsewhere it closes them or is a letter like others.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

CHUNK_BYTES = 2**24
QUOTE, LINE_FEED, RETURN = b'"\n\r'
# In these, a byte that looks like a quote or a line break is one.
SPLITTABLE = ("utf-8", "ascii", "latin-1", "iso-8859-1", "cp1252", "windows-1252")
Positions = npt.NDArray[np.int64]


class Part(NamedTuple):
    """Bytes of a file, from `begin` on."""

    begin: int
    length: int


class Chunk(NamedTuple):
    """Some bytes of a file, from `begin` on; `before` is the byte before them, 0 for none."""

    begin: int
    content: npt.NDArray[np.uint8]
    before: int


def parts(path: Path, delimiter: str, encoding: str, part_bytes: int) -> list[Part]:
    """The parts of a plain file of this machine, in its order, about as large as each other."""
    size = path.stat().st_size
    begins, count = [0], max(1, round(size / part_bytes))
    if count > 1 and encoding.lower() in SPLITTABLE:
        with path.open("rb") as file:
            found = _line_begins(file, delimiter, -(-size // count))
            begins += [each for each in found if each < size]
    ends = [*begins[1:], size]
    return [Part(begin, end - begin) for begin, end in zip(begins, ends, strict=True)]


def _line_begins(file: IO[bytes], delimiter: str, part_bytes: int) -> Iterator[int]:
    """Where the first line after every `part_bytes` begins."""
    target, is_quoted = part_bytes, False
    for chunk in _chunks(file):
        turns, states = _turns(chunk, ord(delimiter), is_quoted)
        end = chunk.begin + len(chunk.content)
        while target < end:
            breaks = _free_breaks(chunk, target - chunk.begin, turns, states)
            if not len(breaks):
                break
            begin = chunk.begin + int(breaks[0]) + 1
            yield begin
            target = begin + part_bytes
        is_quoted = bool(states[-1])


def _chunks(file: IO[bytes]) -> Iterator[Chunk]:
    """The file's bytes; no chunk ends within a run of quotes."""
    begin, before = 0, 0
    while content := file.read(CHUNK_BYTES):
        while content[-1] == QUOTE and (more := file.read(1)):
            content += more
        yield Chunk(begin, np.frombuffer(content, np.uint8), before)
        begin, before = begin + len(content), content[-1]


def _turns(chunk: Chunk, delimiter: int, is_quoted: bool) -> tuple[Positions, Positions]:
    """Where odd runs of quotes begin, and whether text is quoted before and after each of them.

    Of the second, the first is the state at the chunk's begin: one more than there are runs.
    """
    quotes = np.flatnonzero(chunk.content == QUOTE)
    firsts = np.flatnonzero(np.diff(quotes, prepend=-2) > 1)
    lengths = np.diff(firsts, append=len(quotes))
    runs = quotes[firsts[lengths % 2 == 1]]
    before = np.where(runs > 0, chunk.content[runs - 1], chunk.before)
    begins_field = np.isin(before, (delimiter, LINE_FEED, RETURN, 0))
    flips = np.concatenate([[int(is_quoted)], np.cumsum(begins_field) + int(is_quoted)])
    # After a run inside a field, no text is quoted: what was flipped until there counts no more.
    closes = np.where(begins_field, 0, np.arange(1, len(runs) + 1))
    last_close = np.maximum.accumulate(np.concatenate([[0], closes]))
    settled = np.where(last_close > 0, flips[last_close], 0)
    return runs, (flips - settled) % 2


def _free_breaks(chunk: Chunk, start: int, turns: Positions, states: Positions) -> Positions:
    """The line feeds from `start` on that end a line."""
    begin = max(start, 0)
    breaks: Positions = begin + np.flatnonzero(chunk.content[begin:] == LINE_FEED)
    free: Positions = breaks[states[np.searchsorted(turns, breaks)] == 0]
    return free
