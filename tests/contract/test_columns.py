"""A compiled expression means in Polars what it means in plain Python, whatever the values."""

from datetime import date
from math import inf, isnan, nan, nextafter
from random import Random
from typing import Any

import polars as pl
import pytest

from credit_spark.contract.columns import column
from credit_spark.contract.evaluation import columns_of, evaluated
from credit_spark.contract.expressions import condition, expression
from credit_spark.contract.loading import load_contract
from tests.contract.test_evaluation import EXPRESSIONS, KINDS
from tests.projects import PROJECT

NUMBERS = [None, 0.0, -0.0, 0.1, 1.5, 2.0, -3.0, 7.25, 36.0, 1e-300, 1e308, -1e308, inf, -inf, nan]
WHOLES = [None, 0, 1, 2, 4, 36, 60]
FLAGS = [None, True, False]
TEXTS = [None, "", "x", "y", "é", "RENT", "it's", "a\\b", " x ", "NaN", "(missing)", "wo", "wp"]
DAYS = [None, date(2011, 12, 29), date(1985, 1, 1), date(2020, 2, 29)]
TYPES = {"count": pl.Int32, "months": pl.Int32, "years": pl.Int32, "flag": pl.Boolean, "date": pl.Date, "text": pl.String, "category": pl.String}  # fmt: skip
VALUES = {pl.Int32: WHOLES, pl.Boolean: FLAGS, pl.Date: DAYS, pl.String: TEXTS}
MORE = [
    "a / 3", "a / 0", "7 / a", "(a - 1) / (3 - 3)", "a / (1 / 3)", "c / 100 / 12 * a", "a + c - b + a",
    "a in (1, null)", "word in ('x', null)", "a = null", "coalesce(null, a)", "nullif(word, 'x')",
    "least(a, c, b)", "greatest(c, b, a)", "day in ('2020-02-29', '2011-12-29')", "year('2011-03-01')",
    "f = true", "not f is null", "case word when 'x' then a when '' then c else b end",
    "case when a > 1 then 1 when a > 0 then 2 else 3 end", "case when null then 1 else 2 end", "case when a > 1 then null else c end", "word <> 'it\\'s'",
]  # fmt: skip


def drawn(kinds: dict[str, str], count: int = 500, seed: int = 5) -> pl.DataFrame:
    draw = Random(seed)
    types = {name: TYPES.get(kind, pl.Float64) for name, kind in kinds.items()}
    choices = {name: VALUES.get(kind, NUMBERS) for name, kind in types.items()}
    values = {name: draw.choices(each, k=count) for name, each in choices.items()}
    return pl.DataFrame(values, schema=types)


def agree(sql: str, frame: pl.DataFrame) -> None:
    """The same to the last bit."""
    function = evaluated(sql)
    theirs = [function(row) for row in frame.to_dicts()]
    ours = frame.with_columns(column(sql).alias("value"))["value"].to_list()

    for our, their in zip(ours, theirs, strict=True):
        assert same(our, their), (sql, our, their)


def same(ours: Any, theirs: Any) -> bool:
    if not isinstance(ours, float) or not isinstance(theirs, float):
        return bool(ours == theirs)
    return (isnan(ours) and isnan(theirs)) or ours == theirs


@pytest.mark.parametrize("text", [*EXPRESSIONS, *MORE])
def test_polars_agrees_with_plain_python(text) -> None:
    frame = drawn(KINDS)
    compiled = expression(text, KINDS).sql

    agree(compiled, frame)
    agree(compiled, frame[17:18])
    agree(compiled, frame[:0])


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "conf/portfolios").glob("*.yml")), ids=lambda each: each.stem
)
def test_every_expression_of_every_contract_means_the_same(path) -> None:
    contract = load_contract(path)
    kinds = {name: promise.kind for name, promise in contract.columns.items()} | {"as_of": "date"}
    frame = drawn(kinds)
    features = [expression(each.sql, kinds).sql for each in contract.features.values()]
    refusals = [condition(each.sql, kinds).sql for each in contract.decline_if.values()]
    rules = [condition(each.sql, kinds).sql for each in contract.rules.values()]

    for sql in [*features, *refusals, *rules]:
        agree(sql, frame.select(sorted(columns_of(sql))))


def of_one(sql: str, **values: Any) -> Any:
    frame = pl.DataFrame({name: [value] for name, value in values.items()})
    return frame.select(column(sql).alias("x"))["x"][0]


def test_a_division_by_one_number_is_not_a_multiplication_with_its_inverse() -> None:
    draw = Random(1)
    shares = [draw.gauss(0, 1000) for _ in range(2000)]
    divided = column("a / NULLIF(CAST(100 AS DOUBLE), CAST(0 AS DOUBLE))")

    ours = pl.DataFrame({"a": shares}).select(divided).to_series().to_list()

    assert ours == [each / 100 for each in shares]
    assert ours != [each * (1 / 100) for each in shares]


def test_a_division_by_zero_is_null_as_in_plain_python() -> None:
    frame = pl.DataFrame({"a": [1.0, 0.0, nan, None], "b": [0.0, -0.0, 0.0, 0.0]})

    agree("a / b", frame)


def test_a_column_of_one_value_divides_as_any_other() -> None:
    """Polars keeps it as the one value that it is."""
    draw = Random(2)
    frame = pl.DataFrame({"a": [draw.random() for _ in range(500)]}).with_columns(b=pl.lit(49.0))

    ours = frame.select(column("a / b")).to_series().to_list()

    assert ours == [each / 49.0 for each in frame["a"]]


def test_nan_equals_itself_and_is_above_every_other_number() -> None:
    assert of_one("a = b", a=nan, b=nan)
    assert of_one("a > b", a=nan, b=inf)
    assert isnan(of_one("GREATEST(a, b)", a=1.0, b=nan))
    assert of_one("LEAST(a, b)", a=nan, b=1.0) == 1.0
    assert of_one("NULLIF(a, b)", a=nan, b=nan) is None


def test_extremes_skip_what_is_null() -> None:
    assert of_one("LEAST(a, b)", a=None, b=1.0) == 1.0
    assert of_one("GREATEST(a, b)", a=1.0, b=None) == 1.0
    assert of_one("GREATEST(a, b)", a=None, b=None) is None


@pytest.mark.parametrize("left", FLAGS)
@pytest.mark.parametrize("right", FLAGS)
def test_logic_has_three_values(left, right) -> None:
    frame = pl.DataFrame({"a": [left], "b": [right]}, schema={"a": pl.Boolean, "b": pl.Boolean})

    for sql in ("a AND b", "a OR b", "NOT a", "a IN (b)"):
        agree(sql, frame)


def test_sums_are_taken_in_the_order_that_is_written() -> None:
    large, small = 1e16, 1.0

    assert of_one("a + b + b", a=large, b=small) == large
    assert of_one("a + (b + b)", a=large, b=small) == nextafter(large, inf)
    assert of_one("0.1 + (0.2 + a)", a=0.3) != of_one("0.1 + 0.2 + a", a=0.3)


def test_what_is_not_compiled_has_no_column() -> None:
    with pytest.raises(NotImplementedError, match="no column for 'UPPER"):
        column("UPPER(word)")
