"""A portfolio's contract and tables, as a command that only reads has them."""

from datetime import date
from typing import Any, NamedTuple

from credit_spark.contract.models import Contract
from credit_spark.scoring.document import ModelDocument
from credit_spark.settings import contract_and_settings
from credit_spark.storage.reader import TableReader


class Place(NamedTuple):
    """A portfolio, and where its tables stand."""

    contract: Contract
    reader: TableReader


def place_of(**flags: Any) -> Place:
    """The portfolio's contract and tables, of the flags of `of_a_portfolio`."""
    contract, settings = contract_and_settings(**flags)
    folder = f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}"
    return Place(contract, TableReader(folder))


def document_of(place: Place, version: str | None, as_of: date | None) -> ModelDocument:
    """A model by its version, or the one that scored a night."""
    if version:
        return place.reader.document(version)
    return place.reader.model_of(as_of or place.reader.latest())
