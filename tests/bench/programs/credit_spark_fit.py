"""credit-spark's own fit of a book: `credit_spark_fit.py BOOK OUT`, its coefficients as JSON.

Beside them stand the seconds of the fit itself, from rows that are kept as a training keeps them,
and with their spreads, which a training takes once for all of its fits.
"""

import json
import sys
import time
from pathlib import Path

from fit_book import FEATURES, REGULARISATION
from pyspark.sql import functions as F

from credit_spark.adapters.session import spark_session
from credit_spark.contract.models import Penalty
from credit_spark.modelling.features import Definition, featured
from credit_spark.modelling.imbalance import Classes, treated
from credit_spark.modelling.pipeline import scaled, spreads_of
from credit_spark.modelling.regression import Legend, fits
from credit_spark.settings import resolve
from credit_spark.steps.book import FEWEST_PARTITIONS

SETTINGS = Path(__file__).parents[3] / "conf/base.yml"


def main(book: str, out: str) -> None:
    """Read, fit and write."""
    options = resolve(SETTINGS, None, {}).spark.options()
    features = [Definition(name, name, is_text=False) for name in FEATURES]
    with spark_session(options, Path(f"{out}.log")) as spark:
        rows = featured(spark.read.parquet(book), features, {"label": F.col("label")})
        weighted = treated(rows, "none", Classes(1, 1), seed=1)
        kept = weighted.repartition(FEWEST_PARTITIONS).persist()
        legend = Legend(dict.fromkeys(FEATURES, ""), spreads_of(scaled(kept, features), features))
        began = time.monotonic()
        fitted = fits(kept, features, [Penalty(REGULARISATION)], legend)[0]
        seconds = time.monotonic() - began
    found = [*(term.coefficient for term in fitted.terms), fitted.intercept]
    Path(out).write_text(json.dumps({"coefficients": found, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
