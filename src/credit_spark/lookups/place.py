"""A portfolio's contract and tables, as a command that only reads has them."""

from datetime import date
from typing import Any

from credit_spark.contract.models import Contract
from credit_spark.scoring.document import ModelDocument
from credit_spark.settings import contract_and_settings
from credit_spark.storage.reader import TableReader


def opened(**flags: Any) -> tuple[Contract, TableReader]:
    """The portfolio's contract and its tables, of the flags of `of_a_portfolio`."""
    contract, settings = contract_and_settings(**flags)
    folder = f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}"
    return contract, TableReader(folder)


def document_of(reader: TableReader, version: str | None, as_of: date | None) -> ModelDocument:
    """A model by its version, or the one that scored a night."""
    if version:
        return reader.document(version)
    return reader.model_of(as_of or reader.latest())
