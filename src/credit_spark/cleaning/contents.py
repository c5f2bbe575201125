"""What a line says, as 128 bits: the key of loans that the lender has given none.

Two 64-bit hashes over the line's fields, each begun with another number. They are those of Spark's
own xxhash64, so the ids of loans do not change with what computes them.
Source: the XXH64 algorithm, xxHash specification, chained over fields as Spark chains columns.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

# Stands for null in a hash, which would else take (null, 'a') and ('a', null) for equal.
NULL_MARK = "\u0000"
SPARKS_SEED = 42
HALVES = (1, 2)
STRIPE, WORD, HALF_WORD = 32, 8, 4
P1, P2, P3, P4, P5 = (
    np.uint64(each)
    for each in (
        0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)  # fmt: skip
Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


class Texts(NamedTuple):
    """Texts as bytes that follow each other: where each begins, how many it has."""

    content: npt.NDArray[np.uint8]
    begins: Places
    lengths: Places

    def words(self, rows: Places, at: Places | int, width: int) -> Words:
        """So many bytes of each of some texts, from `at` on, as a number, its lowest byte first."""
        places = self.begins[rows] + at
        found = np.zeros((len(rows), WORD), np.uint8)
        found[:, :width] = self.content[places[:, None] + np.arange(width)]
        words: Words = found.view("<u8")[:, 0]
        return words


def contents_of(fields: pl.DataFrame) -> pl.Series:
    """The 32 hexadecimal digits of each line's fields."""
    begun = np.array([[_of_number(half, SPARKS_SEED)] for half in HALVES], np.uint64)
    hashes = np.repeat(begun, fields.height, axis=1)
    with np.errstate(over="ignore"):
        for field in fields:
            hashes = _hashed(_texts(field.fill_null(NULL_MARK)), hashes)
    digits = np.ascontiguousarray(hashes.T.astype(">u8"))
    whole = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(WORD * len(HALVES)), fields.height, [None, pa.py_buffer(digits)]
    )
    return pl.Series(whole.cast(pa.binary())).bin.encode("hex")


def _texts(field: pl.Series) -> Texts:
    array = field.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
    _, offsets, content = array.buffers()
    places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return Texts(np.frombuffer(content, np.uint8), places[:-1], np.diff(places))


def _of_number(number: int, seed: int) -> np.uint64:
    """The hash of a whole number of 32 bits."""
    with np.errstate(over="ignore"):
        mixed = np.array([seed, number], np.uint64)
        word = (mixed[:1] + P5 + np.uint64(HALF_WORD)) ^ (mixed[1:] * P1)
        return np.uint64(_finished(_rotated(word, 23) * P2 + P3)[0])


def _hashed(texts: Texts, seeds: Words) -> Words:
    """Hashes of texts, of each half (rows of `seeds`) begun with what came before."""
    hashes, at = _striped(texts, seeds)
    hashes = hashes + texts.lengths.astype(np.uint64)
    while len(rows := np.flatnonzero(texts.lengths - at >= WORD)):
        word = _rotated(texts.words(rows, at[rows], WORD) * P2, 31) * P1
        hashes[:, rows] = _rotated(hashes[:, rows] ^ word, 27) * P1 + P4
        at[rows] += WORD
    if len(rows := np.flatnonzero(texts.lengths - at >= HALF_WORD)):
        word = texts.words(rows, at[rows], HALF_WORD) * P1
        hashes[:, rows] = _rotated(hashes[:, rows] ^ word, 23) * P2 + P3
        at[rows] += HALF_WORD
    while len(rows := np.flatnonzero(texts.lengths > at)):
        byte = texts.words(rows, at[rows], 1) * P5
        hashes[:, rows] = _rotated(hashes[:, rows] ^ byte, 11) * P1
        at[rows] += 1
    return _finished(hashes)


def _striped(texts: Texts, seeds: Words) -> tuple[Words, Places]:
    """Hashes after the stripes of 32 bytes of long texts, and where each text goes on."""
    hashes, at = seeds + P5, np.zeros(len(texts.lengths), np.int64)
    long = np.flatnonzero(texts.lengths >= STRIPE)
    if not len(long):
        return hashes, at
    seed = seeds[:, long]
    lanes = [seed + P1 + P2, seed + P2, seed, seed - P1]
    for start in range(0, int(texts.lengths.max()) - STRIPE + 1, STRIPE):
        going = np.flatnonzero(texts.lengths[long] - start >= STRIPE)
        for nth, lane in enumerate(lanes):
            word = texts.words(long[going], start + nth * WORD, WORD)
            lane[:, going] = _rotated(lane[:, going] + word * P2, 31) * P1
    turns = (1, 7, 12, 18)
    turned = [_rotated(lane, turn) for lane, turn in zip(lanes, turns, strict=True)]
    merged: Words = np.sum(turned, axis=0, dtype=np.uint64)
    for lane in lanes:
        merged = (merged ^ (_rotated(lane * P2, 31) * P1)) * P1 + P4
    hashes[:, long] = merged
    at[long] = texts.lengths[long] // STRIPE * STRIPE
    return hashes, at


def _rotated(word: Words, bits: int) -> Words:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


def _finished(hashes: Words) -> Words:
    mixed = (hashes ^ (hashes >> np.uint64(33))) * P2
    mixed = (mixed ^ (mixed >> np.uint64(29))) * P3
    return mixed ^ (mixed >> np.uint64(32))
