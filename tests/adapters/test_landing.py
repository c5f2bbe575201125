"""Files are known by their ends: the header, what stands above it, and the totals below."""

import gzip
from datetime import date

import pytest

from credit_spark.adapters.landing import END_BYTES, Landing
from credit_spark.contract.errors import LandingError

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
