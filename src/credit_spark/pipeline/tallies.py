"""What a task counts of the loans that it scores: all that a night is judged and shown by."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from credit_spark.contract.models import Contract
from credit_spark.evaluation.cells import added, tallied
from credit_spark.evaluation.vintages import VINTAGE, judged, tallied_vintages
from credit_spark.modelling.moments import moments
from credit_spark.modelling.watching import Profile, columns_watched, pairs, profiled
from credit_spark.scoring.document import ModelDocument


class Tally(NamedTuple):
    """Loans counted by score, by score within their vintage, and by what is watched.

    `moments` are sums of products of the numeric features (modelling/moments.py).
    """

    scores: pl.DataFrame
    vintages: pl.DataFrame
    profile: Profile
    moments: NDArray[np.float64]

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """The tally of all parts' loans, one part at least."""
        scores, by_month, profiles, sums = zip(*parts, strict=True)
        return cls(
            added(scores),
            added(by_month, [VINTAGE]),
            np.sum(profiles, axis=0),
            np.sum(sums, axis=0),
        )


class Tallier(NamedTuple):
    """Counts the loans of a night, by the model that scores them."""

    document: ModelDocument
    contract: Contract
    as_of: date

    @property
    def columns(self) -> list[str]:
        """The columns of `loans` that are read."""
        observed_on = self.contract.observed_on
        beside = ["outcome", *([observed_on] if observed_on else [])]
        return sorted({*columns_watched(self.document.watched), *beside})

    def tally(self, loans: pl.DataFrame, scores: pl.DataFrame) -> Tally:
        """Count a block of loans, and what they were scored: `log_odds`, `pd`, `points`."""
        document, contract = self.document, self.contract
        scored = loans.select(self.columns).with_columns(scores["log_odds", "pd", "points"])
        old = judged(scored, contract.observed_on, self.as_of, contract.performance_months)
        return Tally(
            tallied(old),
            tallied_vintages(old),
            profiled(old, document.watched, pairs(contract, document.watched)),
            moments(loans, document.watched),
        )
