"""A portfolio's contract and tables, as a command that only reads has them."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

from credit_spark.contract.loading import find_contract, load_contract
from credit_spark.contract.models import Contract
from credit_spark.scoring.document import ModelDocument
from credit_spark.settings import Settings, resolve
from credit_spark.storage.reader import TableReader


class Place(NamedTuple):
    """A portfolio, and where its tables stand."""

    contract: Contract
    reader: TableReader


def place_of(
    portfolio: str, warehouse: str | None, settings_file: Path | None, project: Path
) -> Place:
    """The portfolio's contract and tables."""
    contract, settings = contract_and_settings(portfolio, warehouse, settings_file, project)
    folder = f"{settings.storage.warehouse.rstrip('/')}/{contract.portfolio}"
    return Place(contract, TableReader(folder))


def contract_and_settings(
    portfolio: str, warehouse: str | None, settings_file: Path | None, project: Path
) -> tuple[Contract, Settings]:
    """What the flags of a command that reads a portfolio's tables stand for."""
    contract = load_contract(find_contract(portfolio, project / "conf/portfolios"))
    storage = {} if warehouse is None else {"warehouse": warehouse}
    return contract, resolve(project / "conf/base.yml", settings_file, {"storage": storage})


def document_of(place: Place, version: str | None, as_of: date | None) -> ModelDocument:
    """A model by its version, or the one that scored a night."""
    if version:
        return place.reader.document(version)
    return place.reader.model_of(as_of or place.reader.latest())
