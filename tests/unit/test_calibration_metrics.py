"""Tenths, what was before calibration, and the swap set, each against a plain count."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from credit_spark.evaluation.classification import counted_calls, report
from credit_spark.evaluation.figures import Swap, before, reliability, swap_figures
from credit_spark.evaluation.metrics import ece, tenths
from credit_spark.evaluation.score_bins import ScoreBin, plainly_counted

LOANS = 4000


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds, each once, and outcomes that are worse than they say."""
    rng = np.random.default_rng(seed)
    log_odds = np.sort(rng.choice(np.arange(-5000, 3000), LOANS, replace=False)) / 1000
    return log_odds, (rng.random(LOANS) < 1 / (1 + np.exp(-0.5 - log_odds))).astype(int)


def score_bins(seed: int) -> list[ScoreBin]:
    log_odds, bad = drawn(seed)
    return plainly_counted(log_odds.tolist(), bad.tolist(), lambda _: 600)


@pytest.mark.parametrize("seed", range(4))
def test_tenths_of_loans_are_those_of_a_plain_cut(seed) -> None:
    log_odds, bad = drawn(seed)
    pd = 1 / (1 + np.exp(-log_odds))

    for tenth, risk, outcome in zip(
        tenths(score_bins(seed)), np.split(pd, 10), np.split(bad, 10), strict=True
    ):
        assert (tenth.known, tenth.bad) == (LOANS // 10, outcome.sum())
        assert tenth.expected == pytest.approx(risk.sum(), rel=1e-9)
    errors = [
        abs(r.mean() - o.mean()) for r, o in zip(np.split(pd, 10), np.split(bad, 10), strict=True)
    ]
    assert ece(score_bins(seed)) == pytest.approx(np.mean(errors), abs=1e-9)


def test_reliability_has_a_row_a_tenth_and_figure() -> None:
    told = {(each.segment, each.metric): each for each in reliability(score_bins(1))}

    assert len(told) == 20
    assert told["pd_tenth=1", "mean_pd"].value < told["pd_tenth=10", "mean_pd"].value
    assert sum(told[f"pd_tenth={nth}", "observed_rate"].rows for nth in range(1, 11)) == LOANS


def test_a_few_loans_in_fewer_tenths_are_all_there() -> None:
    few = [ScoreBin(-10, 0, 2, 0, 5), ScoreBin(30, 0, 0, 1, 0)]

    assert [(each.nth, each.known, each.bad) for each in tenths(few)] == [(4, 2, 0), (9, 1, 1)]
    assert tenths([ScoreBin(-10, 0, 0, 0, 5)]) == []


def test_what_was_before_calibration_bears_its_name() -> None:
    names = {each.metric for each in before(score_bins(2))}

    assert {"ece_before", "calibration_slope_before", "brier_before"} <= names
    assert all(name.endswith("_before") for name in names)
    assert "auc_before" not in names


@pytest.mark.parametrize("at", [0.1, 0.5])
def test_the_confusion_matrix_is_scikit_learns(at) -> None:
    log_odds, bad = drawn(3)
    called = (1 / (1 + np.exp(-log_odds)) >= at).astype(int)
    ((tn, fp), (fn, tp)) = confusion_matrix(bad, called)

    told = {
        name: value for (label, name), value in report(score_bins(3), at).items() if label == "bad"
    }
    text = counted_calls(score_bins(3), at).splitlines()

    assert (told["true_negative"], told["false_positive"]) == (tn, fp)
    assert (told["false_negative"], told["true_positive"]) == (fn, tp)
    assert text[1].split() == ["is", "good", f"{tn:,}", f"{fp:,}"]
    assert text[2].split() == ["is", "bad", f"{fn:,}", f"{tp:,}"]
    assert text[3].startswith(f"accuracy {(tn + tp) / LOANS:.3f}, ")


def test_the_swap_set_counts_every_loan_once() -> None:
    swaps = [
        Swap(True, True, ScoreBin(-3000, 0, 10, 1, 2)),
        Swap(True, False, ScoreBin(0, 0, 3, 3, 0)),
        Swap(False, True, ScoreBin(-2900, 0, 0, 0, 4)),
        Swap(True, False, ScoreBin(0, 1, 1, 0, 1)),
    ]

    told = {(each.segment, each.metric): each.value for each in swap_figures(swaps)}

    assert {key[0]: value for key, value in told.items() if key[1] == "loans"} == {
        "approved_by=both": 13, "approved_by=champion": 8, "approved_by=challenger": 4,
        "approved_by=neither": 0,
    }  # fmt: skip
    assert told["approved_by=champion", "observed_rate"] == pytest.approx(3 / 7)
    assert told["approved_by=champion", "mean_pd"] == 0.5
    assert told["approved_by=challenger", "observed_rate"] is None
