"""The one adapter to fitted models: each fit is kept, and one is champion on any night."""

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, NamedTuple

import pyarrow.compute as pc

from credit_spark.contract.errors import InputError
from credit_spark.contract.names import instead_of
from credit_spark.contract.tables import MODELS
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.tables import Tables

# Of a fit, all but its texts.
FACTS = ("model_version", "fitted_as_of", "treatment", "status", "champion_from")


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
        bounds = f"allowed {self.lowest:g} to {self.highest:g}"
        return f"{self.name} is {seen}, {bounds}{self._beyond()}"

    def _beyond(self) -> str:
        if self.seen is None or self.is_passed:
            return ""
        if self.seen < self.lowest:
            return f": {self.lowest - self.seen:.2g} too low"
        return f": {self.seen - self.highest:.2g} too high"


class Models:
    """The fits of one portfolio."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        # A run has one champion, whoever promotes another meanwhile.
        self._champions: dict[date, ModelDocument | None] = {}

    def champion(self, as_of: date) -> ModelDocument | None:
        """The model that scores a night: the last one made champion on or before it."""
        if as_of not in self._champions:
            self._champions[as_of] = self._read_champion(as_of)
        return self._champions[as_of]

    def _read_champion(self, as_of: date) -> ModelDocument | None:
        if not self._tables.exists(MODELS):
            return None
        nights = [
            (night, row["model_version"])
            for row in self._tables.rows(MODELS, ["model_version", "champion_from"])
            for night in row["champion_from"]
            if night <= as_of
        ]
        return ModelDocument.of(self._row(max(nights)[1])["document"]) if nights else None

    def document(self, version: str) -> ModelDocument:
        """A fit's document.

        Raises:
            InputError: there is no such fit.
        """
        for champion in self._champions.values():
            if champion and champion.version == version:
                return champion
        return ModelDocument.of(self._row(version)["document"])

    def fitted_by(self, contract: str, as_of: date) -> set[str]:
        """The versions that a contract, by its hash, has fitted on a night."""
        if not self._tables.exists(MODELS):
            return set()
        tonight = pc.field("fitted_as_of") == as_of
        rows = self._tables.rows(MODELS, ["model_version", "document"], tonight)
        return {
            str(row["model_version"])
            for row in rows
            if json.loads(row["document"])["contract_hash"] == contract
        }

    def newest_challenger(self, as_of: date) -> str:
        """The version of the challenger that was fitted last, on or before a night.

        Raises:
            InputError: there is none, or several were fitted on the same night.
        """
        fits = [
            row
            for row in self._tables.rows(MODELS, FACTS)
            if row["status"] == "challenger" and row["fitted_as_of"] <= as_of
        ]
        last = max((row["fitted_as_of"] for row in fits), default=None)
        newest = [row for row in fits if row["fitted_as_of"] == last]
        rows = sorted(newest, key=lambda row: str(row["model_version"]))
        if not rows:
            raise InputError(
                f"there is no challenger that was fitted by {as_of}; run 'train' first"
            )
        if len(rows) > 1:
            named = ", ".join(f"{row['model_version']} ({row['treatment']})" for row in rows)
            raise InputError(f"several fits of one night wait: {named}; name one with --model")
        return str(rows[0]["model_version"])

    def shadow(self, as_of: date, champion: str) -> ModelDocument | None:
        """The challenger that scores a night in the shadow of its champion, if one waits.

        The newest fit by then that is no older than the champion and was not champion yet; of
        several of one night, the first by treatment. A rerun finds the same, whatever was made
        champion since.
        """
        known = {
            row["model_version"]: row
            for row in self._tables.rows(MODELS, FACTS)
            if row["fitted_as_of"] <= as_of
        }
        waiting = [
            row
            for row in known.values()
            if row["fitted_as_of"] >= known[champion]["fitted_as_of"]
            and all(night > as_of for night in row["champion_from"])
        ]
        newest = max((row["fitted_as_of"] for row in waiting), default=None)
        of_one_night = [row for row in waiting if row["fitted_as_of"] == newest]
        first = min(
            of_one_night, key=lambda row: (row["treatment"], row["model_version"]), default=None
        )
        return self.document(first["model_version"]) if first else None

    def save(self, document: ModelDocument, gates: list[Gate]) -> None:
        """Keep a fit as a challenger; the same fit again leaves what is there."""
        if self._tables.exists(MODELS) and document.version in self._versions():
            return
        row = {
            "model_version": document.version,
            "fitted_as_of": document.facts.as_of,
            "treatment": document.facts.treatment,
            "status": "challenger",
            "champion_from": [],
            "document": document.as_json(),
            "gates": json.dumps([{**each._asdict(), "passed": each.is_passed} for each in gates]),
        }
        self._tables.append(MODELS, [row])

    def promote(
        self, version: str, as_of: date, overruled: Collection[str] = (), reason: str = ""
    ) -> None:
        """Make a fit the champion from a night on, in one commit; a champion stays what it is.

        What was champion on earlier nights stays so: a rerun of one finds the model it had. With
        the fit's gates that are `overruled` is kept why, and on which night.

        Raises:
            InputError: there is no such fit, or it was fitted after the night.
        """
        fitted_as_of = self._row(version)["fitted_as_of"]
        if fitted_as_of > as_of:
            raise InputError(
                f"the model {version} was fitted on {fitted_as_of}: on {as_of} nobody had it"
            )
        champion = self.champion(as_of)
        if champion and champion.version == version:
            return

        # Of two made champion from the same night, the later call stands.
        def changed(row: Mapping[str, Any]) -> dict[str, Any]:
            others = [night for night in row["champion_from"] if night != as_of]
            is_asked = row["model_version"] == version
            nights = sorted([*others, as_of]) if is_asked else others
            status = "champion" if latest in nights else "retired" if nights else "challenger"
            gates = _overruled(row["gates"], overruled, reason, as_of) if is_asked else row["gates"]
            return {"champion_from": nights, "status": status, "gates": gates}

        latest = max(as_of, self._latest_promotion() or as_of)
        self._tables.rewrite(MODELS, changed)
        self._champions.clear()

    def gates(self, version: str) -> list[Gate]:
        """The gates of a fit, as they were judged when it was saved."""
        kept = json.loads(self._row(version)["gates"])
        return [Gate(*[each[name] for name in Gate._fields]) for each in kept]

    def _row(self, version: str) -> dict[str, Any]:
        columns = ["document", "fitted_as_of", "gates"]
        rows = self._tables.rows(MODELS, columns, pc.field("model_version") == version)
        if not rows:
            known = instead_of(version, self._versions())
            raise InputError(f"there is no model '{version}'; {known}")
        return rows[0]

    def _latest_promotion(self) -> date | None:
        rows = self._tables.rows(MODELS, ["champion_from"])
        return max((night for row in rows for night in row["champion_from"]), default=None)

    def _versions(self) -> list[str]:
        return [row["model_version"] for row in self._tables.rows(MODELS, ["model_version"])]


def _overruled(gates: str, names: Collection[str], reason: str, as_of: date) -> str:
    """A fit's gates, as JSON, with what was overruled."""
    if not names:
        return gates
    kept = json.loads(gates)
    for each in kept:
        if each["name"] in names:
            each["overruled"] = {"reason": reason, "as_of": str(as_of)}
    return json.dumps(kept)
