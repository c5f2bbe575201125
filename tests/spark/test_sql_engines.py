"""A compiled expression means in DuckDB what it means in Spark, whatever the values."""

from datetime import date
from math import inf, isnan, nan
from random import Random

import duckdb
import pyarrow as pa
import pytest

from credit_spark.config.expressions import ExpressionError, columns_of, condition, expression
from credit_spark.config.loading import load_contract
from credit_spark.config.tables import TYPES
from credit_spark.scoring.sql import translated
from tests.projects import PROJECT

KINDS = {"a": "number", "b": "count", "c": "number", "f": "flag", "word": "category", "day": "date"}
NUMBERS = [None, 0.0, -0.0, 0.1, 1.5, 2.0, -3.0, 7.25, 1e-300, 1e308, -1e308, inf, -inf, nan]
VALUES = {
    "double": NUMBERS,
    "int": [None, 0, 1, 2, 4, 36, 60],
    "boolean": [None, True, False],
    "string": [
        None,
        "",
        "x",
        "y",
        "é",
        "RENT",
        "it's",
        "a\\b",
        " x ",
        "NaN",
        "(missing)",
        "wo",
        "wp",
    ],
    "date": [None, date(2011, 12, 29), date(1985, 1, 1), date(2020, 2, 29)],
}
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
    "a / 3", "7 / a", "(a - 1) / (4 - 3)", "a / (1 / 3)", "c / 100 / 12 * a", "a + c - b + a",
    "a in (1, null)", "word in ('x', null)", "coalesce(null, a)", "nullif(word, 'x')",
    "least(a, c, b)", "greatest(c, b, a)", "day in ('2020-02-29', '2011-12-29')",
    "not f is null", "case word when 'x' then a when '' then c else b end",
    "case when a > 1 then 1 when a > 0 then 2 else 3 end", "case when a > 1 then null else c end",
    "word <> 'it\\'s'", "f = 1", "f in (1)", "case when f then f else a end", "abs(f)",
]  # fmt: skip
# What Spark refuses, or computes by a cast that may end a run in the middle.
REFUSED = [
    "word > 1", "word = a", "a = word", "word in (1, 2)", "a in ('x')", "word between 1 and 2",
    "word + 1", "-word", "abs(word)", "ln(word)", "day + 1", "day - day", "-day", "day > 1",
    "day = a", "day > word", "day > 'abc'", "day in ('x')", "year(word)", "year(a)", "year('abc')",
    "f = 'yes'", "f = word", "f and a", "not a", "not word", "f = true", "f in (true)",
    "case when a then 1 end", "case when f then 'x' else 1 end", "case when f then word else a end",
    "case when f then day else a end", "case when f then day end", "day", "coalesce(word, 1)",
    "coalesce(day, '2011-01-01')", "nullif(a, 'x')", "nullif(word, 1)", "least(a, word)",
    "greatest(day, a)", "if(f, a, word)", "if(a, 1, 2)", "case word when 1 then 1 end",
    "case a when 'x' then 1 end", "a = '1'",
]  # fmt: skip


def drawn(kinds: dict[str, str], count: int = 400) -> list[dict]:
    draw = Random(3)
    choices = {name: VALUES[TYPES[kind]] for name, kind in kinds.items()}
    return [
        {"nth": nth, **{name: draw.choice(each) for name, each in choices.items()}}
        for nth in range(count)
    ]


def ddl(kinds: dict[str, str]) -> str:
    return ", ".join(["nth int", *[f"{name} {TYPES[kind]}" for name, kind in kinds.items()]])


def values_in_duckdb(columns: list[str], rows: list[dict], kinds: dict[str, str]) -> list[tuple]:
    with duckdb.connect() as connection:
        connection.execute(f"create table loans ({ddl(kinds)})")
        connection.register("given", pa.Table.from_pylist(rows))
        connection.execute("insert into loans by name select * from given")
        return connection.sql(f"select {', '.join(columns)} from loans order by nth").fetchall()


def agree(spark, compiled: list[tuple[str, str]], kinds: dict[str, str]) -> None:
    """Every expression of every row, computed by each engine in one pass."""
    rows = drawn(kinds)
    frame = spark.createDataFrame([tuple(row.values()) for row in rows], ddl(kinds))
    theirs = frame.orderBy("nth").selectExpr(
        *[f"cast({sql} as {kind}) as x{nth}" for nth, (sql, kind) in enumerate(compiled)]
    )
    ours = [
        f"cast({translated(sql, kinds, 'duckdb')} as {'varchar' if kind == 'string' else kind})"
        for sql, kind in compiled
    ]
    for row, spark_row in zip(values_in_duckdb(ours, rows, kinds), theirs.collect(), strict=True):
        for (sql, _), our, their in zip(compiled, row, spark_row, strict=True):
            assert same(our, their), (sql, our, their)


def same(ours, theirs) -> bool:
    if not isinstance(ours, float) or not isinstance(theirs, float):
        return ours == theirs
    # Java and C may differ in the last digit of a logarithm.
    return (isnan(ours) and isnan(theirs)) or ours == pytest.approx(theirs, rel=1e-15)


def test_duckdb_agrees_with_spark(spark) -> None:
    compiled = [expression(each, KINDS) for each in EXPRESSIONS]

    agree(spark, [(each.sql, "string" if each.is_text else "double") for each in compiled], KINDS)


@pytest.mark.parametrize("text", REFUSED)
def test_what_an_engine_may_not_compute_is_refused_in_one_line(text) -> None:
    with pytest.raises(ExpressionError) as error:
        expression(text, KINDS)

    told = str(error.value)
    assert all(len(each) < 100 for each in told.split("; "))
    assert "\n" not in told


def test_in_postgres_a_name_may_be_a_key_word_and_texts_are_in_the_order_of_bytes(
    spark, postgres
) -> None:
    """`user` is a function there, `limit` a word of its grammar, and in English a < B."""
    kinds = {"limit": "number", "user": "category"}
    rows = [(1.0, "a"), (2.0, "B"), (3.0, "é"), (4.0, None)]
    asked = ["limit * 2", "case when user < 'B' then 1 else 0 end", "least(user, 'B')",
             "case when user between 'A' and 'Z' then limit end", "coalesce(user, 'none')"]  # fmt: skip
    compiled = [expression(each, kinds).sql for each in asked]
    types = '"limit" double precision, "user" text collate "en-US-x-icu"'
    postgres.run(f"drop table if exists words; create table words ({types})")
    postgres.copy("words", pa.table([*map(list, zip(*rows, strict=True))], ["limit", "user"]))
    theirs = [
        f"cast({translated(sql, kinds, 'postgres')} as text) as x{nth}"
        for nth, sql in enumerate(compiled)
    ]

    found = postgres.rows(f'select {", ".join(theirs)} from words order by "limit"')

    given = spark.createDataFrame(rows, "limit double, user string").orderBy("limit")
    ours = given.selectExpr(*compiled).collect()
    for row, other in zip(found, ours, strict=True):
        assert [_plain(each) for each in row.values()] == [_plain(each) for each in other]


def _plain(value: object) -> object:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "conf/portfolios").glob("*.yml")), ids=lambda each: each.stem
)
def test_every_expression_of_every_contract_means_the_same(spark, path) -> None:
    contract = load_contract(path)
    kinds = {name: each.kind for name, each in contract.columns.items()} | {"as_of": "date"}
    features = [expression(each.sql, kinds) for each in contract.features.values()]
    conditions = [*contract.decline_if.values(), *contract.rules.values()]
    compiled = [(each.sql, "string" if each.is_text else "double") for each in features]

    assert [columns_of(each.sql) for each in features] == [each.columns for each in features]
    agree(
        spark,
        [*compiled, *[(condition(each.sql, kinds).sql, "boolean") for each in conditions]],
        kinds,
    )
