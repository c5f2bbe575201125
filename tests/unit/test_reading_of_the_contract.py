"""What a contract may say about how files are read, and what is refused."""

from pathlib import Path

import pytest

from credit_spark.config.errors import InputError
from credit_spark.config.loading import load_contract

SMALL = Path(__file__).parents[1] / "small_lender.yml"


def changed(folder: Path, old: str, new: str) -> Path:
    text = SMALL.read_text(encoding="utf-8")
    assert old in text
    path = folder / "small_lender.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("formats: [yyyy-MM-dd, MMM-yyyy]", "formats: [MMM-yy]", "opened_on.formats: a year of two"),
        ("formats: [yyyy-MM-dd]", "formats: [yyyy-MM-dd], pivot: 70", "paid_on.pivot: no format"),
        ("units: {rate: percent}", 'escape: "\\""', "plain.escape: it escapes a quote"),
        ("units: {rate: percent}", 'escape: ","', "plain.escape: it escapes a quote"),
        ("units: {rate: percent}", 'decimal: ";"', "layouts.plain.decimal"),
        ("one_of: [OWN, RENT]", "unknown_codes: keep", "owned.unknown_codes: the column has no codes"),
        ("source:\n", "source:\n  encoding: nonsense\n", "source.encoding: there is no encoding"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(tmp_path, old, new, words) -> None:
    with pytest.raises(InputError) as error:
        load_contract(changed(tmp_path, old, new))
    assert words in str(error.value)


def test_decimal_escape_pivot_and_unknown_codes_may_be_stated(tmp_path) -> None:
    path = changed(
        tmp_path,
        "units: {rate: percent}",
        'units: {rate: percent}\n      escape: "\\\\"\n      decimal: ","',
    )
    path.write_text(
        path.read_text(encoding="utf-8").replace("MMM-yyyy]", "MMM-yy], pivot: 30"),
        encoding="utf-8",
    )

    contract = load_contract(path)

    layouts = contract.source.layouts
    assert layouts["plain"].escape == "\\"
    decimals = [contract.source.decimal_of(each) for each in layouts.values()]
    assert decimals == [",", ".", "."]
    assert contract.columns["opened_on"].pivot == 30
