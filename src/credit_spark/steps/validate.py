"""The gate: a night's table against its suite of expectations."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.adapters.suites import Suites
from credit_spark.contract.errors import GateError, listed
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import loans, scores
from credit_spark.steps import Night

IS_BAD, AGE = "is_bad", "age_days"


def validate(night: Night) -> None:
    """Let Great Expectations judge tonight's loans; what fails its suite is not scored."""
    check_suites(night.suites, night.contract)
    table = loans(night.contract)
    check(night, table.name, night.tables.tonight(table, "clean"))


def check_suites(suites: Suites, contract: Contract) -> None:
    """Make sure that the suites can be run on their tables.

    Raises:
        InputError: with every fault of every suite.
    """
    beside = {IS_BAD, AGE} if contract.observed_on else {IS_BAD}
    judged = (loans(contract), scores(contract))
    suites.check({table.name: {*table.columns, *beside} for table in judged})


def check(night: Night, table: str, frame: DataFrame) -> None:
    """Judge rows that stand, or are to stand, in a table, where it has a suite.

    Suites see two columns more than the table has: `is_bad` (1 bad, 0 good, null not known; not
    judged where all are null) and `age_days`, the days from the contract's observed_on to the
    night.

    Raises:
        GateError: with every expectation that failed and what was seen.
    """
    suite = night.suites.path(table)
    if not suite.is_file():
        night.ledger.note(f"validate {table}", {"missing": str(suite)})
        return
    night.ledger.facts["suite_hash"] = night.suites.digest()
    judged = frame.withColumns({IS_BAD: _is_bad(), **_age(night, frame)})
    failures = night.suites.failures(table, judged, where_known={IS_BAD})
    night.ledger.note(f"validate {table}", {"failed": [str(each) for each in failures]})
    if failures:
        headline = (
            f"tonight's {table} fail {len(failures)} expectation(s); nothing was scored, and "
            "earlier nights stand. Look at the lender's files, or at the suite"
        )
        raise GateError(listed(headline, map(str, failures)))


def _is_bad() -> Column:
    outcome = F.col("outcome")
    return F.when(outcome == "bad", 1.0).when(outcome == "good", 0.0)


def _age(night: Night, frame: DataFrame) -> dict[str, Column]:
    observed_on = night.contract.observed_on
    if observed_on is None or observed_on not in frame.columns:
        return {}
    return {AGE: F.date_diff(F.lit(night.as_of), observed_on)}
