from datetime import date

import polars as pl
import pytest

from credit_spark.cleaning import parsing
from credit_spark.cleaning.lines import dtype_of
from credit_spark.contract.models import Promise


@pytest.mark.parametrize(
    ("parser", "text", "value"),
    [
        (parsing.number, "1,234.5", 1234.5),
        (parsing.number, "-3", -3.0),
        (parsing.number, "1e-05", 1e-05),
        (parsing.number, "10,50", None),
        (parsing.number, "1d", None),
        (parsing.number, "NaN", None),
        (parsing.number, "Infinity", None),
        (parsing.number, "0x1F", None),
        (parsing.number, "12..5", None),
        (parsing.whole, "3", 3),
        (parsing.whole, "3.0", 3),
        (parsing.whole, "3.5", None),
        (parsing.whole, "-3", None),
        (parsing.whole, "99999999999", None),
        (parsing.number, ".1065", 0.1065),
        (parsing.number, ".", None),
        (parsing.money, "$12,000.50", 12_000.5),
        (parsing.money, "(1,200)", -1200.0),
        (parsing.money, "(1,200", None),
        (parsing.money, "lots", None),
        (lambda text: parsing.money(text, "monthly"), "1,000", 12_000.0),
        (lambda text: parsing.rate(text, "percent"), "10.65%", 0.1065),
        (lambda text: parsing.rate(text, "percent"), "10.65", 0.1065),
        (lambda text: parsing.rate(text, "fraction"), "10.65%", 0.1065),
        (lambda text: parsing.rate(text, "fraction"), "10.65 %", 0.1065),
        (lambda text: parsing.rate(text, "fraction"), "0.1065", 0.1065),
        (lambda text: parsing.rate(text, "fraction"), "n.a. %", None),
        (parsing.months, "36 months", 36),
        (parsing.months, "60", 60),
        (parsing.months, "1 month", 1),
        (parsing.months, "soon", None),
        (parsing.years, "10+ years", 10),
        (parsing.years, "< 1 year", 0),
        (parsing.years, "1 year", 1),
        (parsing.years, "n/a", None),
        (parsing.lower_bound, "735-739", 735.0),
        (parsing.lower_bound, "735", 735.0),
        (parsing.lower_bound, "735-", None),
        (parsing.flag, "Yes", True),
        (parsing.flag, "n", False),
        (parsing.flag, "maybe", None),
    ],
)
def test_text_is_read_or_turns_null(parser, text, value) -> None:
    assert parser(pl.Series([text])).to_list() == [value]


@pytest.mark.parametrize("parser", [parsing.number, parsing.whole, parsing.months, parsing.flag])
def test_odd_text_among_plain_text_is_read_in_its_place(parser) -> None:
    texts = ["1", None, "lots", "1.0", "0"]

    one_by_one = [parser(pl.Series([each], dtype=pl.String))[0] for each in texts]

    assert parser(pl.Series(texts)).to_list() == one_by_one


FORMATS = ["MMM-yyyy", "yyyy-MM-dd", "yyyy-MM-dd HH:mm"]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Dec-2011", date(2011, 12, 1)),
        ("2011-12-29", date(2011, 12, 29)),
        ("1985-01-29 12:12", date(1985, 1, 29)),
        ("2011-02-30", None),
        ("Dez-2011", None),
        ("DEC-2011", None),
        ("2011-1-02", None),
        ("29/12/2011", None),
        ("0", None),
    ],
)
def test_a_date_is_read_in_the_format_that_fits(text, day) -> None:
    assert parsing.date(pl.Series([text]), FORMATS).to_list() == [day]


def test_missing_codes_and_blanks_are_null() -> None:
    field = pl.Series([" 36 months", "NA", "  ", "\u00a0x\t", None])

    assert parsing.given(field, ["", "NA"]).to_list() == ["36 months", None, None, "x", None]
    assert parsing.given(field[:1], ["NA"]).to_list() == ["36 months"]


@pytest.mark.parametrize("kind", sorted(parsing.PARSERS))
def test_a_column_of_nothing_has_the_type_of_its_kind(kind) -> None:
    promise = Promise.model_validate(
        {"from": ["x"], "kind": kind, "known": "application", "formats": ["yyyy"]}
    )

    nothing = parsing.PARSERS[kind](pl.Series([None], dtype=pl.String), promise, None)

    assert nothing.to_list() == [None]
    assert nothing.dtype == dtype_of(kind)
