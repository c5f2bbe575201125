"""The SQL of a model document: what the batch runs on Spark and `export` writes for other engines.

The input is a table `loans` with the contract's columns; the output has one row per loan. Each
common table expression is one step of the score: features, known values, terms of the log-odds,
their sum, the PD, and the most costly features one by one. Every row hangs on its own loan only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
AS = {"spark": "as", "duckdb": "as", "postgres": "as materialized"}
DOUBLES = {"spark": "double", "duckdb": "double", "postgres": "double precision"}
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
    statement = _Statement(document, kinds, dialect, keep, loss)
    columns = [*statement.kept, *statement.score()]
    if loss:
        columns.append(f"pd * {EXPOSURE} * {_number(loss.given_default)} as {EXPECTED_LOSS}")
    columns.append(f"{statement.text(document.version)} as model_version")
    return statement.select(statement.scoring_steps(), columns, f"from {LAST}")


def terms_sql(
    document: ModelDocument,
    kinds: Mapping[str, Kind],
    dialect: Dialect,
    keep: Sequence[str] = LOAN_ID,
) -> str:
    """The SELECT of what each feature adds to the log-odds of bad: `keep`, then `f_<feature>`."""
    statement = _Statement(document, kinds, dialect, keep)
    columns = [*statement.kept, *statement.features]
    return statement.select(statement.term_steps(), columns, "from terms")


def record_sql(document: ModelDocument, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """The SELECT that explains the score of the one row that `loans` has.

    Columns: those of `scoring_sql` from `log_odds` to `reason_4`; of each feature its value as
    `v_<feature>` and its term of the log-odds as `f_<feature>`. A value that is a number is null
    where it is null or not finite; one that is a text is MISSING where it is null.
    """
    statement = _Statement(document, kinds, dialect)
    terms, values = statement.features, [f"v_{each.name}" for each in document.features]
    valued = [f"{term} as {value}" for term, value in zip(terms, values, strict=True)]
    steps = {
        **statement.scoring_steps(),
        "valued": _listed("select", valued or ["1 as one"], "from known"),
        "explained": _listed("select", terms or ["1 as other"], "from terms"),
    }
    columns = [*statement.score(), *values, *terms]
    return statement.select(steps, columns, f"from {LAST}, valued, explained")


def columns_read(document: ModelDocument) -> list[str]:
    """The columns of `loans` that a document's features and hard rules read, in order of name."""
    pieces = (*document.features, *document.refusals)
    return sorted({column for each in pieces for column in columns_of(each.sql)})


def column_of(term: Term) -> str:
    """The column of a feature's value or term."""
    return f"f_{term.name}"


def quoted(name: str, dialect: Dialect) -> str:
    """A column's name in SQL, quoted where it is a key word."""
    (token,) = sqlglot.tokenize(name, read=dialect)
    is_plain = token.token_type == TokenType.VAR
    return str(exp.to_identifier(name, quoted=not is_plain).sql(dialect=dialect))


def translated(sql: str, kinds: Mapping[str, Kind], dialect: Dialect) -> str:
    """A compiled feature in a dialect, where a flag counts as 1 or 0 by a case of its own."""
    tree = sqlglot.parse_one(sql, dialect="spark").transform(partial(_portable, kinds=kinds))
    return str(tree.sql(dialect=dialect))


def _portable(node: exp.Expr, kinds: Mapping[str, Kind]) -> exp.Expr:
    """A node without what a translation would leave open: a failing cast, zero as a divisor."""
    if isinstance(node, exp.Div):
        node.set("safe", False)
    if isinstance(node, exp.TryCast):
        value = node.this
        if isinstance(value, exp.Column) and kinds.get(value.name) == "flag":
            value = exp.Case().when(value.copy(), "1").when(exp.not_(value.copy()), "0")
        return exp.Cast(this=value, to=node.args["to"])
    return node


@dataclass(frozen=True)
class _Statement:
    """The steps and columns of a document's SQL in a dialect; each loan's `keep` are carried."""

    document: ModelDocument
    kinds: Mapping[str, Kind]
    dialect: Dialect
    keep: Sequence[str] = LOAN_ID
    loss: Loss | None = None

    @property
    def kept(self) -> list[str]:
        return [quoted(name, self.dialect) for name in self.keep]

    @property
    def features(self) -> list[str]:
        return [column_of(each) for each in self.document.features]

    @property
    def rules(self) -> list[str]:
        """The columns that say whether a hard rule holds."""
        return [f"_refused_{nth}" for nth, _ in enumerate(self.document.refusals, start=1)]

    @property
    def carried(self) -> list[str]:
        """The columns that each step hands on beside the features."""
        return [*self.kept, *([EXPOSURE] if self.loss else []), *self.rules]

    def select(self, steps: Steps, columns: Sequence[str], source: str) -> str:
        """The steps as common table expressions, and the final SELECT."""
        document, begin = self.document, AS[self.dialect]
        withs = ",\n".join(
            "\n".join([f"{name} {begin} (", *[f"  {line}" for line in step], ")"])
            for name, step in steps.items()
        )
        about = f"model {document.version}, fitted as of {document.facts.as_of}"
        return "\n".join([
            f"-- {document.portfolio}: {about}.",
            "-- The input is a table loans with the contract's columns; one row comes out a loan.",
            f"with {withs}",
            *_listed("select", columns, source),
            "",
        ])  # fmt: skip

    def scoring_steps(self) -> Steps:
        """The steps from `loans` to the highest costs, the last of which is LAST."""
        total = " + ".join([_number(self.document.constant), *self.features])
        widest = _number(WIDEST_LOG_ODDS)
        bounded = f"greatest(least({total}, {widest}), -{widest})"
        return {
            **self.term_steps(),
            "summed": [f"select *, {bounded} as log_odds", "from terms"],
            "judged": ["select *, 1e0 / (1e0 + exp(-log_odds)) as pd", "from summed"],
            **self._cost_steps(),
        }

    def term_steps(self) -> Steps:
        """The steps from `loans` to each feature's term."""
        terms, rules = self.document.terms, self.document.refusals
        exposure = (
            [f"{quoted(self.loss.exposure, self.dialect)} as {EXPOSURE}"] if self.loss else []
        )
        compiled = [translated(each.sql, self.kinds, self.dialect) for each in (*terms, *rules)]
        cases = [f"case when {sql} then 1 else 0 end" for sql in compiled[len(terms) :]]
        given = _named([*compiled[: len(terms)], *cases], [*self.features, *self.rules])
        known = _named(map(self._known, terms), self.features)
        added = _named(map(self._term, terms), self.features)
        return {
            "features": [
                "-- the contract's features and hard rules",
                *_listed("select", [*self.kept, *exposure, *given], "from loans"),
            ],
            "known": [
                "-- a number that is not finite is null, a text that is null is a level of its own",
                *_listed("select", [*self.carried, *known], "from features"),
            ],
            "terms": [
                "-- what each feature adds to the log-odds of bad; zero at the portfolio's mean",
                *_listed("select", [*self.carried, *added], "from known"),
            ],
        }

    def _known(self, term: Term) -> str:
        own = column_of(term)
        if isinstance(term, Category):
            return f"coalesce({own}, {self.text(MISSING)})"
        largest = f"{LARGEST!r}".replace("e+", "e")
        return f"case when {own} between -{largest} and {largest} then {own} end"

    def _term(self, term: Term) -> str:
        own = column_of(term)
        if isinstance(term, Number):
            known = f"coalesce({own}, {_number(term.imputed)})"
            return f"({known} - {_number(term.mean)}) * {_number(term.slope)}"
        cases = " ".join(
            f"when {self.text(level.text)} then {_number(term.unseen + level.slope)}"
            for level in term.levels
        )
        unseen = _number(term.unseen)
        chosen = f"case {own} {cases} else {unseen} end" if cases else unseen
        return f"cast({chosen} as {DOUBLES[self.dialect]})"

    def _cost_steps(self) -> Steps:
        """Of each reason: the highest cost, whose it is, and the costs without it.

        Of equal costs the first in the contract's order is chosen, then the next. A chosen cost
        becomes 0, which is no reason, not null: Spark's code for values that are never null is
        half as long.
        """
        held = zip(self.features, self.document.references, strict=True)
        costs = [f"({own} - {_number(best)})" if best else own for own, best in held] or ["0e0"]
        carried = [*self.carried, "log_odds", "pd"]
        source = "judged"
        steps: Steps = {}
        for nth, _ in enumerate(REASONS, start=1):
            top, place = f"_cost_{nth}", f"_place_{nth}"
            highest = f"greatest({', '.join(costs)})" if len(costs) > 1 else costs[0]
            cases = [f"when {cost} = {top} then {at}" for at, cost in enumerate(costs, start=1)]
            carried += [top, place]
            left = [
                f"case when {place} = {at} then 0e0 else {cost} end as _left_{at}"
                for at, cost in enumerate(costs, start=1)
            ]
            steps |= {
                f"dearest_{nth}": [f"select *, {highest} as {top}", f"from {source}"],
                f"placed_{nth}": [
                    *_listed("select *, case", cases, f"else 0 end as {place}", between=""),
                    f"from dearest_{nth}",
                ],
                f"left_{nth}": _listed("select", [*carried, *left], f"from placed_{nth}"),
            }
            source = f"left_{nth}"
            costs = [f"_left_{at}" for at, _ in enumerate(costs, start=1)]
        del steps[source]
        return steps

    def score(self) -> list[str]:
        """Log-odds, PD, points, band, decision and reasons."""
        scale, plan, rules = scale_of(self.document.score), self.document.score, self.rules
        exact = f"{_number(scale.at_even_odds)} - {_number(scale.a_unit)} * log_odds"
        *lower, (last, _) = plan.bands.items()
        bands = " ".join(
            f"when pd < {_number(below)} then {self.text(name)}" for name, below in lower
        )
        refused = f"when {' + '.join(rules)} > 0 then 'decline' " if rules else ""
        reasons = [self._reason(nth) for nth, _ in enumerate(REASONS, start=1)]
        return [
            "log_odds",
            "pd",
            f"cast(floor({exact} + 0.5e0) as integer) as points",
            f"{f'case {bands} else {self.text(last)} end' if bands else self.text(last)} as band",
            f"case {refused}when pd < {_number(plan.decisions.approve_below)} then 'approve' "
            f"when pd >= {_number(plan.decisions.decline_from)} then 'decline' else 'review' end "
            "as decision",
            *_named(reasons, REASONS),
        ]

    def _reason(self, nth: int) -> str:
        """The nth reason: of the hard rules that hold, in their order, then of highest costs."""
        rules = self.rules
        if not rules:
            return self._cost(nth)
        held = [" + ".join(rules[:until]) for until in range(1, len(rules) + 1)]
        refused = " ".join(
            f"when {rule} = 1 and {before} = {nth} then {self.text(each.reason)}"
            for rule, before, each in zip(rules, held, self.document.refusals, strict=True)
        )
        after = " ".join(
            f"when {held[-1]} = {count} then {self._cost(nth - count)}"
            for count in range(min(nth, len(rules) + 1))
        )
        return f"case {refused} {after} end"

    def _cost(self, nth: int) -> str:
        """The reason of the nth highest cost, null where it costs nothing."""
        texts = " ".join(
            f"when {place} then {self.text(each.reason)}"
            for place, each in enumerate(self.document.features, start=1)
        )
        return f"case when _cost_{nth} > 0 then case _place_{nth} {texts} end end"

    def text(self, value: str) -> str:
        return str(exp.Literal.string(value).sql(dialect=self.dialect))


def _named(values: Iterable[str], names: Sequence[str]) -> list[str]:
    return [f"{value} as {name}" for value, name in zip(values, names, strict=True)]


def _listed(head: str, columns: Sequence[str], tail: str, between: str = ",") -> list[str]:
    """A head, columns on lines of their own, a tail."""
    *others, last = columns
    return [head, *[f"  {each}{between}" for each in others], f"  {last}", tail]


def _number(value: float) -> str:
    """A double that every dialect reads as one, to its last digit."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
