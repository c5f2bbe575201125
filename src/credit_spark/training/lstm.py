"""A stacked LSTM with dense layers, by Keras on JAX: a benchmark that overfits, not a champion.

It sees a loan's scaled features as one step of a sequence, as it is commonly set up for tables.
Source: Hochreiter and Schmidhuber (1997), Long Short-Term Memory.
"""

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from credit_spark.config.errors import InputError

Numbers = npt.NDArray[np.float64]
BACKEND = "KERAS_BACKEND"
CELLS, DENSE = (64, 32), 16
LEARNING_RATE = 0.01
EPOCHS, BATCH = 60, 32


class Rows(NamedTuple):
    """Scaled features, a row a loan, and whether each loan is bad (1 or 0)."""

    features: Numbers
    is_bad: Numbers


class Lstm:
    """The network, fitted on training rows; the same rows and seed give the same network."""

    def __init__(self, training: Rows, seed: int) -> None:
        library = keras()
        library.utils.set_random_seed(seed)
        first, second = CELLS
        self._network = library.Sequential([
            library.Input((1, training.features.shape[1])),
            library.layers.LSTM(first, return_sequences=True),
            library.layers.LSTM(second),
            library.layers.Dense(DENSE, activation="relu"),
            library.layers.Dense(1),
        ])  # fmt: skip
        self._network.compile(
            optimizer=library.optimizers.Adam(LEARNING_RATE),
            loss=library.losses.BinaryCrossentropy(from_logits=True),
        )
        self._network.fit(
            _sequences(training), training.is_bad, epochs=EPOCHS, batch_size=BATCH, verbose=0
        )

    def log_odds(self, rows: Rows) -> Numbers:
        """Log-odds of bad of each row."""
        predicted = self._network.predict(_sequences(rows), batch_size=1024, verbose=0)
        return np.asarray(predicted, dtype=float).ravel()


def _sequences(rows: Rows) -> npt.NDArray[np.float32]:
    return rows.features[:, np.newaxis, :].astype(np.float32)


def keras() -> Any:
    """Keras on JAX.

    Raises:
        InputError: one of them is not installed.
    """
    os.environ.setdefault(BACKEND, "jax")
    try:
        import jax  # noqa: F401
        import keras as library
    except ImportError:
        raise InputError(
            "the LSTM needs Keras and JAX, which are not here: pip install 'credit-spark[lstm]'"
        ) from None
    return library
