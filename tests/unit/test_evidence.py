"""Weight of evidence and information value, by hand and against optbinning."""

from math import log

import numpy as np
import pytest
from optbinning import OptimalBinning

from credit_spark.evaluation.evidence import evidence, information_value, strength


def test_two_bins_by_hand() -> None:
    """Of 100 bad and 100 good loans, the second bin has 80 and 20: half a loan more of each."""
    low, high = evidence([100, 100], [20, 80])

    assert high.weight == pytest.approx(log((80.5 / 101) / (20.5 / 101)), rel=1e-12)
    assert low.weight == pytest.approx(-high.weight, rel=1e-12)
    assert high.value == pytest.approx((80.5 - 20.5) / 101 * log(80.5 / 20.5), rel=1e-12)
    assert information_value([low, high]) == pytest.approx(2 * high.value, rel=1e-12)
    assert (high.loans, high.bad, high.bad_rate) == (100, 80, 0.8)


def test_more_than_its_share_of_bad_loans_is_above_zero() -> None:
    """A tenth of all loans is bad; a bin in which a fifth is has evidence of risk."""
    risky, safe = evidence([1000, 9000], [200, 800], added=0)

    assert risky.weight == pytest.approx(log((200 / 1000) / (800 / 9000)), rel=1e-12)
    assert safe.weight < 0 < risky.weight


def test_a_bin_of_one_outcome_has_a_finite_weight() -> None:
    """Of 70 good and 30 bad loans: half a bad one is added, and 7 / 6 of a good one."""
    only_good, _ = evidence([10, 90], [0, 30])

    b, g = 0.5 / 31, (10 + 7 / 6) / (70 + 14 / 6)
    assert only_good.weight == pytest.approx(log(b / g), rel=1e-12)
    assert only_good.value == pytest.approx((b - g) * log(b / g), rel=1e-12)


@pytest.mark.parametrize(("good", "factor"), [(3, 4.5 / 7.5), (9, 4.5 / 13.5), (45, 1 / 11)])
def test_few_good_loans_are_no_evidence_of_risk(good, factor) -> None:
    """Of 3,000 loans a tenth is bad: half a bad loan is added, and 4.5 good ones."""
    own, _ = evidence([good, 3000 - good], [0, 300])

    assert own.weight == pytest.approx(log(factor), rel=1e-12)


def test_bins_with_no_loan_are_no_part_of_it() -> None:
    empty, *rest = evidence([0, 100, 100], [0, 20, 80])

    assert empty == (0, 0, None, 0.0)
    assert empty.bad_rate is None
    assert rest == evidence([100, 100], [20, 80])


@pytest.mark.parametrize(
    ("loans", "bad"),
    [([100, 50], [0, 0]), ([100, 50], [100, 50]), ([0, 0], [0, 0]), ([], [])],
)
def test_of_one_outcome_there_is_no_evidence(loans, bad) -> None:
    found = evidence(loans, bad)

    assert [each.weight for each in found] == [None] * len(loans)
    assert information_value(found) == 0


@pytest.mark.parametrize("loans", [[200], [100, 300, 50]])
def test_bins_that_part_nothing_have_no_value(loans) -> None:
    found = evidence(loans, [each // 5 for each in loans])

    assert information_value(found) == pytest.approx(0, abs=1e-15)
    assert [each.weight for each in found] == pytest.approx([0] * len(loans), abs=1e-15)


def test_ten_times_the_loans_are_the_same_evidence() -> None:
    few, many = (evidence([10 * n, 30 * n], [4 * n, 6 * n], added=0) for n in (1, 10))

    assert [each.weight for each in few] == pytest.approx([each.weight for each in many])
    assert [each.value for each in few] == pytest.approx([each.value for each in many])


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (0, "useless"), (0.0199, "useless"), (0.02, "weak"), (0.0999, "weak"), (0.1, "medium"),
        (0.2999, "medium"), (0.3, "strong"), (0.4999, "strong"), (0.5, "suspicious"),
        (7, "suspicious"),
    ],
)  # fmt: skip
def test_each_value_has_its_usual_word(value, word) -> None:
    assert strength(value).split(":")[0] == word


@pytest.fixture(scope="module")
def data() -> tuple[list[int], list[int], object]:
    """Counts of 5,000 made-up loans in four bins, none of one outcome, and optbinning's table."""
    random = np.random.default_rng(1)
    value = random.normal(size=5000)
    is_bad = random.random(5000) < 1 / (1 + np.exp(2 - value))
    splits = [-1.0, 0.0, 1.0]
    binning = OptimalBinning(user_splits=splits, user_splits_fixed=[True] * 3).fit(value, is_bad)
    own = np.digitize(value, splits)
    loans = np.bincount(own).tolist()
    bad = np.bincount(own, is_bad).astype(int).tolist()
    return loans, bad, binning.binning_table.build().iloc[: len(loans)]


def test_it_is_optbinnings(data) -> None:
    """Whose weight has the other sign, and whose counts have nothing added."""
    loans, bad, table = data
    found = evidence(loans, bad, added=0)

    assert (loans, bad) == (table["Count"].tolist(), table["Event"].tolist())
    assert [each.weight for each in found] == pytest.approx((-table["WoE"]).tolist(), rel=1e-9)
    assert [each.value for each in found] == pytest.approx(table["IV"].tolist(), rel=1e-9)
    assert [each.bad_rate for each in found] == pytest.approx(table["Event rate"].tolist())


def test_half_a_loan_moves_little_where_there_are_many(data) -> None:
    """By less than half a loan of the rarest count, and of each total."""
    loans, bad, table = data
    rarest = min(*bad, *(own - own_bad for own, own_bad in zip(loans, bad, strict=True)))

    moved = [each.weight for each in evidence(loans, bad)] + table["WoE"]

    assert 0 < max(abs(moved)) < 0.5 * (1 / rarest + len(loans) / sum(bad))
