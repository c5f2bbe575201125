"""The book that fits are timed on: as many features as a rich contract has, no value missing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = tuple(f"x{nth}" for nth in range(40))
# The penalty of the L2 norm, beside the mean loss of a row.
REGULARISATION = 1e-4
ROWS_A_FILE = 250_000


def write_book(folder: Path, rows: int) -> None:
    """Parquet files of features and `label`, one row in ten or so bad."""
    folder.mkdir(parents=True)
    weights = np.random.default_rng(1).normal(0, 0.2, len(FEATURES))
    for nth, size in enumerate(_sizes(rows)):
        rng = np.random.default_rng([2, nth])
        values = rng.normal(3, 2, (size, len(FEATURES))) + rng.normal(0, 1, (size, 1))
        log_odds = (values - 3) @ weights - 2.5
        frame = pd.DataFrame(values, columns=FEATURES)
        frame["label"] = (rng.random(size) < 1 / (1 + np.exp(-log_odds))).astype(float)
        frame.to_parquet(folder / f"book-{nth:03}.parquet")


def _sizes(rows: int) -> Iterator[int]:
    while rows:
        yield min(rows, ROWS_A_FILE)
        rows -= min(rows, ROWS_A_FILE)
