"""Training and test rows: decided before any resampling.

Folds go by a hash of the borrower or, where none is known, of all that was known at
application, so that equal rows never stand on both sides of a split.
"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from credit_spark.config.models import MONTHS_BACK, Contract
from credit_spark.monitoring.vintages import is_month_end, newest_mature, number_of

# Stands for null in a hash, which would else take (null, 1) and (1, null) for equal.
NULL_MARK = "\u0000"


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
    """The first day of the out-of-time test; None: the contract asks for none.

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
