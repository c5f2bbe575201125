"""Row rules: which rows become loans, which are quarantined, and why.

Rules come from the contract. A rule's name is the fact that it asserts, and the reason written
beside a row that fails it. A rule that is null counts as failed. No rule raises: stopping a run is
the work of the expectations.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from credit_spark.config.expressions import condition
from credit_spark.config.guards import rule_kinds
from credit_spark.config.models import TEXT_KINDS, Contract, ContractColumn, OutcomePlan
from credit_spark.config.tables import TYPES

BLAMED_LETTERS = 80
OUTCOME_RULE = "outcome_is_known"
ENCODING_RULE = "text_is_in_the_encoding"
FIELDS_RULE = "line_has_the_fields_of_its_header"
# Columns beside the contract's own, which cannot begin with an underscore.
KEY, IS_WELL_FORMED, IS_TEXT, TEXTS = "_key", "_is_well_formed", "_is_text", "_texts"


def text_of(name: str) -> str:
    """The text that a column of the contract is read from."""
    return f"{TEXTS}.{name}"


def outside_of(name: str) -> str:
    """The flag of a column whose value was out of bounds, and turned null or clipped."""
    return f"_outside_{name}"


class Rule(NamedTuple):
    """A fact about one row, and the text to blame where it does not hold."""

    name: str
    holds: Column
    text: Column | None = None


def rules_of(contract: Contract, *, is_keyed: bool) -> list[Rule]:
    """Every rule that the contract implies or states, in the contract's order.

    They read typed columns, their texts and flags (`text_of`, `outside_of`), `as_of`, and KEY,
    IS_WELL_FORMED and IS_TEXT.
    """
    kinds = rule_kinds(contract)
    implied = [rule for name, each in contract.columns.items() for rule in column_rules(name, each)]
    stated = [
        Rule(name, F.expr(condition(rule.sql, kinds).sql)) for name, rule in contract.rules.items()
    ]
    return [
        Rule(ENCODING_RULE, F.col(IS_TEXT)),
        Rule(FIELDS_RULE, F.col(IS_WELL_FORMED)),
        *([Rule("key_is_present", F.col(KEY).isNotNull())] if is_keyed else []),
        *implied,
        *([outcome_rule(contract.outcome)] if contract.outcome else []),
        *stated,
    ]


def column_rules(name: str, spec: ContractColumn) -> Iterator[Rule]:
    """The rules of one column; null is unknown, and each rule decides whether that passes."""
    value, text = F.col(name), F.col(text_of(name))
    is_read = value.isNotNull() | text.isNull()
    if spec.outside != "quarantine":
        # Text that was read and then turned null by the contract was readable all the same.
        is_read = is_read | F.col(outside_of(name))
    if spec.kind not in TEXT_KINDS:
        yield Rule(f"{name}_is_readable", is_read, text)
    elif spec.codes and spec.unknown_codes == "quarantine":
        meanings = dict.fromkeys(spec.codes.values())
        yield Rule(f"{name}_is_one_of_its_codes", text.isNull() | text.isin(*meanings), text)
    if spec.required:
        yield Rule(f"{name}_is_present", text.isNotNull(), text)
    if spec.outside == "quarantine":
        yield from _bounds(name, spec, value, text)


def _bounds(name: str, spec: ContractColumn, value: Column, text: Column) -> Iterator[Rule]:
    if spec.range:
        is_within = value.isNull() | value.between(*spec.range)
        yield Rule(f"{name}_is_within_range", is_within, text)
    if spec.one_of:
        is_known = value.isNull() | value.isin(*allowed(spec))
        yield Rule(f"{name}_is_one_of_its_set", is_known, text)


def allowed(spec: ContractColumn) -> list[Column]:
    """The values of `one_of`, in the column's own type."""
    return [F.lit(each).cast(TYPES[spec.kind]) for each in spec.one_of or ()]


def outcome_rule(outcome: OutcomePlan) -> Rule:
    """The outcome's text is one that the contract knows, or missing."""
    value = F.col(outcome.column)
    known = value.isNull() | value.isin(*outcome.good, *outcome.bad, *outcome.open)
    return Rule(OUTCOME_RULE, known, value)


def is_sound(rules: Sequence[Rule]) -> Column:
    """Whether a row passes every rule."""
    return reduce(Column.__and__, [_holds(rule) for rule in rules])


def reasons(rules: Sequence[Rule]) -> Column:
    """Every rule that a row fails, as an array of texts.

    A reason is the rule's name and the text to blame: 'loan_amount_is_readable: lots'.
    """
    return F.array_compact(F.array(*[F.when(~_holds(rule), _reason(rule)) for rule in rules]))


def outcome(contract: Contract) -> Column:
    """'good', 'bad' or 'open' by the contract; null where the row has none."""
    if contract.outcome is None:
        return F.lit(None).cast("string")
    value = F.col(contract.outcome.column)
    named = F.when(value.isin(*contract.outcome.good), "good").when(
        value.isin(*contract.outcome.bad), "bad"
    )
    return (
        named.when(value.isin(*contract.outcome.open), "open") if contract.outcome.open else named
    )


def _holds(rule: Rule) -> Column:
    return F.coalesce(rule.holds, F.lit(False))


def _reason(rule: Rule) -> Column:
    if rule.text is None:
        return F.lit(rule.name)
    return F.concat_ws(": ", F.lit(rule.name), F.substring(rule.text, 1, BLAMED_LETTERS))
