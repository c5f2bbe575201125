"""The SQL of a model document, by exact values; DuckDB runs it."""

import json
from math import floor, inf, log, nan
from random import Random
from types import SimpleNamespace

import pyarrow as pa
import pytest

from credit_spark.config.errors import InputError
from credit_spark.config.models import Decisions, Loss, ScorePlan
from credit_spark.config.tables import REASONS
from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import (
    Category,
    Facts,
    Level,
    ModelDocument,
    Number,
)
from credit_spark.scoring.evaluator import RecordScorer
from credit_spark.scoring.policy import Policy, Reasons, Refusal
from credit_spark.scoring.sql import columns_read, scoring_sql, terms_sql
from tests.engines import rows_of

PLAN = ScorePlan(
    points_at=600,
    odds_at=30,
    points_to_double_odds=20,
    bands={"A": 0.1, "B": 0.3, "C": 1.0},
    decisions=Decisions(approve_below=0.1, decline_from=0.3),
)
TEXTS = {"x": "x is high", "y": "y is high", "w": "the word"}
KINDS = {"x": "number", "y": "number", "w": "category"}
SCHEMA = pa.schema(
    {
        "loan_id": pa.string(),
        "x": pa.float64(),
        "y": pa.float64(),
        "w": pa.string(),
        "outcome": pa.string(),
    }
)


def table(rows, schema=SCHEMA) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


def scores_of(loans, model, keep=("loan_id",), kinds=KINDS, **about) -> list[dict]:
    given = loans if isinstance(loans, pa.Table) else table(loans)
    return rows_of(given, scoring_sql(model, policy(model, **about), kinds, "duckdb", keep))


def policy(model: ModelDocument, refusals=(), score=None, loss=None, reasons=None) -> Policy:
    """Of each feature a text that is given of any value, where there are no others."""
    either = {term.name: Reasons(either=TEXTS.get(term.name, term.name)) for term in model.features}
    return Policy(
        score=score or PLAN, refusals=tuple(refusals), reasons=either | (reasons or {}), loss=loss
    )


def document(terms, intercept: float = 0.0, shift: float = 0.0) -> ModelDocument:
    facts = Facts(
        as_of="2026-03-02", imbalance="none", rows=1, good=1, bad=1, out_of_time_from=None,
        folds=2, seed=1, regularisation=0, elastic_net=0,
    )  # fmt: skip
    return ModelDocument(
        portfolio="p", contract_hash="h", features=tuple(terms), left_out=(), intercept=intercept,
        offset=shift, facts=facts,
    )  # fmt: skip


def number(name: str, slope: float, mean: float = 0.0) -> Number:
    return Number(
        name=name,
        sql=name,
        imputed=mean,
        mean=mean,
        deviation=1,
        coefficient=slope,
    )


def word(**slopes: float) -> Category:
    levels = [
        Level(text=text, mean=0, deviation=1, coefficient=slope) for text, slope in slopes.items()
    ]
    return Category(name="w", sql="w", levels=tuple(levels))


def score_of(terms, x, y, w, score=None, **parts) -> SimpleNamespace:
    (row,) = scores_of([("A", x, y, w, None)], document(terms, **parts), score=score)
    return SimpleNamespace(**row)


def reasons_of(*given) -> list[str | None]:
    row = vars(score_of(*given))
    return [row[name] for name in REASONS]


def refusal(name: str, sql: str) -> Refusal:
    return Refusal(name=name, sql=sql, reason=f"{name} holds")


def test_points_lie_on_the_stated_scale() -> None:
    terms = [number("x", 1.0)]

    at_30_to_1 = score_of(terms, -log(30), 0.0, "a")
    at_60_to_1 = score_of(terms, -log(60), 0.0, "a")

    assert (at_30_to_1.points, at_60_to_1.points) == (600, 620)
    assert at_30_to_1.pd == pytest.approx(1 / 31)


@pytest.mark.parametrize(
    ("pd", "band", "decision"),
    [(0.05, "A", "approve"), (0.1, "B", "review"), (0.29, "B", "review"), (0.3, "C", "decline"), (0.9, "C", "decline")],
)  # fmt: skip
def test_bands_and_decisions_follow_the_pd(pd, band, decision) -> None:
    # A hair above, since the PD comes back through an exponential.
    row = score_of([number("x", 1.0)], log(pd / (1 - pd)) + 1e-12, 0.0, "a")

    assert (row.band, row.decision) == (band, decision)


def test_reasons_are_what_cost_most_in_the_contracts_order() -> None:
    terms = [number("x", 1.0), number("y", 1.0), word(a=2.0, b=-1.0)]

    assert reasons_of(terms, 1.0, 0.5, "a") == ["the word", "x is high", "y is high", None]
    assert reasons_of(terms, 1.0, 1.0, "b") == ["x is high", "y is high", None, None]
    assert reasons_of(terms, -1.0, 0.0, "b") == [None, None, None, None]
    assert reasons_of(terms, -1.0, 3.0, "zzz") == ["y is high", None, None, None]


def test_reasons_may_be_held_against_the_best_that_is_attained() -> None:
    """x attains 0.5 to 2, y (which lowers the risk) -1 to 4, and b is the best word."""
    x, y = number("x", 1.0), number("y", -1.0)
    ends = [
        x.model_copy(update={"low": 0.5, "high": 2.0}),
        y.model_copy(update={"low": -1.0, "high": 4.0}),
    ]
    terms = [*ends, word(a=2.0, b=-1.0)]
    best = PLAN.model_copy(update={"reference": "best"})

    def reasons(*given) -> list[str | None]:
        row = vars(score_of(terms, *given, score=best))
        return [row[name] for name in REASONS]

    assert reasons(0.5, 4.0, "b") == [None, None, None, None]
    assert reasons(1.0, 3.0, "b") == ["y is high", "x is high", None, None]
    assert reasons(1.5, 4.0, "a") == ["the word", "x is high", None, None]
    assert score_of(terms, 1.0, 3.0, "b", score=best).pd == score_of(terms, 1.0, 3.0, "b").pd


def reasons_by(reasons, terms, *loans, score=None) -> list[list[str]]:
    """The reasons of loans by texts of x, y and w, without what is not given."""
    rows = scores_of(
        [(str(nth), *each, None) for nth, each in enumerate(loans)],
        document(terms),
        reasons=reasons,
        score=score,
    )
    return [[row[name] for name in REASONS if row[name]] for row in rows]


def test_a_text_that_claims_a_side_is_given_of_values_on_that_side_alone() -> None:
    """Whatever the coefficient's sign: only what costs points, and only where it is true."""
    both = {"x": Reasons(above="x is high", below="x is low")}
    rising, falling = number("x", 1.0, mean=2.0), number("x", -1.0, mean=2.0)
    values = [(3.0, None, None), (2.0, None, None), (1.0, None, None), (None, None, None)]

    assert reasons_by(both, [rising], *values) == [["x is high"], [], [], []]
    assert reasons_by(both, [falling], *values) == [[], [], ["x is low"], []]
    one = {"x": Reasons(above="x is high")}
    assert reasons_by(one, [falling], *values) == [[], [], [], []]


def test_one_text_may_stand_for_both_sides() -> None:
    same = {"x": Reasons(above="the rate", below="the rate", missing="the rate")}
    x = number("x", 1.0, mean=2.0).model_copy(update={"imputed": 3.0})

    assert reasons_by(same, [x], (3.0, None, None), (1.0, None, None), (None, None, None)) == [
        ["the rate"],
        [],
        ["the rate"],
    ]


def test_of_a_missing_value_only_the_text_for_missing_is_given() -> None:
    """The median costs points here, and the indicator more; a known value pays for neither."""
    indicator = Level(text=ABSENT, mean=0.25, deviation=1, coefficient=2.0)
    x = number("x", 1.0).model_copy(update={"imputed": 0.5, "missing": indicator})
    w = word(a=1.0, **{ABSENT: 3.0})
    values = [(None, None, None), (1.0, None, "a"), (0.4, None, "a")]
    given = {"x": Reasons(above="x is high", missing="x is not known")}

    assert reasons_by(given, [x, w], *values) == [
        ["x is not known"],
        ["the word", "x is high"],
        ["the word"],
    ]
    with_text = given | {"w": Reasons(either="the word", missing="no word")}
    assert reasons_by(with_text, [x, w], *values[:1]) == [["no word", "x is not known"]]
    # 0.5 for the median, 2 for being missing, less the quarter of loans that are.
    assert x.of_missing == 2.0
    rows = rows_of(
        table([("A", None, 0, "", None), ("B", 0.4, 0, "", None)]),
        terms_sql(document([x]), KINDS, "duckdb"),
    )
    assert [row["f_x"] for row in rows] == [2.0, pytest.approx(-0.1)]


def test_a_feature_of_one_value_or_none_has_a_reason_without_a_side() -> None:
    """All that it adds is whether it is known: known values cost what missing ones save."""
    indicator = Level(text=ABSENT, mean=0.8, deviation=1, coefficient=-2.0)
    x = number("x", 0.0, 1.0).model_copy(update={"deviation": 0.0, "missing": indicator})
    given = {"x": Reasons(either="it has an x", above="high", below="low", missing="it has none")}

    assert reasons_by(given, [x], (1.0, 0, "a"), (7.0, 0, "a"), (None, 0, "a")) == [
        ["it has an x"], ["it has an x"], [],
    ]  # fmt: skip
    safe = x.model_copy(update={"missing": indicator.model_copy(update={"coefficient": 2.0})})
    assert reasons_by(given, [safe], (1.0, 0, "a"), (None, 0, "a")) == [[], ["it has none"]]


def test_bins_have_the_side_on_which_they_lie_of_the_bin_of_the_mean() -> None:
    """Missing and special values have none."""
    slopes = {ABSENT: 5.0, "-1.0": 4.0, "under 1": -2.0, "1 to 2": 1.0, "2 and more": 3.0}
    levels = [
        Level(text=text, mean=0, deviation=1, coefficient=slope, place=None if nth < 2 else nth - 2)
        for nth, (text, slope) in enumerate(slopes.items())
    ]
    binned = Category(name="w", sql="w", levels=tuple(levels), home=1)
    values = [(None, None, None), *((None, None, text) for text in [*slopes][1:])]

    sides = {"w": Reasons(above="w is high", below="w is low")}
    assert reasons_by(sides, [binned], *values) == [[], [], [], [], ["w is high"]]
    any_side = {"w": Reasons(either="the word")}
    assert reasons_by(any_side, [binned], *values) == [
        [],
        ["the word"],
        [],
        ["the word"],
        ["the word"],
    ]


def test_features_and_rules_of_one_text_give_it_once_with_their_costs_added() -> None:
    terms = [number("x", 1.0), number("y", 1.0), word(a=1.5)]
    same = {"x": Reasons(either="income"), "y": Reasons(either="income")}
    assert reasons_by(same, terms, (1.0, 0.8, "a"), (1.0, 0.4, "a")) == [
        ["income", "the word"],
        ["the word", "income"],
    ]

    rules = [
        Refusal(name=name, sql=sql, reason="income")
        for name, sql in (("one", "x > 5"), ("two", "y > 5"))
    ]
    (row,) = scores_of([("A", 6.0, 6.0, "a", None)], document(terms), reasons=same, refusals=rules)
    assert [row[name] for name in REASONS] == ["income", "the word", None, None]


def test_a_text_that_reads_as_the_absent_one_is_a_text() -> None:
    model = document([word(**{"(missing)": 1.0, ABSENT: 3.0, "(other)": 2.0})])

    rows = rows_of(
        table([(text, 0, 0, text, None) for text in ("(missing)", None, "(other)", "zzz")]),
        terms_sql(model, KINDS, "duckdb"),
    )

    assert [row["f_w"] for row in rows] == [1.0, 3.0, 2.0, 0.0]


def test_hard_rules_decline_and_come_before_what_costs_most() -> None:
    terms = [number("x", 1.0), number("y", 1.0), word(a=2.0)]
    rules = [refusal("low", "x < 1.0"), refusal("b", "w = 'b'"), refusal("void", "y IS NULL")]
    loans = [
        ("sound", -9.0 + 10, -9.0, "c", None),
        ("low", -9.0, 1.0, "b", None),
        ("unknown", None, -4.0, None, None),
        ("all", 0.5, None, "b", None),
        ("costly", 0.5, 0.7, "a", None),
    ]

    scores = scores_of(loans, document(terms), refusals=rules)

    assert [tuple(row[name] for name in ("loan_id", "decision", *REASONS)) for row in scores] == [
        ("sound", "approve", "x is high", None, None, None),
        ("low", "decline", "low holds", "b holds", "y is high", None),
        ("unknown", "approve", None, None, None, None),
        ("all", "decline", "low holds", "b holds", "void holds", "x is high"),
        ("costly", "decline", "low holds", "the word", "y is high", "x is high"),
    ]


def test_a_pd_at_a_bound_is_above_it() -> None:
    even = PLAN.model_copy(
        update={
            "bands": {"A": 0.5, "B": 1.0},
            "decisions": Decisions(approve_below=0.5, decline_from=0.5),
        }
    )
    wanted = document([number("x", 1.0)])

    (row,) = scores_of([("A", 0.0, 0.0, "a", None)], wanted, score=even)

    assert (row["pd"], row["band"], row["decision"]) == (0.5, "B", "decline")


def test_a_feature_that_reads_no_column_has_one_value_for_all_loans() -> None:
    constant = number("x", 2.0).model_copy(update={"sql": "CAST(3 AS DOUBLE)"})

    loans = [(str(nth), None, None, None, None) for nth in range(5)]
    scores = scores_of(loans, document([constant]))

    assert [row["log_odds"] for row in scores] == [6.0] * 5


def test_columns_read_are_those_of_features_and_hard_rules() -> None:
    rules = [refusal("late", "day > DATE('2011-01-01') AND NOT x IS NULL")]

    model = document([word(a=1.0), number("x", 1.0)])

    assert columns_read(model, policy(model, rules)) == ["day", "w", "x"]
    assert columns_read(model) == ["w", "x"]


@pytest.mark.parametrize("x", [1e6, -1e6])
def test_no_pd_is_quite_0_or_1(x) -> None:
    """So that its log-odds can be taken again, and each loan has a score bin."""
    row = score_of([number("x", 1.0)], x, 0.0, "a")

    assert 0 < row.pd < 1
    assert abs(row.log_odds) == 25
    assert log(row.pd / (1 - row.pd)) == pytest.approx(row.log_odds, abs=0.001)


def test_the_offset_is_taken_off_the_log_odds() -> None:
    row = score_of([number("x", 1.0)], 0.0, 0.0, "a", intercept=1.0, shift=1.5)

    assert row.log_odds == pytest.approx(-0.5)


def highest(costs: list[float], texts: list[str]) -> list[str | None]:
    """The oracle: the four highest costs above zero, ties in the contract's order.

    Costs are equal where they are so to a billionth.
    """
    order = sorted(range(len(costs)), key=lambda nth: (-floor(costs[nth] * 1e9), nth))
    chosen: list[str | None] = [texts[nth] for nth in order if costs[nth] > 0]
    return [*chosen, None, None, None, None][:4]


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_reasons_are_chosen_by_exact_costs(count) -> None:
    """Ties, nulls, infinities, nothing that costs, and costs a hair apart, the later one dearer."""
    draw = Random(count)
    names = [f"v{nth}" for nth in range(count)]
    terms = [
        Number(name=name, sql=name, imputed=0.25, mean=0.0, deviation=1.0,
               coefficient=draw.choice([1.0, -1.0, 0.5]))
        for name in names
    ]  # fmt: skip
    values = [0.0, 1.0, 1.0, 2.0, -1.0, None, inf, nan, 1e-14, 1.0 + 2**-52, 1.0 + 2**-45]
    loans = [(str(each), *draw.choices(values, k=count)) for each in range(400)]
    loans.append(("free", *[-1e-9 * term.coefficient for term in terms]))
    schema = pa.schema({"loan_id": pa.string(), **dict.fromkeys(names, pa.float64())})

    kinds = dict.fromkeys(names, "number")
    scores = scores_of(table(loans, schema), document(terms), kinds=kinds)
    ours = {row["loan_id"]: [row[name] for name in REASONS] for row in scores}

    def costs(given) -> list[float]:
        # Nothing is said of a value that is missing.
        known = [0.0 if v is None or not abs(v) < inf else v for v in given]
        return [v * term.coefficient for v, term in zip(known, terms, strict=True)]

    assert ours == {loan_id: highest(costs(given), names) for loan_id, *given in loans}
    assert ours["free"] == [None, None, None, None]


def test_kept_columns_come_first_then_the_score_and_the_loss() -> None:
    schema = pa.schema([*SCHEMA, pa.field("group", pa.string()), pa.field("amount", pa.float64())])
    loans = table(
        [("A", 0.0, 0.0, "a", "bad", "g", 1000.0), ("B", 0.0, 0.0, "a", None, "g", None)], schema
    )
    loss = Loss(exposure="amount", given_default=0.5)
    wanted = document([number("x", 1.0)])

    first, second = scores_of(loans, wanted, ("outcome", "group", "loan_id"), loss=loss)

    assert list(first) == [
        "outcome", "group", "loan_id", "log_odds", "pd", "points", "band", "decision", *REASONS,
        "expected_loss", "model_version", "policy_hash",
    ]  # fmt: skip
    assert (first["outcome"], first["group"], first["expected_loss"]) == ("bad", "g", 250.0)
    assert second["expected_loss"] is None
    assert first["model_version"] == wanted.version
    assert first["policy_hash"] == policy(wanted, loss=loss).hash


def test_terms_add_up_to_the_log_odds() -> None:
    model = document(
        [number("x", 0.3, 2.9), number("y", -0.7, 0.1), word(a=0.7, c=-0.4)], -1.3, 0.2
    )
    loans = table([("A", 4.0, None, "a", None), ("B", nan, 2.5, None, None)])

    terms = rows_of(loans, terms_sql(model, KINDS, "duckdb"))

    for row, score in zip(terms, scores_of(loans, model), strict=True):
        assert list(row) == ["loan_id", "log_odds", "f_x", "f_y", "f_w"]
        assert row["log_odds"] == score["log_odds"]
        assert model.constant + row["f_x"] + row["f_y"] + row["f_w"] == score["log_odds"]


def test_a_record_is_scored_as_a_row_and_explained() -> None:
    word_of_none = word(a=0.7, c=-0.4, **{ABSENT: 0.9})
    rules = [refusal("low", "x < -1e300")]
    model = document([number("x", 0.3, 2.9), number("y", -0.7, 0.1), word_of_none], -1.3, 0.2)
    loans = table([
        ("A", 4.0, 0.5, "a", None), ("B", nan, inf, None, None), ("C", 1e308, -1.0, "zzz", None),
        ("D", -inf, 0.0, "c", None),
    ])  # fmt: skip
    scorer = RecordScorer(model, policy(model, rules), KINDS)

    for loan, row in zip(loans.to_pylist(), scores_of(loans, model, refusals=rules), strict=True):
        score = scorer.score(loan)
        assert score[:5] == tuple(
            row[name] for name in ("log_odds", "pd", "points", "band", "decision")
        )
        assert score.reasons == tuple(row[name] for name in REASONS if row[name])
    x, y, w = scorer.score({"x": nan}).contributions
    assert (x.value, y.value, w.value) == (None, None, None)
    assert (x.feature, x.term) == ("x", 0.0)
    assert w.term == 0.9


def scorer_of(terms) -> RecordScorer:
    model = document(terms)
    return RecordScorer(model, policy(model), KINDS)


def test_a_record_may_leave_columns_out() -> None:
    assert scorer_of([number("x", 1.0)]).score({}).pd == 0.5


def test_several_threads_share_a_scorer() -> None:
    from concurrent.futures import ThreadPoolExecutor

    scorer = scorer_of([number("x", 1.0)])
    with ThreadPoolExecutor(4) as pool:
        found = [
            each.log_odds for each in pool.map(scorer.score, [{"x": n / 10} for n in range(40)])
        ]

    assert found == [n / 10 for n in range(40)]


def test_a_column_may_have_a_key_words_name() -> None:
    schema = pa.schema({"loan_id": pa.string(), "order": pa.float64()})
    term = number("x", 1.0).model_copy(update={"sql": "`order`"})

    (row,) = scores_of(
        table([("A", 2.0)], schema),
        document([term]),
        ("loan_id", "order"),
        kinds={"order": "number"},
    )

    assert (row["order"], row["log_odds"]) == (2.0, 2.0)


def test_a_record_is_scored_without_the_exposure_of_a_loss() -> None:
    model = document([number("x", 1.0)])
    loss = Loss(exposure="y", given_default=0.5)

    assert RecordScorer(model, policy(model, loss=loss), KINDS).score({"x": 0.0}).pd == 0.5


def test_the_best_bin_is_one_that_has_a_side() -> None:
    """Also where missing values are the least risky of all."""
    slopes = {ABSENT: -2.0, "under 1": -1.0, "1 and more": 1.0}
    levels = [
        Level(text=text, mean=0, deviation=1, coefficient=slope, place=nth - 1 if nth else None)
        for nth, (text, slope) in enumerate(slopes.items())
    ]
    binned = Category(name="w", sql="w", levels=tuple(levels), home=0)
    best = PLAN.model_copy(update={"reference": "best"})

    sides = {"w": Reasons(above="w is high", below="w is low")}
    found = reasons_by(sides, [binned], (None, None, "1 and more"), (None, None, None), score=best)
    assert found == [["w is high"], []]


@pytest.mark.parametrize("sql", ["case when x < 1 then 'low' else '(missing)' end", "w"])
def test_bins_of_the_format_before_are_refused_and_categories_are_read(sql) -> None:
    """Its bins have no order, so no side of a reference; its absent text was named (missing)."""
    model = document([word(low=1.0, **{"(missing)": 2.0}).model_copy(update={"sql": sql})])
    text = json.dumps(model.model_dump(mode="json") | {"format": 4, "score": {}, "refusals": []})

    if sql == "w":
        assert [each.text for each in ModelDocument.of(text).features[0].levels] == ["low", ABSENT]
    else:
        with pytest.raises(InputError, match="--retrain"):
            ModelDocument.of(text)


def test_a_bin_beside_the_mean_has_the_text_of_its_side() -> None:
    """The mean is in the middle bin: neither text is true of it."""
    levels = [
        Level(text=text, mean=0, deviation=1, coefficient=slope, place=place)
        for place, (text, slope) in enumerate((("low", 1.0), ("middle", 0.5), ("high", 1.5)))
    ]
    binned = Category(name="w", sql="w", levels=tuple(levels), home=1)
    sides = {"w": Reasons(above="w is high", below="w is low")}

    found = reasons_by(sides, [binned], *[(None, None, each.text) for each in levels])

    assert found == [["w is low"], [], ["w is high"]]


def test_against_the_best_a_missing_value_and_an_unseen_text_cost_their_distance() -> None:
    best = PLAN.model_copy(update={"reference": "best"})
    x = number("x", 1.0).model_copy(update={"low": -2.0, "high": 2.0})
    texts = {"x": Reasons(missing="x is missing"), "w": Reasons(either="the word")}

    found = reasons_by(
        texts, [x, word(a=-1.0, b=1.0)], (None, None, "a"), (-2.0, None, "z"), score=best
    )

    # The best attainable x is -2, and the best text is a.
    assert found == [["x is missing"], ["the word"]]


def test_bins_that_all_add_the_same_have_no_sides() -> None:
    """What they cost is being known; so no text claims that a high value costs points."""
    placed = [
        Level(text=text, mean=0.4, deviation=1, coefficient=0.5, place=place)
        for place, text in enumerate(("low", "high"))
    ]
    safe = Level(text=ABSENT, mean=0.2, deviation=1, coefficient=-2.0)
    binned = Category(name="w", sql="w", levels=(*placed, safe), home=0)

    assert reasons_by(
        {"w": Reasons(above="high", below="low")}, [binned], (None, None, "high")
    ) == [[]]
    assert reasons_by({"w": Reasons(either="a word")}, [binned], (None, None, "high")) == [
        ["a word"]
    ]


def test_a_text_of_a_side_is_not_given_of_an_unseen_level() -> None:
    levels = [
        Level(text=text, mean=0.5, deviation=1, coefficient=-1.0, place=place)
        for place, text in enumerate(("low", "high"))
    ]
    binned = Category(name="w", sql="w", levels=tuple(levels), home=0)
    texts = {"w": Reasons(above="w is high", below="w is low", missing="w is missing")}

    # Both levels gain against no level at all, so an unseen text costs points.
    assert reasons_by(texts, [binned], (None, None, "z"), (None, None, None)) == [
        [], ["w is missing"],
    ]  # fmt: skip
