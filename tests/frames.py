"""Small frames in, plain rows out: the helpers that the tests share."""

from pyspark.sql import DataFrame


def rows(frame: DataFrame, *columns: str) -> list[tuple[object, ...]]:
    """The frame's rows as sorted tuples, since Spark promises no order."""
    chosen = frame.select(*columns) if columns else frame
    return sorted((tuple(row) for row in chosen.collect()), key=str)
