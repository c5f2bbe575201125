"""Small frames in, plain rows out: the helpers that the tests share."""

from pathlib import Path

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame


def rows(frame: DataFrame, *columns: str) -> list[tuple[object, ...]]:
    """The frame's rows as sorted tuples, since Spark promises no order."""
    chosen = frame.select(*columns) if columns else frame
    return sorted((tuple(row) for row in chosen.collect()), key=str)


def stored(pipeline: PipelineModel, folder: Path) -> PipelineModel:
    """A fit as it is read again: without its training summary, which Spark 4.1 cannot send."""
    pipeline.save(str(folder / "pipeline"))
    return PipelineModel.load(str(folder / "pipeline"))
