"""The gate: a night's table against its suite of expectations."""

from collections.abc import Sequence

from pyspark.sql import functions as F

from credit_spark.adapters.suites import Suites
from credit_spark.contract.errors import GateError, listed
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import Table, loans, scores
from credit_spark.steps import Night

IS_BAD, AGE = "is_bad", "age_days"


def validate(night: Night) -> None:
    """Let Great Expectations judge tonight's loans; what fails its suite is not scored."""
    check_suites(night.suites, night.contract)
    table = loans(night.contract)
    check(night, table, night.tables.files(table, "clean"))


def check_suites(suites: Suites, contract: Contract) -> None:
    """Make sure that the suites can be run on their tables.

    Raises:
        InputError: with every fault of every suite.
    """
    judged = (loans(contract), scores(contract))
    suites.check({table.name: {*table.columns, *_beside(table, contract)} for table in judged})


def check(night: Night, table: Table, files: Sequence[str]) -> None:
    """Judge files that are in a table, or are to be, where it has a suite.

    Suites see `is_bad` beside the table's columns (1 bad, 0 good, null not known; not judged where
    all are null) and, where it has the contract's observed_on, `age_days`: the days from it to
    the night.

    Raises:
        GateError: with every expectation that failed and what was seen.
    """
    suite = night.suites.path(table.name)
    if not suite.is_file():
        night.ledger.note(f"validate {table.name}", {"missing": str(suite)})
        return
    night.ledger.facts["suite_hash"] = night.suites.digest()
    beside = {
        name: F.expr(sql.format(night=night.as_of))
        for name, sql in _beside(table, night.contract).items()
    }
    judged = night.tables.frame(table, files).withColumns(beside)
    failures = night.suites.failures(table.name, judged, where_known={IS_BAD})
    night.ledger.note(f"validate {table.name}", {"failed": [str(each) for each in failures]})
    if failures:
        headline = (
            f"tonight's {table.name} fail {len(failures)} expectation(s); nothing was scored, and "
            "earlier nights stand. Look at the lender's files, or at the suite"
        )
        raise GateError(listed(headline, map(str, failures)))


def _beside(table: Table, contract: Contract) -> dict[str, str]:
    """What suites see beside a table's columns, as SQL with a blank for the `night`."""
    is_bad = "case outcome when 'bad' then 1d when 'good' then 0d end"
    observed_on = contract.observed_on
    if observed_on not in table.columns:
        return {IS_BAD: is_bad}
    return {IS_BAD: is_bad, AGE: f"datediff(date'{{night}}', {observed_on})"}
