"""The network learns what there is to learn, and the same rows and seed give the same network."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from credit_spark.training.lstm import Lstm, Rows


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(200, 4))
    is_bad = (features[:, 0] + 0.3 * rng.normal(size=200) > 0.5).astype(float)
    return Rows(features, is_bad)


def test_the_same_seed_gives_the_same_network_and_it_learns(rows) -> None:
    log_odds = [Lstm(rows, seed).log_odds(rows) for seed in (7, 7, 8)]

    assert log_odds[0].tolist() == log_odds[1].tolist()
    assert log_odds[0].tolist() != log_odds[2].tolist()
    assert roc_auc_score(rows.is_bad, log_odds[0]) > 0.95
