"""Which changes of a contract give a model other inputs."""

from functools import partial

import pytest

from credit_spark.scoring.inputs import Inputs, differences, inputs_of
from tests.projects import small_lender


@pytest.fixture
def changed(tmp_path):
    """The small contract after some of its text was changed."""
    return partial(small_lender, tmp_path)


def stored(contract) -> Inputs:
    """The inputs as a document keeps them."""
    return Inputs.model_validate_json(inputs_of(contract).model_dump_json())


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (("kind: rate, known", 'kind: rate, missing: ["0"], known'), ["columns.rate.missing"]),
        (("range: [0, 100000]", "range: [0, 200000]"), ["columns.amount.range"]),
        (("one_of: [OWN, RENT]", "one_of: [OWN, RENT, NONE]"), ["columns.owned.one_of"]),
        (("amount / income", "amount"), ["features.amount_to_income"]),
        (
            ("units: {rate: percent}", "units: {rate: fraction}"),
            ["source.layouts.plain.units.rate"],
        ),
        (
            ('missing: ["", "NA"]\n      units', 'missing: ["", "NA", "0"]\n      units'),
            ["source.layouts.plain.missing"],
        ),
        (("title: A small", "title: Another small"), []),
        (("units: {rate: percent}", "units: {rate: percent, amount: yearly}"), []),
        (("[OWN, RENT]", "[RENT, OWN]"), ["columns.owned.one_of"]),
        (("from: [amount]", "from: [amount, lent]"), []),
    ],
)
def test_what_changes_the_inputs_is_named_by_its_path(changed, change, paths) -> None:
    fitted = stored(changed())

    told = differences(fitted, changed(change))
    assert [each.split(":")[0] for each in told] == paths


def test_another_pivot_moves_dates_by_a_century(changed) -> None:
    of_year = ('sql: "rate", reason', 'sql: "year(opened_on)", reason')
    before, after = (
        ("formats: [yyyy-MM-dd, MMM-yyyy]", f"formats: [MMM-yy], pivot: {pivot}")
        for pivot in (70, 20)
    )
    fitted = stored(changed(of_year, before))

    (told,) = differences(fitted, changed(of_year, after))

    assert told == "columns.opened_on.pivot: it was 70, now it is 20"


def test_a_fit_of_an_earlier_version_kept_fewer_keys(changed) -> None:
    """It knew neither pivots nor what the layouts take for missing."""
    fitted = inputs_of(changed()).model_dump(mode="json", exclude={"missing"})
    for each in fitted["columns"].values():
        del each["pivot"]

    assert differences(Inputs.model_validate(fitted), changed()) == []


@pytest.mark.parametrize("bound", ["[0, .inf]", "[-.inf, .inf]", "[0, 100000]"])
def test_a_contract_that_has_not_changed_fits(changed, bound) -> None:
    contract = changed(("range: [0, 100000]", f"range: {bound}"))

    assert differences(stored(contract), contract) == []


def test_a_difference_says_what_it_was_and_is(changed) -> None:
    fitted = stored(changed())

    (unit,) = differences(fitted, changed(("units: {rate: percent}", "units: {rate: fraction}")))
    (bounds,) = differences(fitted, changed(("range: [0, 100000]", "range: [0, .inf]")))

    assert unit.endswith("units.rate: it was percent, now it is fraction")
    assert bounds == "columns.amount.range: it was [0.0, 100000.0], now it is [0.0, 'inf']"
