"""A feature's SQL means the same in Spark and in DuckDB, whatever the values."""

import duckdb
import polars as pl
import pytest
import sqlglot
from pyspark.sql import functions as F

from credit_spark.config.expressions import ExpressionError, condition, expression

KINDS = {"a": "money", "b": "count", "f": "flag", "word": "category", "day": "date"}
ROWS = [
    (1.5, 2, True, "x", "2011-12-29"),
    (0.0, 0, False, "y", "1985-01-01"),
    (-3.0, 1, None, None, None),
    (None, 4, True, "", "2020-02-29"),
    (1e308, 10, False, "x", "2011-01-01"),
]
DTYPES = {"a": pl.Float64, "b": pl.Int32, "f": pl.Boolean, "word": pl.String, "day": pl.String}
DDL = "a double, b int, f boolean, word string, day string"


@pytest.mark.parametrize(
    "sql",
    [
        "a / b",
        "b / a",
        "1 / 3 * b",
        "ln(a)",
        "ln(a / b)",
        "abs(a) - 1",
        "least(a, 1) + greatest(b, 2)",
        "coalesce(a, 7) / nullif(b, 4)",
        "case when a > 1 then 2 when a is null then 3 else b end",
        "if(f, a, b)",
        "case when f and not f then 1 when not f then 2 end",
        "f is null or a > b",
        "f > 0",
        "2 * f",
        "a between 0 and 2",
        "a > 1 and not b = 4",
        "word in ('x', 'z')",
        "case when word = 'x' then 'is x' else word end",
        "coalesce(word, 'none')",
        "year(day) * 12 + month(day)",
        "-a * (b + 1)",
    ],
)
def test_spark_and_duckdb_agree(spark, sql) -> None:
    compiled = expression(sql, KINDS)
    cast = "string" if compiled.is_text else "double"
    given = spark.createDataFrame(ROWS, DDL).withColumn("day", F.to_date("day"))

    ours = [row[0] for row in given.selectExpr(f"cast({compiled.sql} as {cast})").collect()]

    assert ours == in_duckdb(compiled.sql, "varchar" if compiled.is_text else "double")


@pytest.mark.parametrize(
    "sql",
    [
        "a / b >= 1",
        "ln(a) < 1 or word = 'y'",
        "abs(a) - 1 > 0 and not f",
        "least(a, b) >= 0 or greatest(a, b) > 3",
        "coalesce(a, 7) / nullif(b, 4) > 1",
        "case when f then a > 0 else b > 0 end = true",
        "a between 0 and 2",
        "word not in ('x', 'z')",
        "day is null or year(day) * 12 + month(day) > 24000",
        "day >= '2011-01-01'",
        "day between '2011-01-01' and '2012-01-01'",
        "day in ('2011-12-29', '1985-01-01')",
        "if(f, a, b) > 1",
    ],
)
def test_a_rule_means_the_same_in_spark_and_in_polars(spark, sql) -> None:
    compiled = condition(sql, KINDS).sql
    given = spark.createDataFrame(ROWS, DDL).withColumn("day", F.to_date("day"))
    lines = pl.DataFrame(ROWS, schema=DTYPES, orient="row").with_columns(
        pl.col("day").str.to_date()
    )

    theirs = [row[0] for row in given.selectExpr(compiled).collect()]

    assert lines.select(pl.sql_expr(compiled)).to_series().to_list() == theirs


def in_duckdb(sql: str, cast: str) -> list[object]:
    connection = duckdb.connect()
    connection.execute("create table t (a double, b int, f boolean, word varchar, day date)")
    connection.executemany("insert into t values (?, ?, ?, ?, ?)", ROWS)
    translated = sqlglot.transpile(sql, read="spark", write="duckdb")[0]
    return [
        row[0]
        for row in connection.execute(f"select cast({translated} as {cast}) from t").fetchall()
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("reflect('java.lang.System', 'exit')", "is not allowed"),
        ("java_method('a', 'b')", "is not allowed"),
        ("(select 1)", "is not allowed"),
        ("rand()", "is not allowed"),
        ("a + bb", "there is no column 'bb'"),
        ("a +", "cannot be read as SQL"),
        ("a; drop table t", "is not allowed"),
        ("sum(a)", "is not allowed"),
        ("t.a", "'t.a': write the column's name without a table"),
        ("a + 1e400", "'1e400' is not a number that Spark can read"),
        ("a * 1e", "'1e' is not a number that Spark can read"),
        ("a * " + "9" * 39, "is not a number that Spark can read"),
        ("greatest(a)", r"'GREATEST\(a\)' needs two values or more"),
        ("if(a > 1, 1)", "needs a third argument"),
        ("if(a > 1, true, false)", "it yields true or false; write 1 and 0 instead"),
        ("case when a > 1 then f is null end", "it yields true or false"),
        ("coalesce(a > 1, true)", "it yields true or false"),
        ("1 + 1", "it reads no column"),
        ('"a"', "it reads no column"),
        ("null", "it reads no column"),
        ("a * year('20120131')", "'20120131' is no date; write it as 2012-01-31"),
        ("day > '2012-W05-2'", "'2012-W05-2' is no date"),
        ("(" * 3000 + "a" + ")" * 3000, "nested too deeply"),
    ],
)
def test_what_is_not_on_the_list_is_refused(sql, said) -> None:
    with pytest.raises(ExpressionError, match=said):
        expression(sql, KINDS)


@pytest.mark.parametrize(
    "number", ["9" * 38, "0." + "0" * 37 + "1", "1.5e3", "1.e3", ".5", "5.", "1e-300"]
)
def test_a_number_that_spark_can_read_is_not_refused(spark, number) -> None:
    compiled = expression(f"a * {number}", KINDS)

    ours = spark.createDataFrame(ROWS[:1], DDL).selectExpr(compiled.sql).first()[0]

    assert ours == pytest.approx(1.5 * float(number), rel=1e-15)


def test_a_rule_must_be_true_or_false() -> None:
    assert condition("a >= b", KINDS).columns == {"a", "b"}
    with pytest.raises(ExpressionError, match="a rule is a comparison"):
        condition("a + b", KINDS)
