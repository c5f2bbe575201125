"""What is called changed, and what is left to chance."""

import numpy as np
import pytest
from scipy.stats import chi2, norm, t
from sklearn.metrics import roc_auc_score

from credit_spark.config.settings import Monitor
from credit_spark.monitoring.drift import (
    BatchFigures,
    ComparedBin,
    ExpectedFigures,
    Outcomes,
    advice,
    auc_error,
    by_subject,
    drifts,
    psi,
    worst,
)

BOUNDS = Monitor(
    psi=(0.1, 0.25),
    share=(0.05, 0.1),
    auc=(0.03, 0.06),
    calibration=(1.15, 1.3),
    volume=(1.5, 3),
    false_alarms=0.02,
    volume_history=20,
)
EXPECTED = ExpectedFigures(auc=0.7, good=9000, bad=1000, approval_rate=0.5)


def bins(role: str, subject: str, current, baseline, labels=None, pds=0.1) -> list[ComparedBin]:
    """Bins with so many open loans this batch, and so many that were learnt from."""
    labels = labels or [str(nth) for nth in range(len(current))]
    return [
        ComparedBin(role, subject, nth, label, 0, 0, count, pds * count, 0.0, held, held // 10)
        for nth, (label, count, held) in enumerate(zip(labels, current, baseline, strict=True))
    ]  # fmt: skip


def with_status(
    *found: ComparedBin, auc=None, approval_rate=None, earlier=(), fresh=(), expected=EXPECTED
):
    seen = BatchFigures(by_subject(found), auc, approval_rate, earlier, fresh)
    return {(each.subject, each.measure): each for each in drifts(seen, expected, BOUNDS)}


def test_psi_is_the_sum_over_bins() -> None:
    p, q = np.array([200.5, 300.5, 500.5]) / 1001.5, np.array([400.5, 400.5, 200.5]) / 1001.5

    assert psi([200, 300, 500], [400, 400, 200]) == pytest.approx(
        np.sum((p - q) * np.log(p / q)), abs=1e-12
    )
    assert psi([1000, 2000], [10_000, 20_000]) == pytest.approx(0, abs=1e-7)
    assert psi([5, 0], [0, 5]) == psi([0, 5], [5, 0]) > 1


def test_a_psi_beyond_the_bound_and_beyond_chance_is_acted_on() -> None:
    large = with_status(*bins("feature", "income", [500, 300, 200], [2000, 3000, 5000]))[
        "income", "psi"
    ]
    # Of thirty loans, four more than expected are chance.
    small = with_status(*bins("feature", "income", [17, 13], [5000, 5000]))["income", "psi"]

    assert (large.status, small.status) == ("act", "stable")
    assert large.critical_value == pytest.approx((1 / 1000 + 1 / 10000) * chi2.isf(0.02, 2))
    assert small.psi < small.critical_value


def test_beyond_chance_but_below_the_bound_is_stable() -> None:
    found = with_status(*bins("feature", "income", [505_000, 495_000], [5_000_000, 5_000_000]))[
        "income", "psi"
    ]

    assert found.critical_value < found.psi < 0.1
    assert found.status == "stable"


def test_chance_is_shared_out_among_figures() -> None:
    one = with_status(*bins("feature", "a", [50, 50], [500, 500]))["a", "psi"]
    five = with_status(
        *[each for name in "abcde" for each in bins("feature", name, [50, 50], [500, 500])]
    )["a", "psi"]

    assert one.critical_value == pytest.approx((1 / 100 + 1 / 1000) * chi2.isf(0.02, 1))
    assert five.critical_value == pytest.approx((1 / 100 + 1 / 1000) * chi2.isf(0.02 / 5, 1))


def added(p: float, q: float) -> float:
    """What a bin with such shares adds to a PSI."""
    return (p - q) * np.log(p / q)


def of_number(subject: str, current, baseline) -> list[ComparedBin]:
    return bins("feature", subject, current, baseline)


def of_text(subject: str, current, baseline) -> list[ComparedBin]:
    """Bins of a text's levels, then that of others and that of missing ones: empty."""
    labels = [*[f"level {nth:02}" for nth in range(len(current))], "(other)", "(missing)"]
    return bins("feature", subject, [*current, 0, 0], [*baseline, 0, 0], labels)


def test_rare_bins_are_put_together_and_common_ones_are_not() -> None:
    found = with_status(*bins("feature", "a", [50, 6, 5, 36, 2, 1], [500, 60, 50, 360, 20, 10]))

    # 50 | 36 | 6 + 5 | 2 + 1: of the last, so few are expected that there may be none.
    none = added(0.5 / 102, 30.5 / 1002)
    assert found["a", "psi"].critical_value == pytest.approx(
        (1 / 100 + 1 / 1000) * chi2.isf(0.02, 3) + none
    )
    assert ("a", "psi") not in with_status(*bins("feature", "a", [4, 5], [400, 500]))


def test_a_move_into_a_rare_level_is_seen() -> None:
    found = with_status(*of_text("grade", [593, 300, 0, 107], [1172, 603, 216, 9]))["grade", "psi"]

    p, q = np.array([593.5, 300.5, 0.5, 107.5]) / 1002, np.array([1172.5, 603.5, 216.5, 9.5]) / 2002
    assert found.psi == pytest.approx(np.sum((p - q) * np.log(p / q)), abs=1e-12)
    assert (round(found.psi, 2), found.status) == (0.90, "act")
    # Of 1,000 loans, four or five are expected to be of the last level.
    assert found.critical_value < 0.05


def test_a_move_from_a_common_bin_into_a_rare_neighbour_is_seen() -> None:
    found = with_status(*of_number("income", [400, 5, 95, 500], [800, 184, 16, 1000]))[
        "income", "psi"
    ]

    assert found.psi == pytest.approx(psi([400, 5, 500, 95], [800, 184, 1000, 16]), abs=1e-12)
    assert found.status == "act"


def test_rare_bins_of_a_number_are_put_together_across_common_ones() -> None:
    found = with_status(*of_number("a", [50, 6, 36, 5, 3], [500, 60, 360, 50, 30]))["a", "psi"]

    # 50 | 36 | 6 + 5 | 3
    assert found.psi == pytest.approx(psi([50, 36, 11, 3], [500, 360, 110, 30]), abs=1e-12)


def test_few_missing_values_are_one_of_the_rare_bins() -> None:
    labels = ["low", "high", "highest", "(missing)"]

    found = with_status(*bins("feature", "income", [60, 40, 9, 9], [600, 400, 90, 90], labels))

    pooled = with_status(*bins("feature", "income", [60, 40, 18], [600, 400, 180]))["income", "psi"]
    assert found["income", "psi"].psi == pooled.psi


def test_bins_without_a_loan_tell_nothing() -> None:
    found = with_status(*of_number("a", [50, 50, 0, 0], [5000, 5000, 0, 0]))["a", "psi"]

    assert (found.psi, found.critical_value) == (
        pytest.approx(0, abs=1e-12),
        pytest.approx((1 / 100 + 1 / 10_000) * chi2.isf(0.02, 1)),
    )


def drawn_levels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Loans of a batch and of the reference: in two common bins, and in eight rare ones."""
    shares = [0.6, 0.35, *[0.05 / 8] * 8]
    return rng.multinomial(1000, shares), rng.multinomial(20_000, shares)


def test_rare_levels_of_a_text_are_one_bin_in_any_order() -> None:
    rng = np.random.default_rng(7)
    for _ in range(50):
        current, baseline = drawn_levels(rng)
        order = rng.permutation(10)

        found = with_status(*of_text("purpose", current[order], baseline[order]))["purpose", "psi"]

        pooled = [(*each[:2], sum(each[2:])) for each in (current, baseline)]
        assert found.psi == pytest.approx(psi(*pooled), abs=1e-12)


@pytest.mark.parametrize("of", [of_number, of_text])
def test_no_rare_bin_hides_what_leaves_a_common_one(of) -> None:
    """A PSI is at least what the common bin adds, wherever its loans go."""
    rng = np.random.default_rng(8)
    for _ in range(100):
        current, baseline = drawn_levels(rng)
        left = rng.integers(100, 300)
        current[1] -= left
        current[rng.integers(2, 10)] += left
        order = rng.permutation(10)

        found = with_status(*of("a", current[order], baseline[order]))["a", "psi"]

        assert found.psi > added(current[1] / 1000, baseline[1] / 20_000)
        assert found.psi > found.critical_value


def test_missing_and_unseen_values_are_shares_of_the_loans() -> None:
    labels = ["low", "(other)", "(missing)"]
    found = with_status(*bins("feature", "a", [700, 0, 300], [9000, 0, 1000], labels))

    missing = found["a", "missing_share"]
    assert (missing.value, missing.baseline, missing.status) == (0.3, 0.1, "act")
    standard_error = np.sqrt(1300 / 11000 * (1 - 1300 / 11000) * (1 / 1000 + 1 / 10000))
    assert missing.critical_value == pytest.approx(norm.isf(0.02 / 3 / 2) * standard_error)
    assert (found["a", "unseen_share"].value, found["a", "unseen_share"].status) == (0.0, "stable")


def test_few_missing_values_of_a_small_batch_are_chance() -> None:
    labels = ["low", "(missing)"]
    one = with_status(*bins("feature", "a", [14, 1], [2990, 10], labels))["a", "missing_share"]
    four = with_status(*bins("feature", "a", [11, 4], [2999, 1], labels))["a", "missing_share"]

    assert (one.status, four.status) == ("stable", "act")


@pytest.mark.parametrize("loans", [10, 30, 100, 300])
@pytest.mark.parametrize("share", [0.001, 0.005, 0.998])
def test_rare_values_raise_no_more_alarms_than_are_allowed(loans: int, share: float) -> None:
    """20 features of unchanged loans; at most 2 of 100 batches have any figure beyond chance."""
    rng, labels, alarms, batches = np.random.default_rng(7), ["low", "(missing)"], 0, 400
    for _ in range(batches):
        seen, known = rng.binomial(loans, share, 20), rng.binomial(3000, share, 20)
        found = with_status(*[
            each
            for nth, (now, before) in enumerate(zip(seen.tolist(), known.tolist(), strict=True))
            for each in bins("feature", f"f{nth}", [loans - now, now], [3000 - before, before], labels)
        ])  # fmt: skip
        alarms += any(
            abs(each.value - each.baseline) - each.critical_value > 1e-12
            for (_, measure), each in found.items()
            if measure == "missing_share"
        )

    assert alarms / batches <= 0.02 + 2 * np.sqrt(0.02 * 0.98 / batches)


@pytest.mark.parametrize("dates", [5, 20])
def test_volumes_that_vary_as_ever_raise_few_alarms(dates: int) -> None:
    rng, alarms, batches = np.random.default_rng(7), 0, 2000
    for _ in range(batches):
        *earlier, now = np.exp(rng.normal(9, 0.5, dates + 1)).astype(int).tolist()
        volume = with_status(*bins("score", "score", [now], [1]), earlier=earlier)[
            "loans", "volume"
        ]
        alarms += volume.status != "stable"

    assert alarms / batches <= 0.02 + 2 * np.sqrt(0.02 * 0.98 / batches)


def test_an_outage_is_seen_on_its_second_day_too() -> None:
    usual = [9800 + 20 * nth for nth in range(19)]
    today = bins("score", "score", [1000], [1])

    for earlier in (usual, [*usual, 1000], [*usual[2:], 1000, 1000]):
        assert with_status(*today, earlier=earlier)["loans", "volume"].status == "act"


def test_whatever_way_missing_values_change_the_files_are_looked_at_first() -> None:
    labels = ["low", "(missing)"]
    fell = drifts_of(*bins("feature", "a", [1000, 0], [7000, 3000], labels))
    rose = drifts_of(*bins("feature", "a", [700, 300], [10_000, 0], labels))

    assert [each.status for each in (*fell, *rose) if each.measure == "missing_share"] == [
        "act"
    ] * 2
    for each in (advice(fell), advice(rose)):
        assert not each.retrain
        assert "look at the lender's files first: more or fewer values are missing" in each.why


def drifts_of(*found: ComparedBin):
    return drifts(BatchFigures(by_subject(found), None, None), EXPECTED, BOUNDS)


def test_a_part_that_should_have_few_bad_loans_and_has_many_is_judged() -> None:
    months = [
        Outcomes("vintage=2011-03", 1900, 190, 19.0),
        Outcomes("vintage=2011-04", 1900, 19, 19.0),
    ]

    found = with_status(fresh=months)

    assert {key: each.status for key, each in found.items()} == {
        ("vintage=2011-03", "calibration"): "act",
    }


def score(good: int, bad: int, pds: float) -> list[ComparedBin]:
    return [ComparedBin("score", "score", 0, "all", good, bad, 0, pds, pds, 10_000, 1000)]


def test_a_drop_of_the_auc_counts_and_a_rise_does_not() -> None:
    low = with_status(*score(9000, 1000, 1000), auc=0.6)["outcomes", "auc"]
    high = with_status(*score(9000, 1000, 1000), auc=0.8)["outcomes", "auc"]
    few = with_status(*score(90, 21, 21), auc=0.6)["outcomes", "auc"]

    assert (low.status, high.status, few.status) == ("act", "stable", "stable")
    assert ("outcomes", "auc") not in with_status(*score(90, 19, 19), auc=0.1)
    assert ("outcomes", "auc") not in with_status(*score(9000, 1000, 1000), auc=None)


def test_the_error_of_an_auc_is_that_of_drawn_loans() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [450, 50])
    aucs = [roc_auc_score(labels, rng.normal(labels * 0.75)) for _ in range(2000)]

    # Hanley and McNeil take scores to be exponential: within a tenth of normal ones'.
    assert auc_error(float(np.mean(aucs)), 450, 50) == pytest.approx(np.std(aucs), rel=0.1)


@pytest.mark.parametrize(
    ("bad", "status"),
    [(1000, "stable"), (1100, "stable"), (1200, "watch"), (1400, "act"), (700, "act")],
)
def test_bad_loans_over_expected_ones_are_the_calibration(bad: int, status: str) -> None:
    found = with_status(*score(10_000 - bad, bad, 1000.0))["outcomes", "calibration"]

    assert (found.value, found.status) == (bad / 1000, status)


def test_each_part_of_a_segment_is_calibrated_by_itself() -> None:
    parts = [
        ComparedBin("segment", "grade", 0, "A", 900, 100, 0, 100.0, 100.0, 1000, 100),
        ComparedBin("segment", "grade", 1, "B", 800, 200, 0, 100.0, 100.0, 1000, 100),
        ComparedBin("segment", "grade", 2, "C", 5, 10, 0, 2.0, 2.0, 10, 2),
    ]

    found = with_status(*parts)

    assert {key: each.status for key, each in found.items()} == {
        ("grade=A", "calibration"): "stable",
        ("grade=B", "calibration"): "act",
    }


def test_what_a_segment_was_learnt_from_bounds_what_is_known_of_it() -> None:
    """Of a part with ten bad training loans, twice as many bad ones are chance."""
    known = ComparedBin("segment", "grade", 0, "A", 800, 200, 0, 100.0, 100.0, 1000, 1000)
    hardly = known._replace(subject="home", baseline=100, baseline_bad=10)

    found = with_status(known, hardly)

    assert found["grade=A", "calibration"].status == "act"
    assert found["home=A", "calibration"].status == "stable"


def test_months_that_were_not_learnt_from_are_judged_by_themselves() -> None:
    months = [
        Outcomes("vintage=2011-03", 1000, 160, 100.0),
        Outcomes("vintage=2011-04", 50, 9, 5.0),
    ]

    found = with_status(fresh=months)

    assert {key: each.status for key, each in found.items()} == {
        ("vintage=2011-03", "calibration"): "act",
    }


def test_chance_is_told_on_the_scale_of_the_value() -> None:
    """At a value so far off, the distance is just what chance is."""
    usual = [990, 1000, 1010, 1005, 995]
    volume = with_status(*bins("score", "score", [1000], [1]), earlier=usual)["loans", "volume"]
    ratio = with_status(*score(9000, 1000, 1000.0))["outcomes", "calibration"]

    low = with_status(*score(9400, 600, 1000.0))["outcomes", "calibration"]
    assert 2 * (1 - np.sqrt(1 - low.critical_value)) == pytest.approx(
        2 * (np.sqrt(1 + ratio.critical_value) - 1)
    )
    standard_error = 1.4826 * np.median(np.abs(np.log(np.array(usual) / 1000))) + np.sqrt(1 / 1000)
    assert np.log(1 + volume.critical_value / 1000) == pytest.approx(
        t.isf(0.01, 0.37 * 4) * standard_error
    )
    # Of roots of ratios.
    both = np.sqrt(0.9 / 1000 + 1 / 1000)
    assert 2 * (np.sqrt(1 + ratio.critical_value) - 1) == pytest.approx(norm.isf(0.01) * both)


def test_volume_is_held_against_the_median_of_earlier_batches() -> None:
    current = bins("score", "score", [1000], [10_000])
    usual = [990, 1000, 1010, 1005, 995]

    assert with_status(*current, earlier=usual)["loans", "volume"].status == "stable"
    assert (
        with_status(*bins("score", "score", [300], [1]), earlier=usual)["loans", "volume"].status
        == "act"
    )
    assert (
        with_status(*bins("score", "score", [1600], [1]), earlier=usual)["loans", "volume"].status
        == "watch"
    )
    assert ("loans", "volume") not in with_status(*current, earlier=usual[:4])
    # Where batches differ by much anyway, so may this one.
    wild = [100, 1000, 10_000, 200, 5000]
    assert (
        with_status(*bins("score", "score", [300], [1]), earlier=wild)["loans", "volume"].status
        == "stable"
    )


def test_the_approval_rate_is_held_against_the_models_own() -> None:
    current = bins("score", "score", [5000], [10_000])

    assert with_status(*current, approval_rate=0.35)["loans", "approval_rate"].status == "act"
    assert with_status(*current, approval_rate=0.44)["loans", "approval_rate"].status == "watch"
    assert with_status(*current, approval_rate=0.49)["loans", "approval_rate"].status == "stable"


def test_a_batch_with_nothing_to_judge_by_is_stable() -> None:
    assert with_status() == {}
    assert worst([]) == "stable"
    assert with_status(*bins("score", "score", [0, 0], [10, 10])) == {}


def test_advice_names_the_feed_before_the_model() -> None:
    labels = ["low", "(missing)"]
    feed = [*with_status(*bins("feature", "a", [700, 300], [9000, 1000], labels)).values()]
    aged = [*with_status(*score(8000, 2000, 1000.0)).values()]
    moved = [*with_status(*bins("feature", "a", [900, 100], [5000, 5000])).values()]

    assert (advice(feed).retrain, advice(aged).retrain, advice(moved).retrain) == (
        False,
        True,
        True,
    )
    assert "missing_share of a" in advice(feed).why
    assert advice([]).retrain is False


EVEN = [0.1] * 10
# Of sixty loans, five are expected in all the rare bins.
RARE = [1 / 12 / 30] * 30


@pytest.mark.parametrize(
    ("of", "shares"),
    [
        (of_number, EVEN),
        (of_number, [11 / 12, *RARE]),
        (of_text, [11 / 12, *RARE]),
        (of_text, [4 / 12, 4 / 12, 3 / 12, *RARE]),
    ],
)
def test_on_batches_without_change_hardly_any_is_called(of, shares: list[float]) -> None:
    rng = np.random.default_rng(5)
    baseline = [rng.multinomial(10_000, shares) for _ in range(10)]
    called = 0
    for _ in range(500):
        found = with_status(*[
            each
            for nth, held in enumerate(baseline)
            for each in of(f"f{nth}", rng.multinomial(60, shares), held)
        ])  # fmt: skip
        assert len({subject for subject, measure in found if measure == "psi"}) == 10
        called += any(each.status != "stable" for each in found.values())

    # At most a fiftieth of the batches; of 500, three standard deviations more.
    assert called <= 500 * 0.02 + 3 * np.sqrt(500 * 0.02 * 0.98)
