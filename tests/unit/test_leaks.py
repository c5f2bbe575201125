"""A feature alone: how well it separates good from bad."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from credit_spark.training.diagnostics import single_auc
from credit_spark.training.imbalance import Classes


@pytest.mark.parametrize(
    ("texts", "loans", "rate"), [(1000, 5, 0.02), (900, 10, 0.01), (5, 1000, 0.3)]
)
def test_of_many_small_bins_noise_gives_nothing_away_and_an_answer_does(texts, loans, rate) -> None:
    """By the bins' own rates of bad, noise would reach an AUC of 0.96."""
    draw = np.random.default_rng(1)
    bad = draw.binomial(loans, rate, texts).tolist()
    noise = {f"{nth}": Classes(loans - each, each) for nth, each in enumerate(bad)}
    answer = {
        f"{nth}": Classes(0, loans) if each else Classes(loans, 0) for nth, each in enumerate(bad)
    }
    answer |= {"good": Classes(loans, 0)}

    assert single_auc(noise) < 0.6
    assert single_auc(answer) == 1


def test_of_large_bins_the_auc_is_scikit_learns() -> None:
    counts = {"a": Classes(9000, 500), "b": Classes(4000, 900), "c": Classes(1000, 700)}
    labels = np.concatenate([[0] * each.good + [1] * each.bad for each in counts.values()])
    scores = np.concatenate([[each.bad / each.rows] * each.rows for each in counts.values()])

    assert single_auc(counts) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
