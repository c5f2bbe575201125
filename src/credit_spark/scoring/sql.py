"""A model document as one readable SELECT, for a warehouse that has its own SQL.

From a table `loans` with the columns of ours come loan_id, pd, points, band, decision and four
reasons, the same as the night's. Each step stands in a part of its own, in the order of the score:
features, what is known of them, terms of the log-odds, their sum, the dearest terms one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal

import sqlglot
from sqlglot import exp

from credit_spark.contract.models import Kind
from credit_spark.contract.tables import MISSING, REASONS
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS
from credit_spark.modelling.features import LARGEST
from credit_spark.scoring.document import Category, ModelDocument, Number
from credit_spark.scoring.scale import scale_of

Dialect = Literal["spark", "duckdb", "postgres"]
# PostgreSQL would else put each part's expressions into the next, and again into the one after.
AS: Mapping[Dialect, str] = MappingProxyType(
    {"spark": "as", "duckdb": "as", "postgres": "as materialized"}
)
DOUBLES: Mapping[Dialect, str] = MappingProxyType(
    {"spark": "double", "duckdb": "double", "postgres": "double precision"}
)
Term = Number | Category


def exported(document: ModelDocument, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """The SELECT; `kinds` are those of the contract's columns."""
    parts = {
        "features": [
            "-- the contract's features and hard rules",
            *_features(document, kinds, dialect),
        ],
        "known": [
            "-- a number that is not finite is null, a text that is null is a level of its own",
            *_known(document, dialect),
        ],
        "terms": [
            "-- what each feature adds to the log-odds of bad; zero at the portfolio's mean",
            *_terms(document, dialect),
        ],
        "summed": [f"select *, {_summed(document)} as log_odds", "from terms"],
        "judged": ["select *, 1e0 / (1e0 + exp(-log_odds)) as pd", "from summed"],
        **_dearest(document),
    }
    head = [
        f"-- {document.portfolio}: model {document.version}, fitted on the night of "
        f"{document.facts.as_of}.",
        "-- From a table loans with the columns of credit-spark's; one row comes out a loan.",
    ]
    begin = AS[dialect]
    withs = ",\n".join(f"{name} {begin} (\n{_indented(lines)}\n)" for name, lines in parts.items())
    return "\n".join([*head, f"with {withs}", *_select(document, dialect)]) + "\n"


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _features(
    document: ModelDocument, kinds: Mapping[str, Kind], dialect: Dialect
) -> Iterator[str]:
    columns = [
        f"{_translated(each.sql, kinds, dialect)} as {_own(each)}" for each in document.terms
    ]
    rules = [
        f"case when {_translated(rule.sql, kinds, dialect)} then 1 else 0 end as {name}"
        for rule, name in zip(document.refusals, _rules(document), strict=True)
    ]
    yield from _listed("select loan_id", [*columns, *rules], "from loans")


def _rules(document: ModelDocument) -> list[str]:
    """The columns that say whether a hard rule holds."""
    return [f"refused_{nth}" for nth in range(1, len(document.refusals) + 1)]


def _translated(sql: str, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """A compiled feature in a dialect, where a flag counts as 1 or 0 by a case of its own."""
    tree = sqlglot.parse_one(sql, dialect="spark").transform(partial(_decided, kinds=kinds))
    return str(tree.sql(dialect=dialect))


def _decided(node: exp.Expr, kinds: Mapping[str, Kind]) -> exp.Expr:
    """What Spark would leave open is decided in compiled SQL: a wrong cast, a zero below."""
    if isinstance(node, exp.Div):
        node.set("safe", False)
    if isinstance(node, exp.TryCast):
        return exp.Cast(this=_one_or_zero(node.this, kinds), to=node.args["to"])
    return node


def _one_or_zero(value: exp.Expr, kinds: Mapping[str, Kind]) -> exp.Expr:
    if isinstance(value, exp.Column) and kinds.get(value.name) == "flag":
        return exp.Case().when(value.copy(), "1").when(exp.not_(value.copy()), "0")
    return value


def _known(document: ModelDocument, dialect: Dialect) -> Iterator[str]:
    largest = f"{LARGEST!r}".replace("e+", "e")
    columns = [
        f"case when {own} between -{largest} and {largest} then {own} end as {own}"
        if isinstance(each, Number)
        else f"coalesce({own}, {_text(MISSING, dialect)}) as {own}"
        for each, own in ((each, _own(each)) for each in document.terms)
    ]
    yield from _listed("select loan_id", [*columns, *_rules(document)], "from features")


def _terms(document: ModelDocument, dialect: Dialect) -> Iterator[str]:
    columns = [f"{_term(each, dialect)} as {_own(each)}" for each in document.terms]
    yield from _listed("select loan_id", [*columns, *_rules(document)], "from known")


def _term(term: Term, dialect: Dialect) -> str:
    if isinstance(term, Number):
        known = f"coalesce({_own(term)}, {_number(term.imputed)})"
        return f"({known} - {_number(term.mean)}) * {_number(term.slope)}"
    cases = " ".join(
        f"when {_text(level.text, dialect)} then {_number(term.unseen + level.slope)}"
        for level in term.levels
    )
    unseen = _number(term.unseen)
    chosen = f"case {_own(term)} {cases} else {unseen} end" if cases else unseen
    return f"cast({chosen} as {DOUBLES[dialect]})"


def _summed(document: ModelDocument) -> str:
    names = " + ".join(_own(each) for each in document.terms)
    total = f"{_number(document.constant)} + {names}" if names else _number(document.constant)
    return f"greatest(least({total}, {_number(WIDEST_LOG_ODDS)}), {_number(-WIDEST_LOG_ODDS)})"


def _dearest(document: ModelDocument) -> Mapping[str, list[str]]:
    """Two parts a reason: the dearest feature of those not named yet, and which it is.

    Of equally dear ones the first in the contract's order is taken, then the next.
    """
    costs = list(_costs(document))
    parts: dict[str, list[str]] = {}
    before = "judged"
    for nth in range(1, len(REASONS) + 1):
        left = [_left(cost, place, nth) for place, cost in enumerate(costs, start=1)]
        top = f"greatest({', '.join(left)})" if len(left) > 1 else left[0]
        parts[f"dearest_{nth}"] = [f"select *, {top} as cost_{nth}", f"from {before}"]
        cases = [
            f"when {expression} = cost_{nth} then {place}"
            for place, expression in enumerate(left, start=1)
        ]
        parts[f"placed_{nth}"] = [
            *_listed("select *, case", cases, f"end as place_{nth}", between=""),
            f"from dearest_{nth}",
        ]
        before = f"placed_{nth}"
    return parts


def _costs(document: ModelDocument) -> Iterator[str]:
    """What each feature costs: its term, less that of the contract's reference."""
    for term, held in zip(document.terms, document.references, strict=True):
        yield f"({_own(term)} - {_number(held)})" if held else _own(term)


def _left(cost: str, place: int, nth: int) -> str:
    """What a feature costs, or null where it was the dearest before."""
    if nth == 1:
        return cost
    named = " or ".join(f"place_{before} = {place}" for before in range(1, nth))
    return f"case when {named} then null else {cost} end"


def _select(document: ModelDocument, dialect: Dialect) -> Iterator[str]:
    scale, plan = scale_of(document.score), document.score
    exact = f"{_number(scale.at_even_odds)} - {_number(scale.a_unit)} * log_odds"
    *lower, (last, _) = plan.bands.items()
    bands = " ".join(
        f"when pd < {_number(below)} then {_text(name, dialect)}" for name, below in lower
    )
    band = f"case {bands} else {_text(last, dialect)} end" if bands else _text(last, dialect)
    approve, decline = plan.decisions.approve_below, plan.decisions.decline_from
    decision = (
        f"case when pd < {_number(approve)} then 'approve' "
        f"when pd >= {_number(decline)} then 'decline' else 'review' end"
    )
    rules = _rules(document)
    if rules:
        decision = f"case when {' + '.join(rules)} > 0 then 'decline' else {decision} end"
    reasons = [_reason(document, nth, name, dialect) for nth, name in enumerate(REASONS, start=1)]
    columns = [
        "pd",
        f"cast(floor({exact} + 0.5e0) as integer) as points",
        f"{band} as band",
        f"{decision} as decision",
        *reasons,
    ]
    yield from _listed("select loan_id", columns, f"from placed_{len(REASONS)}")


def _reason(document: ModelDocument, nth: int, name: str, dialect: Dialect) -> str:
    """The nth reason: of the hard rules that hold, in their order, then of the dearest terms."""
    rules = _rules(document)
    if not rules:
        return f"{_cost(document.terms, nth, dialect)} as {name}"
    held = [" + ".join(rules[:until]) for until in range(1, len(rules) + 1)]
    refused = " ".join(
        f"when {rule} = 1 and {before} = {nth} then {_text(each.reason, dialect)}"
        for rule, before, each in zip(rules, held, document.refusals, strict=True)
    )
    after = " ".join(
        f"when {held[-1]} = {count} then {_cost(document.terms, nth - count, dialect)}"
        for count in range(min(nth, len(rules) + 1))
    )
    return f"case {refused} {after} end as {name}"


def _cost(terms: Sequence[Term], nth: int, dialect: Dialect) -> str:
    """The reason of the nth dearest term, null where it costs nothing."""
    texts = " ".join(
        f"when {place} then {_text(each.reason, dialect)}" for place, each in enumerate(terms, 1)
    )
    return f"case when cost_{nth} > 0 then case place_{nth} {texts} end end"


def _listed(head: str, columns: Sequence[str], tail: str, between: str = ",") -> Iterator[str]:
    """A head, columns on lines of their own, a tail."""
    yield head + between
    *others, last = columns
    yield from (f"  {each}{between}" for each in others)
    yield f"  {last}"
    yield tail


def _own(term: Term) -> str:
    """A feature's column, under a name that no keyword and no other column has."""
    return f"f_{term.name}"


def _number(value: float) -> str:
    """A double that every dialect reads as one, to its last digit."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def _text(value: str, dialect: Dialect) -> str:
    return str(exp.Literal.string(value).sql(dialect=dialect))
