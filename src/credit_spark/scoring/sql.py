"""The SQL of a model document: what the batch runs on Spark and `export` writes for other engines.

The input is a table `loans` with the contract's columns; the output has one row per loan. Each
common table expression is one step of the score: features, known values, terms of the log-odds
and costs of reasons, their sum, the PD, and the most costly reasons one by one. Every row depends
on its own loan only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from credit_spark.config.errors import InputError, listed
from credit_spark.config.expressions import Dialect, columns_of, quoted, translated
from credit_spark.config.models import Kind
from credit_spark.config.tables import EXPECTED_LOSS, REASONS, WIDEST_LOG_ODDS
from credit_spark.features.columns import ABSENT, LARGEST
from credit_spark.scoring.document import Category, ModelDocument, Number
from credit_spark.scoring.policy import Policy, scale_of
from credit_spark.scoring.reasons import costs

# PostgreSQL would else put each step's expressions into the next, and again into the one after.
AS = {"spark": "as", "duckdb": "as", "postgres": "as materialized"}
TEXTS = {"spark": "string", "duckdb": "varchar", "postgres": "text"}
DOUBLES = {"spark": "double", "duckdb": "double", "postgres": "double precision"}
LOAN_ID = ("loan_id",)
# The name of the score among monitored subjects: no column of `loans`.
LOG_ODDS = "log_odds"
# A contract's column begins with a letter, so no column that is kept has this name.
EXPOSURE = "_exposure"
# A cost is ranked in such parts of a unit of log-odds, and at most so many units.
COST_PARTS, MAX_COST = 1e9, 1e4
LAST = f"ranked_{len(REASONS)}"
Term = Number | Category
Steps = dict[str, Sequence[str]]


def scoring_sql(
    document: ModelDocument,
    policy: Policy,
    kinds: Mapping[str, Kind],
    dialect: Dialect,
    keep: Sequence[str] = LOAN_ID,
) -> str:
    """The SELECT that scores a table `loans`.

    Columns: those of `keep` as they are in `loans`; `log_odds` of bad, within WIDEST_LOG_ODDS;
    `pd` (0 to 1), `points` (int), `band`, `decision`, `reason_1` to `reason_4` (null where no
    further reason costs points); `expected_loss` where the policy has a `loss`; `model_version`
    and `policy_hash`. `kinds` are those of the contract's columns.
    """
    statement = _Statement(document, kinds, dialect, keep, policy)
    columns = [*statement.kept, *statement.score()]
    if policy.loss:
        columns.append(f"pd * {EXPOSURE} * {_number(policy.loss.given_default)} as {EXPECTED_LOSS}")
    columns.append(f"{statement.text(document.version)} as model_version")
    columns.append(f"{statement.text(policy.hash)} as policy_hash")
    return statement.select(statement.scoring_steps(), columns, f"from {LAST}")


def terms_sql(
    document: ModelDocument,
    kinds: Mapping[str, Kind],
    dialect: Dialect,
    keep: Sequence[str] = LOAN_ID,
) -> str:
    """The SELECT of `keep`, the `log_odds` of bad, and what each feature adds to them.

    Log-odds lie within WIDEST_LOG_ODDS; the terms, `f_<feature>`, do not.
    """
    statement = _Statement(document, kinds, dialect, keep)
    steps = {**statement.term_steps(), "summed": statement.summed()}
    return statement.select(
        steps, [*statement.kept, "log_odds", *statement.features], "from summed"
    )


def record_sql(
    document: ModelDocument, policy: Policy, kinds: Mapping[str, Kind], dialect: Dialect
) -> str:
    """The SELECT that explains the score of the one row that `loans` has.

    Columns: those of `scoring_sql` from `log_odds` to `reason_4`; of each feature its value as
    `v_<feature>` and its term of the log-odds as `f_<feature>`. A value that is a number is null
    where it is null or not finite; one that is a text is ABSENT where it is null.
    """
    # It has no expected loss: the row need not have the exposure.
    statement = _Statement(document, kinds, dialect, policy=policy.without_loss)
    terms, values = statement.features, [f"v_{each.name}" for each in document.features]
    valued = [f"{term} as {value}" for term, value in zip(terms, values, strict=True)]
    steps = {
        **statement.scoring_steps(),
        "valued": _listed("select", valued or ["1 as one"], "from known"),
        "explained": _listed("select", terms or ["1 as other"], "from terms"),
    }
    columns = [*statement.score(), *values, *terms]
    return statement.select(steps, columns, f"from {LAST}, valued, explained")


def columns_read(document: ModelDocument, policy: Policy | None = None) -> list[str]:
    """The columns of `loans` that features and a policy's hard rules read, in order of name."""
    pieces = (*document.features, *(policy.refusals if policy else ()))
    return sorted({column for each in pieces for column in columns_of(each.sql)})


def baseline_columns(document: ModelDocument) -> frozenset[str]:
    """The columns of `loans` by which measuring counts loans beside the training loans."""
    read = frozenset[str]().union(*[columns_of(each.sql) for each in document.baselines])
    return read - {LOG_ODDS, "outcome", *LOAN_ID}


def check_columns(
    document: ModelDocument,
    kinds: Mapping[str, Kind],
    policy: Policy | None = None,
    *,
    with_baselines: bool = False,
) -> None:
    """Make sure that the contract, whose columns have `kinds`, has all that a model reads.

    Also the policy's hard rules and, `with_baselines`, what measuring and monitoring compare.

    Raises:
        InputError: with the columns that it lacks.
    """
    baselines = baseline_columns(document) if with_baselines else frozenset[str]()
    read = baselines.union(columns_read(document, policy))
    if lacking := sorted(read - kinds.keys()):
        headline = (
            f"the contract lacks columns that the model {document.version}, its hard rules or its "
            "segments read; put them back, or train a model without them (nightly --retrain)"
        )
        raise InputError(listed(headline, lacking))


def term_column(term: Term) -> str:
    """The column of a feature's value or term."""
    return f"f_{term.name}"


@dataclass(frozen=True)
class _Statement:
    """The steps and columns of a document's SQL in a dialect; each loan's `keep` are carried.

    Without a policy there are terms alone.
    """

    document: ModelDocument
    kinds: Mapping[str, Kind]
    dialect: Dialect
    keep: Sequence[str] = LOAN_ID
    policy: Policy | None = None

    @property
    def kept(self) -> list[str]:
        return [quoted(name, self.dialect) for name in self.keep]

    @property
    def features(self) -> list[str]:
        return [term_column(each) for each in self.document.features]

    @cached_property
    def rules(self) -> dict[str, list[str]]:
        """By reason text the hard rules for it, in the contract's order: SQL that holds."""
        found: dict[str, list[str]] = {}
        for each in self.policy.refusals if self.policy else ():
            compiled = translated(each.sql, self.kinds, self.dialect)
            found.setdefault(each.reason, []).append(f"({compiled})")
        return found

    @cached_property
    def costs(self) -> dict[str, list[str]]:
        """By reason text what it costs, as SQL, feature by feature."""
        return costs(self.document, self.policy, self.text, _number) if self.policy else {}

    @property
    def refused(self) -> list[str]:
        """The columns that are 1 where a loan is declined for a reason text."""
        return [f"_refused_{nth}" for nth, _ in enumerate(self.rules, start=1)]

    @property
    def carried(self) -> list[str]:
        """The columns that each step hands on beside the features."""
        is_loss = self.policy and self.policy.loss
        return [*self.kept, *([EXPOSURE] if is_loss else []), *self.refused]

    def select(self, steps: Steps, columns: Sequence[str], source: str) -> str:
        """The steps as common table expressions, and the final SELECT."""
        document, begin = self.document, AS[self.dialect]
        withs = ",\n".join(
            "\n".join([f"{name} {begin} (", *[f"  {line}" for line in step], ")"])
            for name, step in steps.items()
        )
        about = f"model {document.version}, fitted as of {document.facts.as_of}"
        text = "\n".join([
            f"-- {document.portfolio}: {about}.",
            "-- Input: a table loans with the contract's columns. Output: one row per loan.",
            f"with {withs}",
            *_listed("select", columns, source),
            "",
        ])  # fmt: skip
        # Elsewhere, Spark would put the value of a setting where a text has ${name}.
        return text.replace("${", r"\u0024{") if self.dialect == "spark" else text

    def scoring_steps(self) -> Steps:
        """The steps from `loans` to the highest costs, the last of which is LAST."""
        return {
            **self.term_steps(),
            "summed": self.summed(),
            "scored": ["select *, 1e0 / (1e0 + exp(-log_odds)) as pd", "from summed"],
            **self._ranking_steps(),
        }

    def summed(self) -> list[str]:
        """The step that adds up the terms, within the widest log-odds."""
        total = " + ".join([_number(self.document.constant), *self.features])
        widest = _number(WIDEST_LOG_ODDS)
        return [
            f"select *, greatest(least({total}, {widest}), -{widest}) as log_odds",
            "from terms",
        ]

    def term_steps(self) -> Steps:
        """The steps from `loans` to each feature's term, and to what each reason costs."""
        terms = self.document.terms
        loss = self.policy.loss if self.policy else None
        exposure = [f"{quoted(loss.exposure, self.dialect)} as {EXPOSURE}"] if loss else []
        compiled = [translated(each.sql, self.kinds, self.dialect) for each in terms]
        cases = [f"case when {' or '.join(own)} then 1 else 0 end" for own in self.rules.values()]
        given = _named([*compiled, *cases], [*self.features, *self.refused])
        known = _named(map(self._known, terms), self.features)
        added = _named(map(self._term, terms), self.features)
        costs_ = [" + ".join(own) for own in self.costs.values()]
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
                *(["-- and what each reason costs, where it may be stated"] if costs_ else []),
                *_listed(
                    "select", [*self.carried, *added, *_named(costs_, self._cost_columns)],
                    "from known",
                ),
            ],
        }  # fmt: skip

    @property
    def _cost_columns(self) -> list[str]:
        return [f"_cost_{nth}" for nth, _ in enumerate(self.costs, start=1)]

    def _known(self, term: Term) -> str:
        own = term_column(term)
        if isinstance(term, Category):
            return f"coalesce({own}, {self.text(ABSENT)})"
        largest = f"{LARGEST!r}".replace("e+", "e")
        return f"case when {own} between -{largest} and {largest} then {own} end"

    def _term(self, term: Term) -> str:
        own = term_column(term)
        if isinstance(term, Number):
            return self._number_term(term)
        cases = " ".join(
            f"when {self.text(level.text)} then {_number(term.unseen + level.slope)}"
            for level in term.levels
        )
        unseen = _number(term.unseen)
        chosen = f"case {own} {cases} else {unseen} end" if cases else unseen
        return f"cast({chosen} as {DOUBLES[self.dialect]})"

    def _number_term(self, term: Number) -> str:
        own, slope = term_column(term), _number(term.slope)
        if term.missing is None:
            return f"(coalesce({own}, {_number(term.imputed)}) - {_number(term.mean)}) * {slope}"
        known = f"({own} - {_number(term.mean)}) * {slope} - {_number(term.shift)}"
        return f"case when {own} is null then {_number(term.of_missing)} else {known} end"

    def _ranking_steps(self) -> Steps:
        """The highest cost, then the highest below it, and so on: as many as there are reasons.

        A rank is a cost in whole parts and, in its last digits, the place of its text: so ranks
        differ, and of equal costs the first in the contract's order comes first. 0 is no reason.
        """
        texts, size = [*self.costs], len(self.costs) + 1
        ranks, ranked = [f"_rank_{nth}" for nth, _ in enumerate(texts, start=1)] or ["0"], []
        for nth, (text, cost) in enumerate(zip(texts, self._cost_columns, strict=True)):
            whole = f"cast(floor(least({cost}, {_number(MAX_COST)}) * {_number(COST_PARTS)})"
            is_free = f" and {self._refused_for(text)} = 0" if text in self.rules else ""
            ranked.append(
                f"case when {cost} > 0{is_free} then {whole} as bigint) * {size} + "
                f"{len(texts) - nth} else 0 end as {ranks[nth]}"
            )
        steps: Steps = {
            "ranked": _listed("select", [*self.carried, "log_odds", "pd", *ranked], "from scored")
        }
        source = "ranked"
        for nth, _ in enumerate(REASONS, start=1):
            left = ranks
            if nth > 1:
                left = [
                    f"case when {each} < _top_{nth - 1} then {each} else 0 end" for each in left
                ]
            highest = _listed("greatest(", left, ")") if len(left) > 1 else left
            steps[f"ranked_{nth}"] = [
                "select *,", *[f"  {line}" for line in highest[:-1]],
                f"  {highest[-1]} as _top_{nth}", f"from {source}",
            ]  # fmt: skip
            source = f"ranked_{nth}"
        return steps

    def _refused_for(self, text: str) -> str:
        return f"_refused_{[*self.rules].index(text) + 1}"

    def score(self) -> list[str]:
        """Log-odds, PD, points, band, decision and reasons."""
        assert self.policy is not None
        plan, refused = self.policy.score, self.refused
        scale = scale_of(plan)
        exact = f"{_number(scale.at_even_odds)} - {_number(scale.a_unit)} * log_odds"
        *lower, (last, _) = plan.bands.items()
        bands = " ".join(
            f"when pd < {_number(below)} then {self.text(name)}" for name, below in lower
        )
        declined = f"when {' + '.join(refused)} > 0 then 'decline' " if refused else ""
        reasons = [self._reason(nth) for nth, _ in enumerate(REASONS, start=1)]
        return [
            "log_odds",
            "pd",
            f"cast(floor({exact} + 0.5e0) as integer) as points",
            f"{f'case {bands} else {self.text(last)} end' if bands else self.text(last)} as band",
            f"case {declined}when pd < {_number(plan.decisions.approve_below)} then 'approve' "
            f"when pd >= {_number(plan.decisions.decline_from)} then 'decline' else 'review' end "
            "as decision",
            *_named(reasons, REASONS),
        ]

    def _reason(self, nth: int) -> str:
        """The nth reason: of the hard rules that hold, in their order, then of highest costs."""
        columns = self.refused
        if not columns:
            return self._costly(nth)
        held = [" + ".join(columns[:until]) for until in range(1, len(columns) + 1)]
        refused = " ".join(
            f"when {column} = 1 and {before} = {nth} then {self.text(text)}"
            for column, before, text in zip(columns, held, self.rules, strict=True)
        )
        after = " ".join(
            f"when {held[-1]} = {count} then {self._costly(nth - count)}"
            for count in range(min(nth, len(columns) + 1))
        )
        return f"case {refused} {after} end"

    def _costly(self, nth: int) -> str:
        """The reason of the nth highest cost, null where it costs nothing."""
        size = len(self.costs) + 1
        whens = " ".join(
            f"when {size - 1 - place} then {self.text(text)}"
            for place, text in enumerate(self.costs)
        )
        nothing = f"cast(null as {TEXTS[self.dialect]})"
        return f"case _top_{nth} % {size} {whens} end" if whens else nothing

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
