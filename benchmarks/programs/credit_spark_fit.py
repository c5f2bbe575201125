"""credit-spark's own fit of a book: `credit_spark_fit.py BOOK OUT [FITS]`, coefficients as JSON.

Beside them stand the seconds of each of its FITS (1) of the same rows, as those of several
imbalance strategies or penalties are: from rows that are kept, counted and sampled as a training keeps them.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

from fit_book import FEATURES, REGULARISATION
from pyspark.sql import functions as F

from credit_spark.config.models import Feature, Penalty
from credit_spark.config.settings import resolve
from credit_spark.features.columns import Definition, featured
from credit_spark.pipeline.training_data import MIN_PARTITIONS
from credit_spark.storage.session import spark_session
from credit_spark.training.imbalance import Classes, balanced
from credit_spark.training.regression import Columns, fit, linear, slopes_of, vectors
from credit_spark.training.splits import FOLD, QUARTER, TrainingRows

CONTRACT = SimpleNamespace(features={name: Feature(sql=name, reason=name) for name in FEATURES})
SETTINGS = Path(__file__).parents[2] / "conf/base.yml"


def main(book: str, out: str, count: str = "1") -> None:
    """Read, fit and write."""
    options = resolve(SETTINGS, None, {}).spark.options()
    features = [Definition(name, name, is_text=False) for name in FEATURES]
    with spark_session(options, Path(f"{out}.log")) as spark:
        loan = {"loan_id": F.monotonically_increasing_id().cast("string"), "label": F.col("label")}
        beside = {**loan, FOLD: F.lit(0), QUARTER: F.lit(0)}
        rows = featured(spark.read.parquet(book), features, beside)
        kept = rows.repartition(MIN_PARTITIONS).persist()
        training = TrainingRows.of(kept, features)
        times = [time.monotonic()]
        design = linear(training, Columns(features, None), CONTRACT, {})
        untreated = vectors(design, kept, *loan)
        for _ in range(int(count)):
            rows = balanced(untreated, "none", Classes(1, 1), seed=1)
            found = fit(design, rows, Penalty(REGULARISATION))
            times.append(time.monotonic())
        terms, intercept = design.equation(slopes_of(design, found), found.intercept)
    seconds = [until - since for since, until in pairwise(times)]
    values = [*(term.coefficient for term in terms), intercept]
    Path(out).write_text(json.dumps({"coefficients": values, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
