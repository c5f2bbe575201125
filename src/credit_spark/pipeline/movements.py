"""Loans of this batch date beside the earlier one's -> what moved their points."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import loans
from credit_spark.modelling.movement import Models, moved
from credit_spark.modelling.quantiles import sample_by_id
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.measure import version_of
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.frames import kinds_of
from credit_spark.storage.tables import Tables

# Of more loans, a sample by a hash of their ids represents all.
MOST_COMPARED = 500_000
# Spark's error condition.
LOST_FILE = "FILE_NOT_EXIST"


class Earlier(NamedTuple):
    """A batch date before this one, and how many loans it accepted."""

    as_of: date
    accepted: int


def score_changes(
    run: RunContext, document: ModelDocument, last: Earlier
) -> list[Mapping[str, Any]]:
    """What moved the scores, as rows of the table; none where the earlier date has lost a file."""
    try:
        return [*_rows(run, document, last)]
    except (PySparkException, Py4JJavaError) as error:
        if LOST_FILE not in str(error):
            raise
        run.log.event("earlier date not read", error=type(error).__name__)
        run.log.trace(error)
        return []


def _rows(run: RunContext, document: ModelDocument, last: Earlier) -> Iterator[Mapping[str, Any]]:
    """What moved the scores of loans that both dates have; nothing where there are none."""
    before = run.tables.of_date(last.as_of)
    try:
        earlier = _compared(run, before, last)
        old = run.models.document(version_of(before, run.contract))
    except InputError:
        return
    segments = [each for each in document.watched if each.role == "segment"]
    models = Models(old, document, kinds_of(run.contract))
    for each in moved(earlier, _compared(run, run.tables, last), models, segments):
        yield {
            "model_version": document.version,
            "since": last.as_of,
            "last_model_version": old.version,
            "part": each.part,
            "loans": each.loans,
            "by_inputs": each.inputs / each.loans,
            "by_model": each.model / each.loans,
        }


def _compared(run: RunContext, tables: Tables, last: Earlier) -> DataFrame:
    """The loans of a date that are compared: the same sample of ids on both."""
    columns = ("loan_id", *run.contract.columns)
    found = tables.read(loans(run.contract), "clean").select(*columns)
    return sample_by_id(found, last.accepted, MOST_COMPARED)
