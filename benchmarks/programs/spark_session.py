"""The session that a user of Spark on one machine would ask for."""

from pyspark.sql import SparkSession

OPTIONS = {
    "spark.driver.memory": "6g",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.log.level": "OFF",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}


def session() -> SparkSession:
    """Spark on every processor of this machine, with Delta."""
    return SparkSession.builder.master("local[*]").config(map=OPTIONS).getOrCreate()
