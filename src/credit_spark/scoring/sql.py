"""The SQL of a model document: what the batch runs on Spark and `export` writes for other engines.

The input is a table `loans` with the contract's columns; the output has one row per loan. Each
common table expression is one step of the score: features, known values, terms of the log-odds,
their sum, the PD, and the most costly features one by one. Every row hangs on its own loan only.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from credit_spark.contract.expressions import columns_of
from credit_spark.contract.models import Kind, Loss
from credit_spark.contract.tables import EXPECTED_LOSS, MISSING, REASONS
from credit_spark.evaluation.cells import WIDEST_LOG_ODDS
from credit_spark.features.columns import LARGEST
from credit_spark.scoring.document import Category, ModelDocument, Number
from credit_spark.scoring.scale import scale_of

Dialect = Literal["spark", "duckdb", "postgres"]
# PostgreSQL would else put each step's expressions into the next, and again into the one after.
AS: Mapping[Dialect, str] = MappingProxyType(
    {"spark": "as", "duckdb": "as", "postgres": "as materialized"}
)
DOUBLES: Mapping[Dialect, str] = MappingProxyType(
    {"spark": "double", "duckdb": "double", "postgres": "double precision"}
)
LOAN_ID = ("loan_id",)
# A contract's column begins with a letter, so no column that is kept has this name.
EXPOSURE = "_exposure"
LAST = f"placed_{len(REASONS)}"
Term = Number | Category
Steps = dict[str, Sequence[str]]


def scoring_sql(
    document: ModelDocument,
    kinds: Mapping[str, Kind],
    dialect: Dialect,
    keep: Sequence[str] = LOAN_ID,
    loss: Loss | None = None,
) -> str:
    """The SELECT that scores a table `loans`.

    Columns: those of `keep` as they are in `loans`; `log_odds` of bad, within WIDEST_LOG_ODDS;
    `pd` (0 to 1), `points` (int), `band`, `decision`, `reason_1` to `reason_4` (null where no
    further feature costs points); `expected_loss` where the contract has a `loss`;
    `model_version`. `kinds` are those of the contract's columns.
    """
    steps = _scoring_steps(document, kinds, dialect, keep, loss)
    columns = [
        *map(quoted(dialect), keep),
        "log_odds",
        "pd",
        *_decided(document, dialect),
        *([f"pd * {EXPOSURE} * {_number(loss.given_default)} as {EXPECTED_LOSS}"] if loss else []),
        f"{_text(document.version, dialect)} as model_version",
    ]
    return _query(document, dialect, steps, columns, f"from {LAST}")


def terms_sql(
    document: ModelDocument,
    kinds: Mapping[str, Kind],
    dialect: Dialect,
    keep: Sequence[str] = LOAN_ID,
) -> str:
    """The SELECT of what each feature adds to the log-odds of bad: `keep`, then `f_<feature>`."""
    steps = _term_steps(document, kinds, dialect, keep)
    columns = [*map(quoted(dialect), keep), *map(column_of, document.terms)]
    return _query(document, dialect, steps, columns, "from terms")


def record_sql(document: ModelDocument, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """The SELECT that explains the score of the one row that `loans` has.

    Columns: those of `scoring_sql` from `log_odds` to `reason_4`; of each feature its value as
    `v_<feature>` and its term of the log-odds as `f_<feature>`. A value that is a number is null
    where it is null or not finite; one that is a text is MISSING where it is null.
    """
    values, terms = ([f"{kind}_{each.name}" for each in document.terms] for kind in "vf")
    valued = [f"{column} as {value}" for column, value in zip(terms, values, strict=True)]
    steps = {
        **_scoring_steps(document, kinds, dialect, LOAN_ID),
        "valued": [*_listed("select", valued or ["1 as one"], "from known")],
        "explained": [*_listed("select", terms or ["1 as other"], "from terms")],
    }
    columns = ["log_odds", "pd", *_decided(document, dialect), *values, *terms]
    return _query(document, dialect, steps, columns, f"from {LAST}, valued, explained")


def columns_read(document: ModelDocument) -> list[str]:
    """The columns of `loans` that a document's features and hard rules read, in order of name."""
    pieces = [*document.features, *document.refusals]
    return sorted(frozenset[str]().union(*[columns_of(each.sql) for each in pieces]))


def column_of(term: Term) -> str:
    """The column of a feature's value or term."""
    return f"f_{term.name}"


def quoted(dialect: Dialect) -> "partial[str]":
    """A function from a column's name to its SQL, quoted where it is a key word."""
    return partial(_identifier, dialect=dialect)


def _identifier(name: str, dialect: Dialect) -> str:
    (token,) = sqlglot.tokenize(name, read=dialect)
    is_plain = token.token_type == TokenType.VAR
    return str(exp.to_identifier(name, quoted=not is_plain).sql(dialect=dialect))


def _query(
    document: ModelDocument,
    dialect: Dialect,
    steps: Mapping[str, Sequence[str]],
    columns: Sequence[str],
    source: str,
) -> str:
    """The steps as common table expressions, and the final SELECT."""
    head = [
        f"-- {document.portfolio}: model {document.version}, fitted as of {document.facts.as_of}.",
        "-- The input is a table loans with the columns of the contract; one row comes out a loan.",
    ]
    begin = AS[dialect]
    withs = ",\n".join(f"{name} {begin} (\n{_indented(step)}\n)" for name, step in steps.items())
    return "\n".join([*head, f"with {withs}", *_listed("select", columns, source)]) + "\n"


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _scoring_steps(
    document: ModelDocument,
    kinds: Mapping[str, Kind],
    dialect: Dialect,
    keep: Sequence[str],
    loss: Loss | None = None,
) -> Steps:
    """The steps from `loans` to the highest costs, the last of which is LAST."""
    carried = [*map(quoted(dialect), keep), *([EXPOSURE] if loss else []), *_rules(document)]
    return {
        **_term_steps(document, kinds, dialect, keep, loss),
        "summed": [f"select *, {_summed(document)} as log_odds", "from terms"],
        "judged": ["select *, 1e0 / (1e0 + exp(-log_odds)) as pd", "from summed"],
        **_cost_steps(document, [*carried, "log_odds", "pd"]),
    }


def _term_steps(
    document: ModelDocument,
    kinds: Mapping[str, Kind],
    dialect: Dialect,
    keep: Sequence[str],
    loss: Loss | None = None,
) -> Steps:
    """The steps from `loans` to each feature's term."""
    kept = [quoted(dialect)(name) for name in keep]
    exposure = [f"{quoted(dialect)(loss.exposure)} as {EXPOSURE}"] if loss else []
    features = [*kept, *exposure, *_features(document, kinds, dialect)]
    carried = [*kept, *([EXPOSURE] if loss else []), *_rules(document)]
    return {
        "features": [
            "-- the contract's features and hard rules",
            *_listed("select", features, "from loans"),
        ],
        "known": [
            "-- a number that is not finite is null, a text that is null is a level of its own",
            *_listed("select", [*carried, *_known(document, dialect)], "from features"),
        ],
        "terms": [
            "-- what each feature adds to the log-odds of bad; zero at the portfolio's mean",
            *_listed("select", [*carried, *_terms(document, dialect)], "from known"),
        ],
    }


def _features(
    document: ModelDocument, kinds: Mapping[str, Kind], dialect: Dialect
) -> Iterator[str]:
    for each in document.terms:
        yield f"{translated(each.sql, kinds, dialect)} as {column_of(each)}"
    for rule, name in zip(document.refusals, _rules(document), strict=True):
        yield f"case when {translated(rule.sql, kinds, dialect)} then 1 else 0 end as {name}"


def _rules(document: ModelDocument) -> list[str]:
    """The columns that say whether a hard rule holds."""
    return [f"_refused_{nth}" for nth in range(1, len(document.refusals) + 1)]


def translated(sql: str, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """A compiled feature in a dialect, where a flag counts as 1 or 0 by a case of its own."""
    tree = sqlglot.parse_one(sql, dialect="spark").transform(partial(_portable, kinds=kinds))
    return str(tree.sql(dialect=dialect))


def _portable(node: exp.Expr, kinds: Mapping[str, Kind]) -> exp.Expr:
    """A node without what a translation would leave open: a failing cast, zero as a divisor."""
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
    for each in document.terms:
        own = column_of(each)
        if isinstance(each, Number):
            yield f"case when {own} between -{largest} and {largest} then {own} end as {own}"
        else:
            yield f"coalesce({own}, {_text(MISSING, dialect)}) as {own}"


def _terms(document: ModelDocument, dialect: Dialect) -> Iterator[str]:
    return (f"{_term(each, dialect)} as {column_of(each)}" for each in document.terms)


def _term(term: Term, dialect: Dialect) -> str:
    own = column_of(term)
    if isinstance(term, Number):
        known = f"coalesce({own}, {_number(term.imputed)})"
        return f"({known} - {_number(term.mean)}) * {_number(term.slope)}"
    cases = " ".join(
        f"when {_text(level.text, dialect)} then {_number(term.unseen + level.slope)}"
        for level in term.levels
    )
    unseen = _number(term.unseen)
    chosen = f"case {own} {cases} else {unseen} end" if cases else unseen
    return f"cast({chosen} as {DOUBLES[dialect]})"


def _summed(document: ModelDocument) -> str:
    total = " + ".join([_number(document.constant), *map(column_of, document.terms)])
    return f"greatest(least({total}, {_number(WIDEST_LOG_ODDS)}), {_number(-WIDEST_LOG_ODDS)})"


def _cost_steps(document: ModelDocument, carried: Sequence[str]) -> Steps:
    """Of each reason: the highest cost, whose it is, and the costs without it.

    Of equal costs the first in the contract's order is chosen, then the next. A chosen cost becomes
    0, which is no reason, not null: Spark's code for values that are never null is half as long.
    """
    costs, source = list(_costs(document)) or ["0e0"], "judged"
    steps: Steps = {}
    chosen: list[str] = []
    for nth, _ in enumerate(REASONS, start=1):
        top, place = f"_cost_{nth}", f"_place_{nth}"
        highest = f"greatest({', '.join(costs)})" if len(costs) > 1 else costs[0]
        cases = [f"when {cost} = {top} then {at}" for at, cost in enumerate(costs, start=1)]
        steps[f"dearest_{nth}"] = [f"select *, {highest} as {top}", f"from {source}"]
        steps[f"placed_{nth}"] = [
            *_listed("select *, case", cases, f"else 0 end as {place}", between=""),
            f"from dearest_{nth}",
        ]
        chosen += [top, place]
        left = [
            f"case when {place} = {at} then 0e0 else {cost} end as _left_{at}"
            for at, cost in enumerate(costs, start=1)
        ]
        source = f"left_{nth}"
        steps[source] = [*_listed("select", [*carried, *chosen, *left], f"from placed_{nth}")]
        costs = [f"_left_{at}" for at in range(1, len(left) + 1)]
    del steps[source]
    return steps


def _costs(document: ModelDocument) -> Iterator[str]:
    """What each feature costs: its term, less that of the contract's reference."""
    for term, held in zip(document.terms, document.references, strict=True):
        own = column_of(term)
        yield f"({own} - {_number(held)})" if held else own


def _decided(document: ModelDocument, dialect: Dialect) -> Iterator[str]:
    """Points, band, decision and reasons."""
    scale, plan = scale_of(document.score), document.score
    exact = f"{_number(scale.at_even_odds)} - {_number(scale.a_unit)} * log_odds"
    yield f"cast(floor({exact} + 0.5e0) as integer) as points"
    *lower, (last, _) = plan.bands.items()
    bands = " ".join(
        f"when pd < {_number(below)} then {_text(name, dialect)}" for name, below in lower
    )
    last_band = _text(last, dialect)
    yield f"{f'case {bands} else {last_band} end' if bands else last_band} as band"
    rules = _rules(document)
    refused = f"when {' + '.join(rules)} > 0 then 'decline' " if rules else ""
    yield (
        f"case {refused}when pd < {_number(plan.decisions.approve_below)} then 'approve' "
        f"when pd >= {_number(plan.decisions.decline_from)} then 'decline' else 'review' end "
        "as decision"
    )
    for nth, name in enumerate(REASONS, start=1):
        yield f"{_reason(document, nth, dialect)} as {name}"


def _reason(document: ModelDocument, nth: int, dialect: Dialect) -> str:
    """The nth reason: of the hard rules that hold, in their order, then of the highest costs."""
    rules = _rules(document)
    if not rules:
        return _cost(document.terms, nth, dialect)
    held = [" + ".join(rules[:until]) for until in range(1, len(rules) + 1)]
    refused = " ".join(
        f"when {rule} = 1 and {before} = {nth} then {_text(each.reason, dialect)}"
        for rule, before, each in zip(rules, held, document.refusals, strict=True)
    )
    after = " ".join(
        f"when {held[-1]} = {count} then {_cost(document.terms, nth - count, dialect)}"
        for count in range(min(nth, len(rules) + 1))
    )
    return f"case {refused} {after} end"


def _cost(terms: Sequence[Term], nth: int, dialect: Dialect) -> str:
    """The reason of the nth highest cost, null where it costs nothing."""
    texts = " ".join(
        f"when {place} then {_text(each.reason, dialect)}" for place, each in enumerate(terms, 1)
    )
    return f"case when _cost_{nth} > 0 then case _place_{nth} {texts} end end"


def _listed(head: str, columns: Sequence[str], tail: str, between: str = ",") -> Iterator[str]:
    """A head, columns on lines of their own, a tail."""
    yield head
    *others, last = columns
    yield from (f"  {each}{between}" for each in others)
    yield f"  {last}"
    yield tail


def _number(value: float) -> str:
    """A double that every dialect reads as one, to its last digit."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def _text(value: str, dialect: Dialect) -> str:
    return str(exp.Literal.string(value).sql(dialect=dialect))
