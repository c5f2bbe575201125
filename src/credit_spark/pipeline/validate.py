"""The gate: a night's table against its suite of expectations.

What tasks can count while they have the rows in hand is not asked of Spark again.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.adapters.staging import Staged
from credit_spark.cleaning.superseding import HASHES_AT_ONCE, ranges
from credit_spark.contract.errors import GateError, listed
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import Table, loans, scores
from credit_spark.evaluation.questions import ROWS, Answers, Questionnaire, Told
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.counting import numbers_in, standing_with_others
from credit_spark.quality.suites import Suites

IS_BAD, AGE = "is_bad", "age_days"


class Beside(NamedTuple):
    """What suites see beside a table's columns: its Spark type, and what it is to both engines."""

    type: str
    sql: str
    expr: pl.Expr


class Counted(NamedTuple):
    """Files of a table, and what each of them tells of what was asked."""

    asked: Questionnaire
    files: Sequence[str]
    told: Sequence[Told]

    @classmethod
    def when_staged(cls, asked: Questionnaire, folder: str, staged: Sequence[Staged]) -> "Counted":
        """Of files that were counted while they were written, below a table's folder."""
        files = [f"{folder}/{each.path}" for each in staged]
        return cls(asked, files, [each.told for each in staged])


def validate(night: RunContext, counted: Counted | None = None) -> None:
    """Let Great Expectations judge tonight's loans; what fails its suite is not scored.

    Loans that were not `counted` when they were written are counted now.
    """
    check_suites(night.suites, night.contract)
    table = loans(night.contract)
    check(night, table, counted or counted_now(night, table))


def check_suites(suites: Suites, contract: Contract) -> None:
    """Make sure that the suites can be run on their tables.

    Raises:
        InputError: with every fault of every suite.
    """
    judged = (loans(contract), scores(contract))
    suites.check({table.name: {*table.columns, *_named(table, contract)} for table in judged})


def asked_of(night: RunContext, table: Table) -> Questionnaire:
    """What the suite of a table asks of its rows, as far as tasks can tell it."""
    beside = _beside(table, night.contract, night.as_of)
    types = {name: each.type for name, each in table.columns.items()}
    types |= {name: each.type for name, each in beside.items()}
    exprs = {name: each.expr for name, each in beside.items()}
    return Questionnaire.of(night.suites.questions(table.name), types, exprs)


def check(night: RunContext, table: Table, counted: Counted) -> None:
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
    seen, answers = seen_by_suites(night, table, counted.files), answers_of(night, counted)
    failures = night.suites.failures(table.name, seen, answers, where_known={IS_BAD})
    night.ledger.note(f"validate {table.name}", {"failed": [str(each) for each in failures]})
    if failures:
        headline = (
            f"tonight's {table.name} fail {len(failures)} expectation(s); nothing was scored, and "
            "earlier nights stand. Look at the lender's files, or at the suite"
        )
        raise GateError(listed(headline, map(str, failures)))


def counted_now(night: RunContext, table: Table) -> Counted:
    """Tonight's files of a table, counted by reading them again, where there is what to count."""
    files, asked = night.tables.files(table, "clean"), asked_of(night, table)
    if not asked.questions:
        return Counted(asked, files, [])
    count = partial(numbers_in, asked=asked, key=table.keys[0])
    return Counted(asked, files, night.spread(f"count {table.name}", count, files))


def answers_of(night: RunContext, counted: Counted) -> Answers:
    """What all rows tell; of columns that are to be unique, their texts are put side by side."""
    answers = counted.asked.answers(counted.told)
    rows = int(answers.get(ROWS) or 0)
    for question in counted.asked.unique:
        look = partial(standing_with_others, column=question.column, files=counted.files)
        found = night.spread("find texts that stand twice", look, ranges(rows, HASHES_AT_ONCE))
        answers[question] = sum(found)
    return answers


def seen_by_suites(night: RunContext, table: Table, files: Sequence[str]) -> DataFrame:
    """Files of a table as suites see them."""
    beside = _beside(table, night.contract, night.as_of)
    seen = {name: F.expr(each.sql) for name, each in beside.items()}
    return night.tables.frame(table, files).withColumns(seen)


def _named(table: Table, contract: Contract) -> list[str]:
    """The names of what suites see beside a table's columns."""
    return [IS_BAD, *([AGE] if contract.observed_on in table.columns else [])]


def _beside(table: Table, contract: Contract, night: date) -> Mapping[str, Beside]:
    known = {IS_BAD: _is_bad(), AGE: _age(f"{contract.observed_on}", night)}
    return {name: known[name] for name in _named(table, contract)}


def _is_bad() -> Beside:
    outcome = pl.col("outcome")
    return Beside(
        "double",
        "case outcome when 'bad' then 1d when 'good' then 0d end",
        pl.when(outcome == "bad").then(1.0).when(outcome == "good").then(0.0),
    )


def _age(observed_on: str, night: date) -> Beside:
    return Beside(
        "int",
        f"datediff(date'{night}', {observed_on})",
        (pl.lit(night) - pl.col(observed_on)).dt.total_days(),
    )
