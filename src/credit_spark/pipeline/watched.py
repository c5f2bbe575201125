"""Loans to learn from -> what their model is to watch, with the loans that it learnt from."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame

from credit_spark.contract.models import Contract
from credit_spark.modelling.features import Definition
from credit_spark.modelling.imbalance import Classes
from credit_spark.modelling.parts import part_of
from credit_spark.modelling.watching import (
    COUNTS,
    columns_watched,
    profiled,
    watched_of,
    with_bins,
    with_counts,
)
from credit_spark.scoring.document import Watched


def watched_in(
    contract: Contract, features: Sequence[Definition], learnt: DataFrame, seen: Classes
) -> tuple[Watched, ...]:
    """What the model is to watch but its score, with the loans learnt from in each bin.

    Bins are found in a part of many loans; all are counted, in the tasks that hold them.
    """
    unbinned = watched_of(contract, features)
    rows, many = learnt.select(*columns_watched(unbinned), "outcome"), seen.good + seen.bad
    watched = with_bins(unbinned, pl.DataFrame(part_of(rows, many).toArrow()))

    def counted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blocks = (pl.DataFrame(batch).with_columns(pd=pl.lit(0.0)) for batch in batches)
        profiles = [profiled(block, watched) for block in blocks]
        if profiles:
            yield pa.RecordBatch.from_pydict({"profile": [np.sum(profiles, axis=0).ravel()]})

    parts = rows.mapInArrow(counted, "profile array<double>").toArrow()["profile"].to_pylist()
    return tuple(with_counts(watched, np.sum(parts, axis=0).reshape(-1, COUNTS)))
