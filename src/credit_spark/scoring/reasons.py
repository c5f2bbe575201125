"""Reasons: what each text costs a loan, as SQL over the values of its features.

A text is stated only where it is true: one that claims a direction where the value lies on that
side of the reference, none of a missing value but the text for missing. Features with the same
text have it once, their costs added.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import Category, Level, ModelDocument, Number
from credit_spark.scoring.policy import Policy, Reasons

Cost = tuple[str, str]
Quote = Callable[[str], str]
Write = Callable[[float], str]
NOTHING = "0e0"


def costs(
    document: ModelDocument, policy: Policy, quote: Quote, write: Write
) -> dict[str, list[str]]:
    """SQL of what each reason text costs, feature by feature, in the contract's order.

    It is the log-odds of bad above those of the reference, 0 where the text may not be stated. In
    come the columns `f_<feature>` of known values; `quote` and `write` are texts and numbers in
    SQL.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for term in document.terms:
        reasons = policy.reasons.get(term.name, Reasons())
        if isinstance(term, Number):
            own = _of_number(term, reasons, policy, write)
        else:
            own = _of_levels(term, reasons, policy, quote, write)
        for text, cost in own:
            found[text].append(cost)
    return found


def _of_number(term: Number, reasons: Reasons, policy: Policy, write: Write) -> Iterator[Cost]:
    own = f"f_{term.name}"
    value, held_against = term.reference(policy.score.reference)
    if term.slope:
        more = _less(f"({own} - {write(term.mean)}) * {write(term.slope)}",
                     term.shift + held_against, write)  # fmt: skip
        conditions = {
            reasons.above: f"{own} > {write(value)}",
            reasons.below: f"{own} < {write(value)}",
            reasons.either: f"{own} is not null",
        }
        for text, condition in conditions.items():
            if text:
                positive = f"greatest({more}, {NOTHING})"
                yield text, f"case when {condition} then {positive} else {NOTHING} end"
    missing = term.of_missing - held_against
    if reasons.missing and missing > 0:
        yield reasons.missing, f"case when {own} is null then {write(missing)} else {NOTHING} end"


def _less(sql: str, value: float, write: Write) -> str:
    return f"{sql} - {write(value)}" if value else sql


def _of_levels(
    term: Category, reasons: Reasons, policy: Policy, quote: Quote, write: Write
) -> Iterator[Cost]:
    home, held_against = term.reference(policy.score.reference)

    def is_above(level: Level) -> bool:
        return level.place is not None and home is not None and level.place > home

    def is_below(level: Level) -> bool:
        return level.place is not None and home is not None and level.place < home

    sides: dict[str | None, Callable[[Level], bool]] = {
        reasons.above: is_above,
        reasons.below: is_below,
        reasons.either: lambda level: level.text != ABSENT,
        reasons.missing: lambda level: level.text == ABSENT,
    }
    for text, is_stated in sides.items():
        found = {
            each.text: term.unseen + each.slope - held_against
            for each in term.levels
            if is_stated(each)
        }
        whens = [
            f"when {quote(level)} then {write(cost)}" for level, cost in found.items() if cost > 0
        ]
        known = [
            f"when {quote(each.text)} then {NOTHING}"
            for each in term.levels
            if found.get(each.text, 0.0) <= 0
        ]
        unseen = max(term.unseen - held_against, 0.0) if text == reasons.either else 0.0
        if text and (whens or unseen):
            others = [*known, f"else {write(unseen)}"] if unseen else [f"else {NOTHING}"]
            yield text, f"case f_{term.name} {' '.join([*whens, *others])} end"
