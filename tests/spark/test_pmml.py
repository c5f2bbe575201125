"""A model as PMML, evaluated by JPMML, against the exported SQL, run by DuckDB."""

from collections.abc import Sequence
from datetime import date, timedelta
from math import isfinite
from random import Random
from statistics import fmean, median, pstdev, quantiles
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

from credit_spark.config.expressions import expression, translated, valued
from credit_spark.config.loading import load_contract
from credit_spark.config.models import Contract, ContractColumn, Loss
from credit_spark.config.tables import TYPES
from credit_spark.features.columns import ABSENT, Definition, definitions
from credit_spark.scoring.document import Category, Level, ModelDocument, Number
from credit_spark.scoring.pmml import NAMESPACE, pmml
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import scoring_sql
from credit_spark.training.binning import bins_of_number, bins_of_text, named
from credit_spark.training.imbalance import Classes
from tests.engines import rows_of
from tests.projects import PROJECT
from tests.spark.test_sql_engines import EXPRESSIONS, VALUES
from tests.unit.test_scoring_sql import (
    KINDS,
    PLAN,
    document,
    number,
    policy,
    refusal,
    table,
    word,
)

PORTFOLIOS = sorted(path.stem for path in (PROJECT / "conf/portfolios").glob("*.yml"))
ARROW = {
    "double": pa.float64(), "int": pa.int32(), "boolean": pa.bool_(), "string": pa.string(),
    "date": pa.date32(),
}  # fmt: skip
SCORE = ("log_odds", "pd", "points", "band", "decision")
# Beside the features' own SQL, what it may say of two dates and of truth values.
KINDS_OF_SQL = {
    "a": "number", "b": "count", "c": "number", "f": "flag", "word": "category", "day": "date",
    "since": "date",
}  # fmt: skip
MORE = [
    "year(least(day, since))", "month(greatest(since, day, day))", "year(coalesce(day, since))",
    "year('2012-01-31') - year(day)", "day <> since", "day >= since", "nullif(day, since) is null",
    "(a > 1) = (c > 1)", "coalesce(a > 1, true) and f", "f or true", "not (f and b > 2)",
    "case when a > 1 then a > 2 when c > 1 then true end = true", "not a between 0 and c",
    "not word in ('x', 'y')", "not (word = 'x' or word is null)", "if(f or a > 1, 'x', word)",
    "not (a < c)", "not (a <= c)", "not (a >= c)", "case f when 1 then 'yes' when 0 then 'no' end",
    "case when f then 1 end", "if(f, a, null)", "a / (b - 2)", "ln(abs(a) - 1)", "abs(nullif(a, c))",
]  # fmt: skip


@pytest.fixture(scope="module")
def odd_values() -> pa.Table:
    """Odd values of each kind, mixed by a seed; PMML has no numbers that are not finite."""
    draw = Random(3)
    choices = {
        name: [
            each for each in VALUES[TYPES[kind]] if not isinstance(each, float) or isfinite(each)
        ]
        for name, kind in KINDS_OF_SQL.items()
    }
    rows = [{name: draw.choice(of) for name, of in choices.items()} for _ in range(300)]
    return pa.Table.from_pylist(
        [{"loan_id": f"{nth:03}", **row} for nth, row in enumerate(rows)],
        schema_of(KINDS_OF_SQL),
    )


def schema_of(kinds) -> pa.Schema:
    columns = {name: ARROW[TYPES[kind]] for name, kind in kinds.items()}
    return pa.schema({"loan_id": pa.string(), **columns})


def test_every_function_of_the_features_sql_means_the_same(evaluated, odd_values) -> None:
    """Each as a feature of its own, whose value is asked for beside the score."""
    given = [each for each in (*EXPRESSIONS, *MORE) if each != "word > 'wo'"]
    features = {f"e{nth}": expression(each, KINDS_OF_SQL) for nth, each in enumerate(given)}
    model = document(
        Category(name=name, sql=of.sql, levels=()) if of.is_text
        else Number(name=name, sql=of.sql, imputed=0, mean=0, deviation=1, coefficient=0)
        for name, of in features.items()
    )  # fmt: skip
    sql = [f"{translated(of.sql, KINDS_OF_SQL, 'duckdb')} as {n}" for n, of in features.items()]

    found = evaluated(with_values(pmml(model, policy(model), KINDS_OF_SQL), features), odd_values)

    ours = rows_of(odd_values, f"select loan_id, {', '.join(sql)} from loans order by loan_id")
    for row, theirs in zip(ours, found, strict=True):
        for (name, value), text in zip([*row.items()][1:], given, strict=True):
            is_finite = not isinstance(value, float) or isfinite(value)
            assert not is_finite or equal(theirs[name], value), (text, row)


def with_values(text: str, names) -> str:
    """PMML that also puts out the values of features, by their names."""
    root = ET.fromstring(text)
    outputs = root.find(f".//{{{NAMESPACE}}}Output")
    types = {field.get("name"): field.attrib for field in root.iter(f"{{{NAMESPACE}}}DerivedField")}
    for name in names:
        about = types[f"value({name})"] | {"name": name, "feature": "transformedValue"}
        made = ET.SubElement(outputs, f"{{{NAMESPACE}}}OutputField", about)
        ET.SubElement(made, f"{{{NAMESPACE}}}FieldRef", field=f"value({name})")
    return ET.tostring(root, encoding="unicode")


def equal(theirs: Any, ours: Any) -> bool:
    """But for the last digits of a number: each adds in its own order."""
    if not isinstance(ours, float) or theirs is None:
        return theirs == ours
    return theirs == pytest.approx(ours, rel=1e-12, abs=1e-14)


def agree(evaluated, loans: pa.Table, model: ModelDocument, decided: Policy, kinds) -> list[dict]:
    """The scores of loans by DuckDB, which are those by PMML."""
    ours = rows_of(loans, scoring_sql(model, decided, kinds, "duckdb"))
    theirs = evaluated(pmml(model, decided, kinds), loans)

    for row, other in zip(ours, theirs, strict=True):
        for name in (*SCORE, *(["expected_loss"] if decided.loss else [])):
            assert equal(other[name], row[name]), (name, row)
    return ours


def test_odd_values_have_the_same_score(evaluated) -> None:
    """Medians, indicators, levels that read oddly, numbers too large, hard rules and the loss."""
    indicator = Level(text="(missing)", mean=0.25, deviation=1, coefficient=2.0)
    terms = [
        number("x", 0.7, 0.1).model_copy(update={"imputed": 0.4, "missing": indicator}),
        number("y", -0.3, 0.2).model_copy(update={"sql": "CAST(y AS DOUBLE) * 1e10", "imputed": 3.0}),
        word(**{"": 1.1, " x ": 0.9, "it's": -0.4, "a<b&\"c": 0.6, ABSENT: 0.3}),
    ]  # fmt: skip
    numbers = [None, 0.0, -0.0, 1e-300, 0.4, -2.5, 1e308, -1e308]
    words = [None, "", " x ", "x", "it's", 'a<b&"c', "never seen", ABSENT, "é"]
    rows = [(f"{x} {y} {w}", x, y, w, None) for x in numbers for y in numbers for w in words]
    rules = [refusal("low", "x < -2"), refusal("said", "w = 'x' and not y = 0")]
    model = document(terms, -1.3, 0.2)
    decided = policy(model, rules, loss=Loss(exposure="y", given_default=0.61))

    scores = agree(evaluated, table(rows), model, decided, KINDS)

    assert {row["decision"] for row in scores} == {"approve", "review", "decline"}
    assert {-25.0, 25.0} <= {row["log_odds"] for row in scores}


def test_a_score_at_an_edge_is_on_the_same_side_of_it(evaluated) -> None:
    """A model without features, whose PD is the end of a band and points lie half-way."""
    edge = {"bands": {"A": 0.5, "B": 1.0}, "points_at": 600.5, "odds_at": 1}
    cutoffs = PLAN.decisions.model_copy(update={"approve_below": 0.5, "decline_from": 0.5})
    plan, model = PLAN.model_copy(update=edge | {"decisions": cutoffs}), document([])

    (score,) = agree(
        evaluated, table([("A", 0, 0, "a", None)]), model, policy(model, score=plan), KINDS
    )

    assert [score[name] for name in SCORE] == [0.0, 0.5, 601, "B", "decline"]


@pytest.mark.parametrize("form", ["linear", "binned"])
@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_every_contracts_model_gives_the_same_pd(evaluated, portfolio, form) -> None:
    contract = load_contract(PROJECT / f"conf/portfolios/{portfolio}.yml")
    rows = loans_of(contract)
    model = model_of(contract, rows, form)

    scores = agree(evaluated, rows, model, Policy.of(contract), contract.kinds)

    assert len({row["pd"] for row in scores}) > 200
    assert len({row["band"] for row in scores}) > 2


def loans_of(contract: Contract) -> pa.Table:
    """Loans with nulls, zeros, the ends of ranges, and texts that the contract does not name."""
    draw = Random(7)
    rows = [
        {name: value_of(spec, draw) for name, spec in contract.columns.items()} for _ in range(250)
    ]
    return pa.Table.from_pylist(
        [{"loan_id": f"{nth:03}", **row} for nth, row in enumerate(rows)],
        schema_of(contract.kinds),
    )


def value_of(spec: ContractColumn, draw: Random) -> Any:
    low, high = spec.range or (0.0, 100.0)
    numbers = [0.0, 1.0, low, high, *(low + (high - low) * draw.random() ** 4 for _ in range(4))]
    choices: dict[str, list[Any]] = {
        "string": [*spec.codes.values(), *(spec.one_of or "ab"), "", "it's"],
        "date": [date(2012, 2, 29), date(1985, 1, 1) + timedelta(days=draw.randrange(12_000))],
        "boolean": [True, False],
        "int": [36, 60, *map(int, numbers)],
        "double": numbers,
    }
    return draw.choice([*choices[TYPES[spec.kind]], None])


def model_of(contract: Contract, loans: pa.Table, form: str) -> ModelDocument:
    """A term of each feature, by its values among a few of the loans; others are not known."""
    of, draw, features = (
        {"linear": linear, "binned": binned}[form],
        Random(1),
        definitions(contract),
    )
    sql = [f"{translated(each.sql, contract.kinds, 'duckdb')} as {each.name}" for each in features]
    rows = rows_of(loans.slice(0, 20), f"select {', '.join(sql)} from loans")
    values = {each.name: sorted({row[each.name] for row in rows} - {None}) for each in features}
    return document([of(contract, each, values[each.name], draw) for each in features], -1.0)


def linear(contract: Contract, feature: Definition, values: Sequence[Any], draw: Random):
    if feature.is_text:
        levels = [level(text, 0.1, draw) for text in [ABSENT, *values]]
        return Category(name=feature.name, sql=feature.sql, levels=levels)
    indicator = level("(missing)", 0.1, draw) if draw.random() < 0.5 else None
    return Number(
        name=feature.name, sql=feature.sql, imputed=median(values), mean=fmean(values),
        deviation=pstdev(values) or 1.0, coefficient=draw.uniform(-1, 1), missing=indicator,
    )  # fmt: skip


def binned(contract: Contract, feature: Definition, values: Sequence[Any], draw: Random):
    one = Classes(1, 1)
    if feature.is_text:
        bins = bins_of_text([[ABSENT, *values[:1]], values[1:]], [one, one])
    else:
        splits = sorted({*quantiles(values, n=4)})
        bins = bins_of_number(splits, [one] * (len(splits) + 1), one, {values[0]: one})
    kinds = contract.kinds
    sql = named(bins, f"({valued(contract.features[feature.name].sql, kinds)})")
    levels = [level(each.name, each.share, draw) for each in bins]
    return Category(name=feature.name, sql=expression(sql, kinds).sql, levels=levels)


def level(text: str, mean: float, draw: Random) -> Level:
    return Level(text=text, mean=mean, deviation=1, coefficient=draw.uniform(-1, 1))
