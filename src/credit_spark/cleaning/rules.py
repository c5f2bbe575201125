"""Which lines become loans, which are set aside, and why.

Rules come out of the contract. A rule's name is the fact it asserts, and the reason written
beside a line that breaks it. A rule judges one row and never raises: to stop a whole night is
the work of the expectations.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from credit_spark.cleaning.lines import allowed, outside_of, text_of
from credit_spark.contract.columns import column
from credit_spark.contract.expressions import condition
from credit_spark.contract.guards import judged_kinds
from credit_spark.contract.models import Contract, Outcome, Promise

BLAMED_LETTERS = 80
OUTCOME_RULE = "outcome_is_known"
NOTHING = pl.lit(None, pl.String)


class Rule(NamedTuple):
    """A fact about one row, and the text that is to blame where it does not hold."""

    name: str
    holds: pl.Expr
    text: pl.Expr


def rules_of(contract: Contract, *, is_keyed: bool) -> list[Rule]:
    """Every rule that the contract implies or states, in the contract's order.

    Beside the columns of typed lines, they look at `as_of`.
    """
    kinds = judged_kinds(contract)
    promised = [
        rule for name, each in contract.columns.items() for rule in column_rules(name, each)
    ]
    stated = [
        Rule(name, column(condition(rule.sql, kinds).sql), NOTHING)
        for name, rule in contract.rules.items()
    ]
    outcome = [outcome_rule(contract.outcome)] if contract.outcome else []
    has_key = pl.col("key").is_not_null() if is_keyed else pl.lit(value=True)
    return [
        Rule("line_has_the_fields_of_its_header", pl.col("line").is_null(), NOTHING),
        Rule("key_is_present", has_key, NOTHING),
        *promised,
        *outcome,
        *stated,
    ]


def column_rules(name: str, promise: Promise) -> Iterator[Rule]:
    """The rules of one column; null is unknown, and each rule says if that may be."""
    value, text = pl.col(name), pl.col(text_of(name))
    is_read = value.is_not_null() | text.is_null()
    if promise.outside != "quarantine":
        # Text that was read and then turned null by the contract was readable all the same.
        is_read |= pl.col(outside_of(name))
    if promise.kind not in ("text", "category"):
        yield Rule(f"{name}_is_readable", is_read, text)
    if promise.required:
        yield Rule(f"{name}_is_present", text.is_not_null(), text)
    if promise.outside != "quarantine":
        return
    if promise.range:
        is_within = value.is_null() | value.is_between(*promise.range)
        yield Rule(f"{name}_is_within_range", is_within, text)
    if promise.one_of:
        is_known = value.is_null() | value.is_in(allowed(promise))
        yield Rule(f"{name}_is_one_of_its_set", is_known, text)


def outcome_rule(outcome: Outcome) -> Rule:
    """The outcome's text is one that the contract knows, or missing."""
    value = pl.col(outcome.column)
    known = value.is_null() | value.is_in([*outcome.good, *outcome.bad, *outcome.open])
    return Rule(OUTCOME_RULE, known, value)


def sound(rules: Sequence[Rule]) -> pl.Expr:
    """Whether a typed line keeps every rule; one that comes out null counts as broken."""
    return pl.all_horizontal([rule.holds.fill_null(value=False).alias(rule.name) for rule in rules])


def reasons(rules: Sequence[Rule]) -> pl.Expr:
    """Every rule that a line breaks, as `reasons`.

    A reason is the rule's name and the text to blame: 'loan_amount_is_readable: lots'.
    """
    broken = [_reason(rule).alias(rule.name) for rule in rules]
    return pl.concat_list(broken).list.drop_nulls().alias("reasons")


def outcome(contract: Contract) -> pl.Expr:
    """'good', 'bad' or 'open' by the contract; null where the line says nothing."""
    if contract.outcome is None:
        return NOTHING
    value = pl.col(contract.outcome.column)
    return (
        pl.when(value.is_in(contract.outcome.good))
        .then(pl.lit("good"))
        .when(value.is_in(contract.outcome.bad))
        .then(pl.lit("bad"))
        .when(value.is_in(contract.outcome.open))
        .then(pl.lit("open"))
    )


def _reason(rule: Rule) -> pl.Expr:
    blamed = rule.text.str.slice(0, BLAMED_LETTERS)
    said = pl.concat_str(pl.lit(rule.name), blamed, separator=": ", ignore_nulls=True)
    return pl.when(~rule.holds.fill_null(value=False)).then(said)
