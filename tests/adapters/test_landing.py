"""Files are known by their ends: the header, what stands above it, and the totals below."""

import gzip
from datetime import date
from functools import partial

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from credit_spark.adapters.delimited import BLOCK_BYTES, UnreadableError, blocks, stream_of
from credit_spark.adapters.landing import END_BYTES, Landing, LandingFile, Piece, judged_piece
from credit_spark.adapters.spool import spooling
from credit_spark.contract.errors import LandingError
from credit_spark.ingest.layouts import shape_of

ABOVE = "Notes offered by Prospectus\n"
HEADER = "id,loan_amnt,term,int_rate,annual_inc,issue_d,loan_status\n"
LOAN = '{0},9000, 36 months,10.65%,50000,Dec-2010,"Fully Paid"\n'
BELOW = "\n\nTotal amount funded in policy code 1: 460296150\nTotal amount: 0\n"
AS_OF = date(2012, 1, 31)


@pytest.fixture(scope="module")
def long_text() -> str:
    """A file of which neither end shows the other."""
    text = ABOVE + HEADER + "".join(LOAN.format(nth) for nth in range(10_000)) + BELOW
    assert len(text) > 2 * END_BYTES
    return text


def test_a_long_file_is_known_by_its_ends_packed_or_not(spark, lending_club, tmp_path, long_text):
    (tmp_path / str(AS_OF)).mkdir()
    (tmp_path / str(AS_OF) / "a.csv").write_text(long_text)
    (tmp_path / str(AS_OF) / "b.csv.gz").write_bytes(gzip.compress(long_text.encode()))
    plain, packed = Landing(spark, lending_club, str(tmp_path), AS_OF).files()
    assert plain.shape == packed.shape
    assert plain.shape.header == tuple(HEADER.strip().split(","))
    assert plain.footer == packed.footer
    assert plain.footer == ("Total amount funded in policy code 1: 460296150", "Total amount: 0")


def test_a_long_file_that_is_cut_off_inside_quotes_is_refused(
    spark, lending_club, tmp_path, long_text
):
    whole = long_text.removesuffix(BELOW)
    (tmp_path / "cut.csv").write_text(whole.removesuffix('Paid"\n'))
    landing = Landing(spark, lending_club, str(tmp_path / "cut.csv"), AS_OF)
    with pytest.raises(LandingError, match="ends in the middle of a quoted field"):
        landing.files()


def test_a_file_of_another_storage_is_read_in_its_order(spark, lending_club, tmp_path, long_text):
    """Spark reads it in parts, begun at several places; quotes hold line breaks across them."""
    text = long_text.replace("loan_status\n", "loan_status,desc\n")
    text = text.replace('"Fully Paid"\n', '"Fully Paid","one,\r\ntwo\n\nthree"\n')
    (tmp_path / str(AS_OF)).mkdir()
    (tmp_path / str(AS_OF) / "a.csv").write_bytes(text.encode())
    (tmp_path / str(AS_OF) / "b.csv.gz").write_bytes(gzip.compress(text.encode()))
    storage = spark._jsc.hadoopConfiguration()
    storage.set("fs.viewfs.mounttable.there.link./landing", f"file:{tmp_path}")
    parts = {"spark.sql.files.maxPartitionBytes": 100_000, "spark.sql.files.openCostInBytes": 0}

    def read(place: str) -> tuple[list[object], pl.DataFrame]:
        landing = Landing(spark, lending_club, place, AS_OF)
        with spooling(str(tmp_path / "spool"), "run") as spool:
            found = landing.judged(landing.files(), spool)
            lines = [block for each in found for block in spool.blocks(f"accepted-{each.number}")]
        return [each._replace(number=0, fault=None) for each in found], pl.concat(lines)

    here = read(f"file:{tmp_path}")
    for name, value in parts.items():
        spark.conf.set(name, value)
    away = read("viewfs://there/landing")
    for name in parts:
        spark.conf.unset(name)

    assert away[0] == here[0]
    assert_frame_equal(away[1], here[1])
    assert [each.lines for each in here[0]] == [10_002, 10_002]


def test_a_large_file_is_read_by_several_tasks_in_its_order(
    spark, lending_club, tmp_path, long_text, monkeypatch
):
    """Quotes hold line breaks where its parts would else begin."""
    text = long_text.replace("loan_status\n", "loan_status,desc\n")
    text = text.replace('"Fully Paid"\n', '"Fully Paid","one,\r\ntwo\n\nthree"\n')
    (tmp_path / "a.csv").write_bytes(text.encode())
    landing = Landing(spark, lending_club, f"file:{tmp_path}/a.csv", AS_OF)

    def read() -> tuple[int, pl.DataFrame]:
        with spooling(str(tmp_path / "spool"), "run") as spool:
            found = landing.judged(landing.files(), spool)
            lines = [block for each in found for block in spool.blocks(f"accepted-{each.number}")]
        return len(found), pl.concat(lines).drop("place")

    whole = read()
    monkeypatch.setattr("credit_spark.adapters.landing.PART_BYTES", 100_000)
    parted = read()

    assert whole[0] == 1
    assert parted[0] > 5
    assert_frame_equal(whole[1], parted[1])


def test_a_packed_file_that_is_cut_off_is_a_fault(spark, lending_club, tmp_path, long_text):
    whole = gzip.compress(long_text.encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    lines = long_text.splitlines()
    shape = shape_of(lines, lending_club)
    path = tmp_path / "a.csv.gz"
    file = LandingFile(f"file:{path}", "a.csv.gz", 1, shape, ())
    piece, stream = Piece(0, file, None, 0), partial(stream_of, str(path))

    with spooling(str(tmp_path / "spool"), "run") as spool:
        summary = judged_piece(piece, stream, lending_club, AS_OF, spool)

    assert "cannot be read to its end" in summary.fault


@pytest.mark.parametrize("is_too_long", [False, True])
def test_a_line_may_be_as_long_as_a_block(tmp_path, is_too_long):
    long = "x" * (BLOCK_BYTES * 2 if is_too_long else BLOCK_BYTES - 1000)
    path = tmp_path / "a.csv"
    path.write_text(f'1,good\n2,"{long}"\n3,bad\n', encoding="utf-8")
    read = blocks(partial(stream_of, str(path)), 2, ",", "UTF-8")

    if is_too_long:
        with pytest.raises(UnreadableError, match="a line is longer than 8 MB"):
            list(read)
    else:
        assert sum(fields.sound.height for fields in read) == 3


def test_bytes_that_are_no_text_are_marked(lending_club, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,caf\xe9\n2,good\n")

    (fields,) = blocks(partial(stream_of, str(path)), 2, ",", "UTF-8")

    assert fields.sound["f1"].to_list() == ["b", "caf\ufffd", "good"]
