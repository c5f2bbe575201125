"""Spark alone: texts of the files into one Delta table: `bare_spark.py LANDING MODEL AS_OF OUT`.

No value is parsed and no line judged: what any Spark program on these files takes at least.
"""

import sys

from pyspark.sql import SparkSession


def main(landing: str, out: str) -> None:
    """Read every field as a text, and write them all."""
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "6g")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.log.level", "OFF")
        .getOrCreate()
    )
    fields = ", ".join(f"f{nth} string" for nth in range(26))
    lines = spark.read.csv(landing, schema=fields, header=True, multiLine=True, escape='"')
    lines.write.format("delta").save(f"{out}/lines")
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[4])
