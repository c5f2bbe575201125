"""Spark ML's own fit and nothing else: `spark_ml_fit.py BOOK OUT [FITS]`, each one's seconds as JSON.

The vectors are assembled, scaled and cached before the clock starts. After the first fit, a process
has less of Java to compile.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

from fit_book import FEATURES, REGULARISATION
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StandardScaler, VectorAssembler
from spark_session import session


def main(book: str, out: str, count: str = "1") -> None:
    """Read, cache, fit and write."""
    spark = session()
    rows = VectorAssembler(inputCols=list(FEATURES), outputCol="raw").transform(
        spark.read.parquet(book)
    )
    scaler = StandardScaler(inputCol="raw", outputCol="features", withMean=True).fit(rows)
    vectors = scaler.transform(rows).select("features", "label").cache()
    vectors.count()
    regression = LogisticRegression(
        regParam=REGULARISATION, standardization=False, maxIter=500, tol=1e-9
    )
    times = [time.monotonic()]
    for _ in range(int(count)):
        fitted = regression.fit(vectors)
        times.append(time.monotonic())
    seconds = [until - since for since, until in pairwise(times)]
    found = [*fitted.coefficients.toArray().tolist(), fitted.intercept]
    Path(out).write_text(json.dumps({"coefficients": found, "seconds": seconds}))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
