"""credit-spark's own fit of a book: `credit_spark_fit.py BOOK OUT [FITS]`, coefficients as JSON.

Beside them stand the seconds of each of its FITS (1) of the same rows, as those of several
treatments or penalties are: from rows that are kept as a training keeps them, and with their means,
which a training takes once for all of its fits.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

from fit_book import FEATURES, REGULARISATION
from pyspark.sql import functions as F

from credit_spark.contract.models import Penalty
from credit_spark.features.columns import Definition, featured
from credit_spark.modelling.imbalance import Classes, treated
from credit_spark.modelling.regression import fit, linear, scaled, terms_of_slope_1, vectors
from credit_spark.pipeline.book import FEWEST_PARTITIONS
from credit_spark.settings import resolve
from credit_spark.storage.session import spark_session

SETTINGS = Path(__file__).parents[3] / "conf/base.yml"


def main(book: str, out: str, count: str = "1") -> None:
    """Read, fit and write."""
    options = resolve(SETTINGS, None, {}).spark.options()
    features = [Definition(name, name, is_text=False) for name in FEATURES]
    with spark_session(options, Path(f"{out}.log")) as spark:
        loan = {"loan_id": F.monotonically_increasing_id().cast("string"), "label": F.col("label")}
        rows = featured(spark.read.parquet(book), features, loan)
        kept = rows.repartition(FEWEST_PARTITIONS).persist()
        reasons = dict.fromkeys(FEATURES, "")
        scaled_terms = terms_of_slope_1(scaled(kept, features), features, reasons, {})
        times = [time.monotonic()]
        design = linear(kept, features, scaled_terms)
        untreated = vectors(design, kept, *loan)
        for _ in range(int(count)):
            training = treated(untreated, "none", Classes(1, 1), seed=1)
            found = fit(design, training, Penalty(REGULARISATION))
            times.append(time.monotonic())
    terms, intercept = found.equation
    seconds = [until - since for since, until in pairwise(times)]
    values = [*(term.coefficient for term in terms), intercept]
    Path(out).write_text(json.dumps({"coefficients": values, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
