"""Training and test rows, decided before any resampling, with what the driver keeps of them.

Folds go by a hash of the borrower or, where none is known, of all that was known at application,
so that equal rows never stand on both sides of a split. Class counts and a bounded sample of
numbers, the same rows on every run, save a fold's training rows a job of their own.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.config.models import MONTHS_BACK, Contract
from credit_spark.features.columns import Definition, column_of
from credit_spark.monitoring.vintages import is_month_end, newest_mature, number_of
from credit_spark.training.imbalance import Classes

# Stands for null in a hash, which would else take (null, 1) and (1, null) for equal.
NULL_MARK = "\u0000"
# The rank of a sample's median has a standard error of 0.16% of the rows.
ENOUGH, SEED = 100_000, 1
# A share of the rows that has a value; with fewer, a sample could have hardly any.
DENSE = 0.5
RANK_ERROR = 0.001
# Columns of training rows that say which of them a test holds out.
FOLD, QUARTER = "fold", "quarter"
Edges = Mapping[str, Sequence[float]]


def fold(contract: Contract) -> Column:
    """The fold of a loan, 0 to folds - 1: the same for every batch and strategy.

    Content is every column that is known at application, but keys, which tell equal loans apart,
    and the outcome's: equal loans end differently.
    """
    plan = contract.model
    keys = [contract.key, *[each.key for each in contract.source.layouts.values()]]
    apart = {name for key in keys if isinstance(key, tuple) for name in key}
    if contract.outcome:
        apart.add(contract.outcome.column)
    hashed = _hashed(plan.seed, [
        name
        for name, spec in contract.columns.items()
        if spec.known == "application" and name not in apart
    ])  # fmt: skip
    if plan.borrower:
        # A loan whose borrower is not known goes by its content.
        is_known = F.col(plan.borrower).isNotNull()
        hashed = F.when(is_known, _hashed(plan.seed, [plan.borrower])).otherwise(hashed)
    return F.pmod(hashed, F.lit(plan.folds)).cast("int")


def _hashed(seed: int, columns: Sequence[str]) -> Column:
    texts = [F.coalesce(F.col(name).cast("string"), F.lit(NULL_MARK)) for name in columns]
    return F.xxhash64(F.lit(seed), *texts)


def out_of_time_from(contract: Contract, as_of: date) -> date | None:
    """The first day of the out-of-time test; None: the contract has none.

    A loan is in the test exactly when it is mature and dated on that day or later. A span is the
    newest full calendar months whose loans are all mature: with a year of performance, '12 months'
    on 2012-12-31 are those of 2011. On 2012-12-30 they begin on 2010-12-01, and the mature loans
    of the month after them, 2011-12, are tested, too.
    """
    given = contract.model.out_of_time_from
    if given is None or isinstance(given, date):
        return given
    match = MONTHS_BACK.fullmatch(given)
    assert match is not None
    newest = newest_mature(as_of, contract.performance_months)
    newest_full = number_of(newest) - (not is_month_end(newest))
    year, month = divmod(newest_full + 1 - int(match[1]), 12)
    return date(year, month + 1, 1)


def random_quarter(contract: Contract) -> Column:
    """Whether a loan belongs to a random quarter, whatever its content."""
    words = F.lit(contract.model.seed), F.lit("random split"), F.col("loan_id")
    return F.pmod(F.xxhash64(*words), F.lit(4)) == 0


class Holdout(NamedTuple):
    """The rows that a test holds out: those with this value of FOLD or QUARTER."""

    column: str
    value: int


class TrainingRows(NamedTuple):
    """Rows with feature columns and `label`; `counts` by FOLD, QUARTER and label.

    `numbers` are the numeric features of the rows, or of a sample where there are many.
    """

    rows: DataFrame
    counts: pa.Table
    numbers: pa.Table

    @classmethod
    def of(cls, rows: DataFrame, features: Sequence[Definition]) -> Self:
        """Count and sample rows."""
        counts = rows.groupBy(FOLD, QUARTER, "label").count().toArrow()
        columns = [column_of(each.name) for each in features if not each.is_text]
        sample = sample_of(rows, pc.sum(counts["count"]).as_py() or 0)
        return cls(rows, counts, sample.select(FOLD, QUARTER, *columns).toArrow())

    def without(self, held_out: Holdout) -> Self:
        """The training rows while some are held out."""
        column, value = held_out
        rest = self.rows.where(F.col(column) != value)
        counts, numbers = (
            each.filter(pc.not_equal(each[column], value)) for each in (self.counts, self.numbers)
        )
        return type(self)(rest, counts, numbers)

    def only(self, held_out: Holdout) -> DataFrame:
        """The rows that are held out."""
        return self.rows.where(F.col(held_out.column) == held_out.value)

    @property
    def classes(self) -> Classes:
        """How many rows are good and bad."""
        good, bad = (
            pc.sum(self.counts.filter(pc.equal(self.counts["label"], label))["count"]).as_py() or 0
            for label in (0.0, 1.0)
        )
        return Classes(good, bad)

    def quantiles(
        self, features: Sequence[Definition], shares: Sequence[float], apart: Edges | None = None
    ) -> dict[str, list[float]]:
        """Of each numeric feature the values below which such shares of its known values lie.

        They occur among the values; those of a feature that are set `apart` do not count. Of many
        rows they are those of a sample, but for a feature of which the sample has few values:
        those are within a thousandth of the rows. Where no row has a value, they are zero.
        """
        columns = {column_of(each.name): each.name for each in features if not each.is_text}
        left_out = {name: list((apart or {}).get(name, ())) for name in columns.values()}
        is_whole = self.numbers.num_rows == self.classes.rows
        enough = 1 if is_whole else max(1, DENSE * self.numbers.num_rows)
        found: dict[str, list[float]] = {}
        for column, name in columns.items():
            values = self.numbers[column].drop_null().to_numpy()
            values = values[~np.isin(values, left_out[name])]
            if len(values) >= enough:
                found[name] = np.quantile(values, shares, method="nearest").tolist()
        if left := [column for column, name in columns.items() if name not in found]:
            known = [
                F.when(~F.col(column).isin(left_out[columns[column]]), F.col(column)).alias(column)
                for column in left
            ]
            exact = self.rows.select(*known).approxQuantile(left, list(shares), RANK_ERROR)
            for column, own in zip(left, exact, strict=True):
                found[columns[column]] = own or [0.0] * len(shares)
        return {name: found[name] for name in columns.values()}


def sample_of(rows: DataFrame, many: float) -> DataFrame:
    """About `ENOUGH` of so many rows; all of them where they are no more.

    The sample depends on the rows' partitions and the order in them.
    """
    if many <= ENOUGH:
        return rows
    # By its name: of a fraction given by position, pyspark forgets the seed.
    return rows.sample(fraction=ENOUGH / many, seed=SEED)


def sample_by_id(loans: DataFrame, many: int, most: int = ENOUGH) -> DataFrame:
    """About `most` of so many loans at most, chosen by a hash of `loan_id`.

    So a loan is in the sample of every batch date, or in none, however the rows are partitioned.
    """
    parts = -(-many // most)
    return loans if parts <= 1 else loans.where(F.pmod(F.xxhash64("loan_id"), F.lit(parts)) == 0)
