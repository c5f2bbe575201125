"""A line's content, hashed: Spark's own xxhash64 is the oracle."""

import random

import polars as pl
from pyspark.sql import functions as F

from credit_spark.cleaning.contents import HALVES, NULL_MARK, contents_of

LETTERS = "abcde ,\u2028'\"é漢𝄞"
# On both sides of what is hashed at once: bytes, four, eight and 32 of them.
LENGTHS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 31, 32, 33, 40, 63, 64, 65, 100, 300)


def test_contents_are_those_of_sparks_own_hash(spark) -> None:
    chosen = random.Random(20261121)
    lines = [
        [
            "".join(chosen.choices(LETTERS, k=chosen.choice(LENGTHS)))
            if chosen.random() > 0.1
            else None
            for _ in range(5)
        ]
        for _ in range(2000)
    ]
    fields = pl.DataFrame(lines, schema=[f"f{nth}" for nth in range(5)], orient="row")

    marked = [([NULL_MARK if each is None else each for each in line],) for line in lines]
    halves = [F.lpad(F.hex(F.xxhash64(F.lit(half), "fields")), 16, "0") for half in HALVES]
    asked = spark.createDataFrame(marked, "fields array<string>").select(F.lower(F.concat(*halves)))
    assert contents_of(fields).to_list() == [row[0] for row in asked.collect()]
    assert contents_of(fields[7:9]).to_list() == contents_of(fields)[7:9].to_list()


def test_no_line_has_no_content() -> None:
    assert contents_of(pl.DataFrame({"f0": []}, schema={"f0": pl.String})).to_list() == []
