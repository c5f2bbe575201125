"""A compiled expression means in plain Python what it means in Spark, whatever the values."""

from datetime import date
from math import inf, isnan, nan
from random import Random

import pytest

from credit_spark.contract.evaluation import columns_of, evaluated
from credit_spark.contract.expressions import expression
from credit_spark.contract.loading import load_contract
from tests.projects import PROJECT

KINDS = {"a": "number", "b": "count", "c": "number", "f": "flag", "word": "category", "day": "date"}
DDL = "a double, b int, c double, f boolean, word string, day date"
NUMBERS = [None, 0.0, -0.0, 1.5, -3.0, 1e308, -1e308, 1e-300, inf, -inf, nan, 2.0, 7.25]
DAYS = [None, date(2011, 12, 29), date(1985, 1, 1), date(2020, 2, 29)]
EXPRESSIONS = [
    "a / b", "b / a", "1 / 3 * b", "ln(a)", "ln(a / c)", "abs(a) - c", "-a * (b + 1)",
    "least(a, c)", "greatest(a, c, 1)", "least(a, 1) + greatest(b, 2)",
    "coalesce(a, c, 7) / nullif(b, 4)", "nullif(a, c)",
    "case when a > 1 then 2 when a is null then 3 else b end",
    "case b when 1 then a when 2 then c end",
    "case when a >= c then 1 when a < c then -1 end",
    "if(f, a, b)", "if(a > c, b, 0)", "case when f and not f then 1 when not f then 2 end",
    "f is null or a > b", "f > 0", "2 * f", "a between 0 and 2", "a between c and 2",
    "a = c", "a <> c", "a > 1 and not b = 4", "a > 1 or b = 4", "not (a > 1 or f)",
    "a in (1.5, 2)", "b in (1, c)", "word in ('x', 'z')", "word = ''", "word > 'wo'",
    "case when word = 'x' then 'is x' else word end", "coalesce(word, 'none')",
    "year(day) * 12 + month(day)", "day > '2011-12-28'", "day between '1985-01-01' and '2012-01-01'",
]  # fmt: skip


def drawn() -> list[tuple]:
    draw = Random(3)
    choices = [
        NUMBERS,
        [None, 0, 1, 2, 4],
        NUMBERS,
        [None, True, False],
        [None, "", "x", "y", "é"],
        DAYS,
    ]
    return [tuple(draw.choice(each) for each in choices) for _ in range(400)]


@pytest.fixture(scope="module")
def in_spark(spark) -> list[dict]:
    """Every expression of every row, computed by Spark in one pass."""
    compiled = [expression(each, KINDS) for each in EXPRESSIONS]
    columns = [
        f"cast({each.sql} as {'string' if each.is_text else 'double'}) as x{nth}"
        for nth, each in enumerate(compiled)
    ]
    frame = spark.createDataFrame(drawn(), DDL)
    return [row.asDict() for row in frame.selectExpr("*", *columns).collect()]


@pytest.mark.parametrize("nth", range(len(EXPRESSIONS)), ids=EXPRESSIONS)
def test_plain_python_agrees_with_spark(in_spark, nth) -> None:
    compiled = expression(EXPRESSIONS[nth], KINDS)
    function = evaluated(compiled.sql)

    seen = set()
    for row in in_spark:
        ours, theirs = function(row), row[f"x{nth}"]
        seen.add(str(theirs))
        if compiled.is_text or ours is None or theirs is None:
            assert ours == theirs, row
        else:
            both_nan = isnan(ours) and isnan(theirs)
            # Java and C may differ in the last digit of a logarithm.
            assert both_nan or float(ours) == pytest.approx(theirs, rel=1e-15), row
    assert len(seen) > 1


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "conf/portfolios").glob("*.yml")), ids=lambda each: each.stem
)
def test_every_feature_of_every_contract_has_a_meaning(path) -> None:
    contract = load_contract(path)
    kinds = {name: promise.kind for name, promise in contract.columns.items()}

    for feature in contract.features.values():
        compiled = expression(feature.sql, kinds)
        assert columns_of(compiled.sql) == compiled.columns
        assert evaluated(compiled.sql)({}) is None or "case" in feature.sql
