"""credit-spark's own fit of a book: `credit_spark_fit.py BOOK OUT`, its coefficients as JSON."""

import json
import sys
from pathlib import Path

from fit_book import FEATURES, REGULARISATION
from pyspark.sql import functions as F

from credit_spark.adapters.session import spark_session
from credit_spark.contract.models import Penalty
from credit_spark.modelling.features import Definition, featured
from credit_spark.modelling.imbalance import Classes, treated
from credit_spark.modelling.pipeline import fits
from credit_spark.settings import resolve

SETTINGS = Path(__file__).parents[3] / "conf/base.yml"


def main(book: str, out: str) -> None:
    """Read, fit and write."""
    options = resolve(SETTINGS, None, {}).spark.options()
    features = [Definition(name, name, is_text=False) for name in FEATURES]
    with spark_session(options, Path(f"{out}.log")) as spark:
        rows = featured(spark.read.parquet(book), features, {"label": F.col("label")})
        # As a training does: its rows are looked at several times.
        weighted = treated(rows, "none", Classes(1, 1), seed=1).persist()
        fitted = fits(weighted, features, dict.fromkeys(FEATURES, ""), [Penalty(REGULARISATION)])[0]
    coefficients = [term.coefficient for term in fitted.terms]
    Path(out).write_text(json.dumps([*coefficients, fitted.intercept]))


if __name__ == "__main__":
    main(*sys.argv[1:3])
