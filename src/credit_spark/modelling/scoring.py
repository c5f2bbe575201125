"""A model document made into columns: a frame of loans to its scores, a block at a time.

The log-odds of bad are a sum of one term a feature, each zero at the portfolio's mean. Points
are a linear scale of the log-odds; what a feature costs in points is its term, less that of the
contract's reference, on that scale.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from operator import add

import numpy as np
import polars as pl
from numpy.typing import NDArray

from credit_spark.contract.columns import column
from credit_spark.contract.evaluation import columns_of
from credit_spark.contract.logarithms import exp
from credit_spark.contract.models import ScorePlan
from credit_spark.contract.tables import DECISIONS, MISSING, REASONS
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS
from credit_spark.modelling.features import Definition, column_of
from credit_spark.scoring.document import Category, ModelDocument, Number
from credit_spark.scoring.scale import scale_of

DECIDED = ("log_odds", "pd", "points", "band", "decision")
TERM = "term_"
# So many loans' costs stay in a processor's cache.
LOANS_AT_ONCE = 8192


def scored(loans: pl.DataFrame, document: ModelDocument, *beside: str) -> pl.DataFrame:
    """Each loan's score, in the order of `loans`, which has all of `columns_read`.

    `beside` names columns of `loans` that are kept and come first. Then `log_odds` of bad, `pd`,
    `points` (Int32), `band`, `decision`, four reasons (null where there is none),
    `model_version`.
    """
    return _scorer(document.as_json()).scored(loans, beside)


def terms_of(loans: pl.DataFrame, document: ModelDocument) -> pl.DataFrame:
    """What each feature adds to the log-odds of each loan: a column a feature, by its name."""
    return _scorer(document.as_json()).terms(loans)


def columns_read(document: ModelDocument) -> list[str]:
    """The columns of `loans` that a document's features and hard rules read, in order of name."""
    pieces = [*document.features, *document.refusals]
    return sorted(frozenset[str]().union(*[columns_of(each.sql) for each in pieces]))


@lru_cache(maxsize=8)
def _scorer(text: str) -> "Scorer":
    """A stored document made ready: once a process, however many blocks it scores."""
    return Scorer(ModelDocument.of(text))


class Scorer:
    """A model document made ready to score blocks of loans."""

    def __init__(self, document: ModelDocument) -> None:
        pieces = [*document.refusals, *document.terms]
        self._features = [_feature(each.definition) for each in document.features]
        self._refused = [_refused(each.sql, nth) for nth, each in enumerate(document.refusals)]
        self._terms = [_term(each) for each in document.terms]
        self._log_odds = _bounded(reduce(add, _names(self._terms), pl.lit(document.constant)))
        self._decided = _decided(document.score, _names(self._refused))
        self._costs = _costs(self._terms, document.references)
        self._texts = pl.Series([*[each.reason for each in pieces], None], dtype=pl.String)
        self._version = document.version

    def scored(self, loans: pl.DataFrame, beside: Sequence[str]) -> pl.DataFrame:
        """The score of each loan."""
        valued = loans.with_columns(*self._features, *self._refused)
        terms = valued.with_columns(self._terms).select(_names([*self._refused, *self._terms]))
        costs = terms.with_columns(self._costs) if self._costs else terms
        summed = terms.select(*_names(self._refused), self._log_odds).with_columns(_pd())
        version = pl.lit(self._version).alias("model_version")
        kept = [loans.get_column(name) for name in beside]
        decided = summed.with_columns(*self._decided, version, *self._reasons(costs), *kept)
        return decided.select(*beside, *DECIDED, *REASONS, "model_version")

    def terms(self, loans: pl.DataFrame) -> pl.DataFrame:
        """What each feature adds to the log-odds of each loan."""
        terms = loans.with_columns(*self._features).select(self._terms)
        return terms.rename(lambda name: name.removeprefix(TERM))

    def _reasons(self, costs: pl.DataFrame) -> list[pl.Series]:
        starts = range(0, max(len(costs), 1), LOANS_AT_ONCE)
        parts = [_dearest(costs.slice(start, LOANS_AT_ONCE)) for start in starts]
        return [
            self._texts.gather(np.concatenate(places)).alias(name)
            for name, places in zip(REASONS, zip(*parts, strict=True), strict=True)
        ]


def _names(columns: Iterable[pl.Expr]) -> list[pl.Expr]:
    return [pl.col(each.meta.output_name()) for each in columns]


def _feature(feature: Definition) -> pl.Expr:
    """A feature's value, as it is computed."""
    value, name = column(feature.sql), column_of(feature.name)
    return value.cast(pl.String if feature.is_text else pl.Float64).alias(name)


def _refused(sql: str, nth: int) -> pl.Expr:
    """What a hard rule costs: where it holds more than any feature; what is unknown does not."""
    return pl.when(column(sql)).then(np.inf).otherwise(-np.inf).alias(f"refused_{nth}")


def _term(feature: Number | Category) -> pl.Expr:
    """What a feature adds to the log-odds."""
    value = pl.col(column_of(feature.name))
    term = _of_number(value, feature) if isinstance(feature, Number) else _of_text(value, feature)
    return term.alias(f"{TERM}{feature.name}")


def _of_number(value: pl.Expr, feature: Number) -> pl.Expr:
    """The term of a number; one that is null or not finite counts as the imputed one."""
    known = pl.when(value.is_finite()).then(value).otherwise(feature.imputed)
    return (known - feature.mean) * feature.slope


def _of_text(value: pl.Expr, feature: Category) -> pl.Expr:
    """The term of a text; one that is null is the category MISSING."""
    known = value.fill_null(MISSING)
    terms = {level.text: feature.unseen + level.slope for level in feature.levels}
    return known.replace_strict(terms, default=feature.unseen, return_dtype=pl.Float64)


def _costs(terms: Sequence[pl.Expr], references: Sequence[float]) -> list[pl.Expr]:
    """What features cost against their references; none where those are all zero."""
    if not any(references):
        return []
    return [name - held for name, held in zip(_names(terms), references, strict=True)]


def _bounded(log_odds: pl.Expr) -> pl.Expr:
    """Log-odds within what a PD can still tell from 0 and 1; NaN is above all, as in Spark."""
    below = pl.when(log_odds < WIDEST_LOG_ODDS).then(log_odds).otherwise(WIDEST_LOG_ODDS)
    return pl.max_horizontal(below, -WIDEST_LOG_ODDS).alias("log_odds")


def _pd() -> pl.Expr:
    return (1.0 / (1.0 + exp(-pl.col("log_odds")))).alias("pd")


def _decided(plan: ScorePlan, refused: Sequence[pl.Expr]) -> list[pl.Expr]:
    scale = scale_of(plan)
    exact = scale.at_even_odds - scale.a_unit * pl.col("log_odds")
    points = (exact + 0.5).floor().cast(pl.Int32).alias("points")
    return [points, _band(plan).alias("band"), _decision(plan, refused).alias("decision")]


def _band(plan: ScorePlan) -> pl.Expr:
    """The contract's band of a PD."""
    *lower, (last, _) = plan.bands.items()
    band = pl.lit(last)
    for name, below in reversed(lower):
        band = pl.when(pl.col("pd") < below).then(pl.lit(name)).otherwise(band)
    return band


def _decision(plan: ScorePlan, refused: Sequence[pl.Expr]) -> pl.Expr:
    """Approve, review or decline; a hard rule declines whatever the PD."""
    approve, review, decline = (pl.lit(each) for each in DECISIONS)
    is_declined = pl.col("pd") >= plan.decisions.decline_from
    is_approved = pl.col("pd") < plan.decisions.approve_below
    by_pd = pl.when(is_approved).then(approve).when(is_declined).then(decline).otherwise(review)
    is_refused = pl.any_horizontal(False, *[each > 0 for each in refused])
    return pl.when(is_refused).then(decline).otherwise(by_pd)


def _dearest(costs: pl.DataFrame) -> list[NDArray[np.intp]]:
    """Which column costs each loan most, which is next, and so on; of equals, the first column.

    As many as there are reasons; a place after the last column where nothing more costs.
    """
    left = costs.to_numpy(order="fortran", writable=True).T
    last, every, places = len(left) - 1, np.arange(len(costs)), []
    # The first of equals is the furthest from the last: quicker than looking for it in each loan.
    from_last = np.arange(last, -1, -1, dtype=np.uint16)[:, np.newaxis]
    for _ in REASONS:
        dearest = left.max(axis=0)
        place = last - ((left == dearest) * from_last).max(axis=0).astype(np.intp)
        places.append(np.where(dearest > 0, place, len(left)))
        left[place, every] = -np.inf
    return places
