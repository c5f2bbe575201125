"""Parts of a file, read one by one by the reader itself, are the file."""

import random
from functools import partial
from pathlib import Path

import pytest

from credit_spark.adapters import parts as parts_module
from credit_spark.adapters.delimited import blocks, stream_of
from credit_spark.adapters.parts import Part, parts

FIELDS = (
    "",
    "1",
    "a",
    '"a,b"',
    '"a\nb"',
    '"a\r\nb"',
    '""',
    '"say ""no"""',
    "5' 10\"",
    'a"b"c',
    '"a"b"c',
)


def read(path: Path, part: Part) -> list[tuple]:
    stream = partial(stream_of, str(path), part)
    found = []
    for block in blocks(stream, 3, ",", "utf-8"):
        found += block.sound.rows()
        found += [(line,) for line in block.malformed]
    return found


def book(seed: int) -> str:
    """Lines of three fields, some of them with quotes that are hard to read."""
    chosen = random.Random(seed)
    end = chosen.choice(["\n", "\r\n"])
    lines = [",".join(["x", *chosen.choices(FIELDS, k=2)]) for _ in range(chosen.randint(1, 60))]
    return end.join(lines) + chosen.choice(["", end])


@pytest.mark.parametrize("seed", range(200))
def test_parts_read_one_by_one_are_the_file(tmp_path, monkeypatch, seed) -> None:
    monkeypatch.setattr(parts_module, "CHUNK_BYTES", 1 + seed % 37)
    path = tmp_path / "book.csv"
    path.write_bytes(book(seed).encode())
    whole = Part(0, path.stat().st_size)

    found = parts(path, ",", "utf-8", part_bytes=20 + seed % 50)

    assert [each for part in found for each in read(path, part)] == read(path, whole)
    assert len(found) > 1 or path.stat().st_size < 200


def test_a_part_begins_after_the_quotes_that_a_line_break_stands_in(tmp_path) -> None:
    path = tmp_path / "book.csv"
    path.write_bytes(b'1,"a\n\n\n\n",b\n2,c,d\n3,e,f\n')

    assert parts(path, ",", "utf-8", part_bytes=5) == [Part(0, 12), Part(12, 6), Part(18, 6)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_where_letters_are_of_several_bytes_a_file_is_one_part(tmp_path, encoding) -> None:
    path = tmp_path / "book.csv"
    path.write_bytes("1,a,b\n2,c,d\n".encode(encoding))

    assert parts(path, ",", encoding, part_bytes=5) == [Part(0, path.stat().st_size)]
