"""Reasons: what each text costs a loan, as SQL over the values of its features.

A text is stated only where it is true: one that claims a direction where the value lies on that
side of the reference, none of a missing value but the text for missing. Features with the same
text have it once, their costs added. The SQL of a score (sql.py) gives the four that cost most.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import Category, ModelDocument, Number
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
    less = term.shift + held_against
    sides: list[tuple[str | None, str]] = []
    if term.slope:
        more = _less(f"({own} - {write(term.mean)}) * {write(term.slope)}", less, write)
        sides = [
            (reasons.above, f"{own} > {write(value)}"),
            (reasons.below, f"{own} < {write(value)}"),
        ]
    else:
        # Every known value costs the same, as where a feature has one value or none.
        more = write(-less)
    if term.slope or less < 0:
        sides.append((reasons.either, f"{own} is not null"))
    for text, condition in sides:
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
    levels = {each.text: each for each in term.levels}
    # An absent text that training has not seen costs what any other such text does.
    terms = {ABSENT: term.unseen} | {
        text: term.unseen + each.slope for text, each in levels.items()
    }
    costs_ = {level: max(each - held_against, 0.0) for level, each in terms.items()}

    # Where all bins add the same, none costs points for the side that it is on.
    has_sides = len({each.slope for each in term.levels if each.place is not None}) > 1

    def side(level: str) -> int:
        place = levels[level].place if level in levels and has_sides else None
        return 0 if place is None or home is None else (place > home) - (place < home)

    def case(levels: Iterable[str], unseen: float) -> str:
        stated = dict.fromkeys(costs_, 0.0) | {level: costs_[level] for level in levels}
        whens = [
            f"when {quote(level)} then {write(cost)}"
            for level, cost in stated.items()
            if cost != unseen
        ]
        other = write(unseen)
        return f"case f_{term.name} {' '.join(whens)} else {other} end" if whens else other

    unseen = max(term.unseen - held_against, 0.0)
    for text, stated, other in (
        (reasons.above, [level for level in costs_ if side(level) > 0], 0.0),
        (reasons.below, [level for level in costs_ if side(level) < 0], 0.0),
        (reasons.either, [level for level in costs_ if level != ABSENT], unseen),
        (reasons.missing, [ABSENT], 0.0),
    ):
        if text and (other or any(costs_[level] for level in stated)):
            yield text, case(stated, other)
