"""The first lines of a file decide its shape."""

import pytest

from credit_spark.config.models import Contract, Layout
from credit_spark.ingest.layouts import LayoutError, column_at, key_of, misspelled_headers, shape_of


def test_the_layout_with_the_most_names_fits(contract) -> None:
    assert shape_of(["id,amount,rate"], contract).layout == "plain"
    assert shape_of(["id,amount,rate,total_acc"], contract).layout == "totalled"


def test_lines_above_the_header_are_told(contract) -> None:
    shape = shape_of(["Notes, as of today", "", '"id","amount","rate","total_acc"'], contract)

    assert shape.preamble == (("Notes", "as of today"),)
    assert shape.header == ("id", "amount", "rate", "total_acc")


def test_a_preamble_needs_a_layout_that_allows_it(contract) -> None:
    with pytest.raises(LayoutError, match="'plain' is below other lines"):
        shape_of(["Notes", "id,amount,rate"], contract)


def test_a_line_above_the_header_that_may_be_a_loan_is_refused(contract) -> None:
    header = "id,amount,rate,total_acc"

    with pytest.raises(LayoutError, match="may be a loan, which would be lost"):
        shape_of(["L1,5,0.5,3", header, "L2,6,0.5,3"], contract)

    for no_loan in ("Report,,,", "Unnamed: 0,X1,X2,X3", "L1,5,0.5", ",5,0.5,3", "id,USD,percent,"):
        assert shape_of([no_loan, header], contract).layout == "totalled"


def test_no_value_of_a_loan_is_said(contract) -> None:
    with pytest.raises(LayoutError) as found:
        shape_of(["Sid,5000,0.1", "Nancy,6000,0.2"], contract)

    assert "also needs 'id'" in str(found.value)
    assert "Sid" not in str(found.value)


def test_a_byte_order_mark_is_no_part_of_a_name(contract) -> None:
    assert shape_of(["\ufeffid,amount,rate"], contract).header[0] == "id"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "the file is empty"),
        (["", "  "], "the file is empty"),
        (["id,amount,interest"], "also needs 'rate'"),
        (["id,amnt,rate"], "did you mean 'amnt'"),
        (["colour,size"], "no layout of the contract fits"),
        (["id,amount,rate,id"], "has 'id' more than once"),
        (
            "id,amount,rate".encode("utf-16").decode(errors="replace").splitlines(),
            "not in the encoding UTF-8",
        ),
    ],
)
def test_what_fits_no_layout_is_told_what_it_lacks(contract, lines, said) -> None:
    with pytest.raises(LayoutError, match=said):
        shape_of(lines, contract)


def test_a_required_column_must_be_there(lending_club) -> None:
    promises = lending_club.columns
    header = ("id", "loan_amnt", "term", "annual_inc")

    assert column_at(header, promises["annual_income"]) == 3
    assert column_at(header, promises["interest_rate"]) is None


def test_a_layout_may_have_a_key_of_its_own(contract) -> None:
    layouts = contract.source.layouts

    assert key_of(layouts["plain"], contract) == ("number",)
    assert key_of(layouts["keyless"], contract) is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (["loan_amnt", "term", "anual_inc"], [("annual_income", "anual_inc")]),
        (["loan_amnt", "term", "Annual Inc"], [("annual_income", "Annual Inc")]),
        (["loan_amnt", "term", "annual_inc_joint"], []),
        # The column has its own name, too: the other one is another column.
        (["loan_amnt", "term", "annual_inc", "anual_inc"], []),
        (["loan_amnt", "term", "annual_inc", ""], []),
    ],
)
def test_a_header_that_is_nearly_that_of_an_absent_column_is_found(
    lending_club, header, found
) -> None:
    assert [*misspelled_headers(header, lending_club)] == found


def of_layouts(contract: Contract, **layouts: Layout) -> Contract:
    source = contract.source.model_copy(update={"layouts": layouts})
    return contract.model_copy(update={"source": source})


BARE = Layout(no_header=("id", "rate", "amount", "home"))


def test_a_header_is_not_taken_for_the_first_loan(contract) -> None:
    """Read by its places, each loan would have its amount as its rate."""
    both = of_layouts(contract, plain=contract.source.layouts["plain"], bare=BARE)

    assert shape_of(["A,0.1,5,OWN"], both).layout == "bare"
    with pytest.raises(LayoutError, match="the nearest, 'plain', also needs 'amount'"):
        shape_of(["id,Amount,rate,home", "A,5,0.1,OWN"], both)
    with pytest.raises(LayoutError, match="its first line is a header \\('id', 'home'\\)"):
        shape_of(["id,Rate,Amount,home", "A,5,0.1,OWN"], of_layouts(contract, bare=BARE))


@pytest.mark.parametrize(
    ("escape", "text"),
    [("\\", r'"say \"x, y\" z"'), (None, '"say ""x, y"" z"'), (None, '"x\x85y\u2028z"')],
)
def test_the_fields_of_a_first_loan_are_counted_as_spark_counts_them(
    contract, escape, text
) -> None:
    layout = BARE.model_copy(update={"escape": escape})

    assert shape_of([f"A,0.1,5,{text}"], of_layouts(contract, bare=layout)).layout == "bare"


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("1", "2", "3", "4"), "1,2,3,x"),
        (("id", "rate", "amount", "home"), "home,0.1,5,home"),
        (("id", "rate", "amount", "home"), ",,5,OWN"),
    ],
)
def test_a_loan_is_not_taken_for_a_header(contract, names, line) -> None:
    """Names may be numbers; one name may stand in two fields; empty fields are no names."""
    unnamed = Layout(header=("", "of pandas"))
    numbered = contract.columns["owned"].model_copy(update={"headers": ("1", "2", "home")})
    given = of_layouts(contract, bare=BARE.model_copy(update={"no_header": names}), unnamed=unnamed)
    optional = {
        name: spec.model_copy(update={"required": False}) for name, spec in contract.columns.items()
    }

    given = given.model_copy(update={"columns": {**optional, "owned": numbered}})

    assert shape_of([line], given).layout == "bare"


def test_an_escape_is_of_quotes_alone(contract) -> None:
    """A backslash before a delimiter outside quotes is part of the field."""
    layout = BARE.model_copy(update={"escape": "\\"})
    given = of_layouts(contract, bare=layout)

    assert shape_of(["a\\,0.1,5,OWN"], given).layout == "bare"
    assert shape_of(['"a\\\\",0.1,5,"x, y"'], given).layout == "bare"
