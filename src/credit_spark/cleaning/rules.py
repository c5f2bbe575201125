"""Which lines become loans, which are set aside, and why.

Rules come out of the contract. A rule's name is the fact it asserts, and the reason written
beside a line that breaks it. A rule judges one row and never raises: to stop a whole night is
the work of the expectations.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.cleaning.lines import is_inside
from credit_spark.contract.expressions import condition
from credit_spark.contract.guards import judged_kinds
from credit_spark.contract.models import Contract, Outcome, Promise

BLAMED_LETTERS = 80


class Rule(NamedTuple):
    """A fact about one row, and the text that is to blame where it does not hold."""

    name: str
    holds: Column
    text: Column


def rules_of(contract: Contract) -> list[Rule]:
    """Every rule that the contract implies or states, in the contract's order.

    Beside the columns of typed lines, they look at `as_of`.
    """
    nothing = F.lit(None).cast("string")
    kinds = judged_kinds(contract)
    promised = [
        rule for name, each in contract.columns.items() for rule in column_rules(name, each)
    ]
    stated = [
        Rule(name, F.expr(condition(rule.sql, kinds).sql), nothing)
        for name, rule in contract.rules.items()
    ]
    outcome = [outcome_rule(contract.outcome)] if contract.outcome else []
    return [
        Rule("line_has_the_fields_of_its_header", F.col("line").isNull(), nothing),
        Rule("key_is_present", F.col("key").isNotNull(), nothing),
        *promised,
        *outcome,
        *stated,
    ]


def column_rules(name: str, promise: Promise) -> Iterator[Rule]:
    """The rules of one column; null is unknown, and each rule says if that may be."""
    value, text = F.col(name), F.col(f"text.{name}")
    # Text that was read and then turned null by the contract was readable all the same.
    is_read = value.isNotNull() | text.isNull() | F.col(f"outside.{name}")
    if promise.kind not in ("text", "category"):
        yield Rule(f"{name}_is_readable", is_read, text)
    if promise.required:
        yield Rule(f"{name}_is_present", text.isNotNull(), text)
    if promise.outside != "quarantine":
        return
    if promise.range:
        is_within = value.isNull() | is_inside(value, promise.model_copy(update={"one_of": None}))
        yield Rule(f"{name}_is_within_range", is_within, text)
    if promise.one_of:
        is_known = value.isNull() | value.isin(*promise.one_of)
        yield Rule(f"{name}_is_one_of_its_set", is_known, text)


def outcome_rule(outcome: Outcome) -> Rule:
    """The outcome's text is one that the contract knows, or missing."""
    value = F.col(outcome.column)
    known = value.isNull() | value.isin(*outcome.good, *outcome.bad, *outcome.open)
    return Rule("outcome_is_known", known, value)


def judge(lines: DataFrame, rules: Sequence[Rule]) -> DataFrame:
    """Add `reasons`: every rule that a line breaks, empty for a sound one.

    A rule that comes out null counts as broken. A reason is the rule's name and the text to
    blame: 'loan_amount_is_readable: lots'.
    """
    holds = [F.coalesce(rule.holds, F.lit(False)) for rule in rules]
    is_sound = reduce(Column.__and__, holds)
    broken = [
        F.when(~held, F.concat_ws(": ", F.lit(rule.name), rule.text.substr(1, BLAMED_LETTERS)))
        for rule, held in zip(rules, holds, strict=True)
    ]
    # Reasons are put together for the few lines that need them.
    named = F.array_except(F.array(*broken), F.array(F.lit(None).cast("string")))
    none = F.array().cast("array<string>")
    return lines.withColumn("reasons", F.when(is_sound, none).otherwise(named))


def outcome(contract: Contract) -> Column:
    """'good', 'bad' or 'open' by the contract; null where the line says nothing."""
    if contract.outcome is None:
        return F.lit(None).cast("string")
    value = F.col(contract.outcome.column)
    return (
        F.when(value.isin(*contract.outcome.good), "good")
        .when(value.isin(*contract.outcome.bad), "bad")
        .when(value.isin(*contract.outcome.open), "open")
    )
