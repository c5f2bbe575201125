"""Logarithm and exponential to the last digit: Java's own, which Spark calls, is the oracle."""

import numpy as np
import polars as pl
from pyspark.sql import functions as F

from credit_spark.contract.logarithms import exp, ln


def numbers() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(20261127)
    anywhere = draw.integers(1, 0x7FEFFFFFFFFFFFFF, 100_000).view(np.float64)
    incomes = draw.gamma(2, 30_000, 100_000)
    near_one = 1 + draw.normal(0, 1, 50_000) * 10.0 ** draw.integers(-17, 0, 50_000)
    odd = [5e-324, 2.0**-1022, 0.5, 1.0, np.nextafter(1, 2), 2.0, 1.7976931348623157e308, np.inf]
    above_zero = np.concatenate([anywhere, incomes, near_one[near_one > 0], odd])
    exponents = np.concatenate([
        draw.uniform(-25, 25, 100_000),
        draw.uniform(-700, 700, 50_000),
        draw.normal(0, 1, 100_000) * 10.0 ** draw.integers(-12, 1, 100_000),
        [0.0, -0.0, 0.34657359, 0.34657360, -1.0397208, 1.0397208, 25.0, -25.0],
    ])  # fmt: skip
    return above_zero, exponents


def test_both_are_javas_to_the_last_digit(spark) -> None:
    for values, ours, theirs in zip(numbers(), (ln, exp), (F.log, F.exp), strict=True):
        frame = spark.createDataFrame(pl.DataFrame({"x": values}).to_arrow())
        expected = frame.select("x", theirs("x").alias("y")).toArrow()

        found = pl.DataFrame({"x": expected["x"]}).select(ours(pl.col("x"))).to_series()
        assert (found.to_numpy().view("i8") == np.asarray(expected["y"]).view("i8")).all()


def test_null_stays_null() -> None:
    nothing = pl.DataFrame({"x": [None, 1.0]})

    assert nothing.select(ln(pl.col("x")).alias("ln"), exp(pl.col("x")).alias("exp")).rows()[0] == (
        None,
        None,
    )
