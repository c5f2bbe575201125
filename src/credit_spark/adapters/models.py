"""The one adapter to fitted models: each fit is kept, and one is champion on any night."""

import json
from datetime import date
from typing import NamedTuple

from pyspark.sql import functions as F

from credit_spark.adapters.tables import Tables
from credit_spark.contract.errors import InputError
from credit_spark.contract.names import instead_of
from credit_spark.contract.tables import MODELS
from credit_spark.modelling.document import ModelDocument


class Gate(NamedTuple):
    """A bound that a fit must keep to before it goes live, and what was seen."""

    name: str
    lowest: float
    highest: float
    seen: float | None

    @property
    def is_passed(self) -> bool:
        """Whether what was seen lies within the bounds; unknown does not."""
        return self.seen is not None and self.lowest <= self.seen <= self.highest

    def __str__(self) -> str:
        """Say the gate as part of a sentence."""
        seen = "unknown" if self.seen is None else f"{self.seen:.3f}"
        return f"{self.name} is {seen}, allowed {self.lowest:g} to {self.highest:g}"


class Models:
    """The fits of one portfolio."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def champion(self, as_of: date) -> ModelDocument | None:
        """The model that scores a night: the last one promoted on or before it."""
        if not self._tables.exists(MODELS):
            return None
        promoted = self._tables.read(MODELS).where(F.col("promoted_as_of") <= F.lit(as_of))
        last = promoted.orderBy(F.desc("promoted_as_of"), "model_version").first()
        return ModelDocument.model_validate_json(last["document"]) if last else None

    def save(self, document: ModelDocument, gates: list[Gate]) -> None:
        """Keep a fit as a challenger; the same fit again leaves what is there."""
        if self._tables.exists(MODELS) and document.version in self._versions():
            return
        row = {
            "model_version": document.version,
            "fitted_as_of": document.facts.as_of,
            "treatment": document.facts.treatment,
            "status": "challenger",
            "document": document.as_json(),
            "gates": json.dumps([{**each._asdict(), "passed": each.is_passed} for each in gates]),
        }
        self._tables.append(MODELS, [row])

    def promote(self, version: str, as_of: date) -> None:
        """Make a fit the champion from a night on, in one commit; a champion stays what it is.

        Raises:
            InputError: there is no such fit.
        """
        known = self._versions()
        if version not in known:
            raise InputError(f"there is no model '{version}'; {instead_of(version, known)}")
        champion = self.champion(as_of)
        if champion and champion.version == version:
            return
        night, chosen = f"date'{as_of}'", f"model_version = '{version}'"
        # Of two promoted from the same night, the later call stands.
        promoted = (
            f"case when {chosen} then {night} "
            f"when promoted_as_of = {night} then null else promoted_as_of end"
        )
        latest = self._latest_promotion()
        crowned = "retired" if latest and latest > as_of else "champion"
        others = "status" if crowned == "retired" else "'retired'"
        status = (
            f"case when {chosen} then '{crowned}' "
            f"when promoted_as_of is null then 'challenger' "
            f"when promoted_as_of = {night} then 'challenger' else {others} end"
        )
        self._tables.update(MODELS, {"promoted_as_of": promoted, "status": status})

    def gates(self, version: str) -> list[Gate]:
        """The gates of a fit, as they were judged when it was saved."""
        row = self._tables.read(MODELS).where(F.col("model_version") == version).first()
        kept = json.loads(row["gates"]) if row else []
        return [Gate(*[each[name] for name in Gate._fields]) for each in kept]

    def _latest_promotion(self) -> date | None:
        row = self._tables.read(MODELS).agg(F.max("promoted_as_of").alias("latest")).first()
        return row["latest"] if row else None

    def _versions(self) -> list[str]:
        rows = self._tables.read(MODELS).select("model_version").collect()
        return [row["model_version"] for row in rows]
