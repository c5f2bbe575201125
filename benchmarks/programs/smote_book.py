"""SMOTE on a book: `smote_book.py BOOK OUT`, how many rows of each class came of it as JSON."""

import json
import sys
from pathlib import Path

from fit_book import FEATURES
from pyspark.sql import functions as F

from credit_spark.config.settings import resolve
from credit_spark.features.columns import Definition, featured
from credit_spark.storage.session import spark_session
from credit_spark.training.imbalance import SmotePlan, classes, smoted

SETTINGS = Path(__file__).parents[2] / "conf/base.yml"


def main(book: str, out: str) -> None:
    """Read, make up rows until both classes are equal, and count."""
    settings = resolve(SETTINGS, None, {})
    features = [Definition(name, name, is_text=False) for name in FEATURES]
    with spark_session(settings.spark.options(), Path(f"{out}.log")) as spark:
        ids = F.concat_ws("/", F.input_file_name(), F.monotonically_increasing_id().cast("string"))
        beside = {"loan_id": ids, "label": F.col("label")}
        rows = featured(spark.read.parquet(book), features, beside)
        plan = SmotePlan(features, settings.training.smote_rows, partitions=2)
        seen = classes(rows)
        made = classes(smoted(rows, seen.rows, 1, plan))
    assert made.bad > seen.bad
    Path(out).write_text(json.dumps({"seen": seen, "made": made}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
