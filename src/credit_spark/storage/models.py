"""The model registry: every fitted model is kept, and one is champion of each batch date."""

import json
from collections.abc import Collection, Iterable
from datetime import date
from functools import reduce
from typing import Any, NamedTuple

from credit_spark.contract.errors import InputError, instead_of
from credit_spark.contract.tables import MODELS
from credit_spark.scoring.document import ModelDocument
from credit_spark.storage.tables import Tables

ModelRow = dict[str, Any]
# Everything but the document, which is large.
FACTS = ("model_version", "fitted_as_of", "treatment", "status", "champion_from", "gates")


class Gate(NamedTuple):
    """A bound that a model must keep before it goes live, and the value that was measured."""

    name: str
    lowest: float
    highest: float
    seen: float | None

    @property
    def is_passed(self) -> bool:
        """Whether the value lies within the bounds; an unknown value does not."""
        return self.seen is not None and self.lowest <= self.seen <= self.highest

    def __str__(self) -> str:
        """The gate as part of a sentence."""
        seen = "unknown" if self.seen is None else f"{self.seen:.3f}"
        bounds = f"allowed {self.lowest:g} to {self.highest:g}"
        return f"{self.name} is {seen}, {bounds}{self._beyond()}"

    def _beyond(self) -> str:
        if self.seen is None or self.is_passed:
            return ""
        if self.seen < self.lowest:
            return f": {self.lowest - self.seen:.2g} too low"
        return f": {self.seen - self.highest:.2g} too high"


class Promotion(NamedTuple):
    """A model that becomes champion from a batch date on, and the gates that do not count."""

    version: str
    as_of: date
    overruled: Collection[str]
    reason: str


class Models:
    """The models of one portfolio.

    What a run saves and promotes is written with the run's next publish; its own steps see it
    before. A model that fails its gates is written at once: it changes nothing that is published.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._saved: dict[str, ModelRow] = {}
        self._promotions: list[Promotion] = []
        # A run has one champion, whatever another run promotes at the same time.
        self._champions: dict[date, ModelDocument | None] = {}
        self._shadows: dict[tuple[date, str], ModelDocument | None] = {}

    def champion(self, as_of: date) -> ModelDocument | None:
        """The model that scores a batch date: the last one promoted on or before it."""
        if as_of not in self._champions:
            self._champions[as_of] = self._read_champion(as_of)
        return self._champions[as_of]

    def _read_champion(self, as_of: date) -> ModelDocument | None:
        promoted = [
            (since, row["model_version"])
            for row in self._facts()
            for since in row["champion_from"]
            if since <= as_of
        ]
        return self.document(max(promoted)[1]) if promoted else None

    def document(self, version: str) -> ModelDocument:
        """The document of a model.

        Raises:
            InputError: there is no such model.
        """
        for champion in self._champions.values():
            if champion and champion.version == version:
                return champion
        return ModelDocument.of(self._row(version)["document"])

    def fitted_by(self, contract: str, as_of: date) -> set[str]:
        """The versions that a contract, by its hash, has fitted on a batch date."""
        rows = [
            *self._table_rows(["model_version", "document"], f"fitted_as_of = date'{as_of}'"),
            *(row for row in self._saved.values() if row["fitted_as_of"] == as_of),
        ]
        return {
            str(row["model_version"])
            for row in rows
            if json.loads(row["document"])["contract_hash"] == contract
        }

    def newest_challenger(self, as_of: date) -> str:
        """The version of the challenger that was fitted last, on or before a batch date.

        Raises:
            InputError: there is none, or several were fitted on the same date.
        """
        fits = [
            row
            for row in self._facts()
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
            raise InputError(
                f"several challengers were fitted on {last}: {named}; name one with --model"
            )
        return str(rows[0]["model_version"])

    def shadow(self, as_of: date, champion: str) -> ModelDocument | None:
        """The challenger that scores a batch date beside its champion; a run has one at most."""
        if (as_of, champion) not in self._shadows:
            self._shadows[as_of, champion] = self._read_shadow(as_of, champion)
        return self._shadows[as_of, champion]

    def _read_shadow(self, as_of: date, champion: str) -> ModelDocument | None:
        """The challenger that scores a batch date beside its champion; None: there is none.

        The newest fit by then that is no older than the champion and was not champion yet; of
        several of one date, the first by imbalance strategy. A rerun finds the same, whatever was
        promoted since.
        """
        known = {row["model_version"]: row for row in self._facts() if row["fitted_as_of"] <= as_of}
        waiting = [
            row
            for row in known.values()
            if row["fitted_as_of"] >= known[champion]["fitted_as_of"]
            and all(since > as_of for since in row["champion_from"])
        ]
        newest = max((row["fitted_as_of"] for row in waiting), default=None)
        of_one_date = [row for row in waiting if row["fitted_as_of"] == newest]
        first = min(
            of_one_date, key=lambda row: (row["treatment"], row["model_version"]), default=None
        )
        return self.document(first["model_version"]) if first else None

    def save(self, document: ModelDocument, gates: list[Gate]) -> None:
        """Keep a model as a challenger from the next publish on; a known one changes nothing."""
        if document.version in self._versions():
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
        self._tables.with_publish(self._publish)
        self._saved[document.version] = row

    def promote(
        self, version: str, as_of: date, overruled: Collection[str] = (), reason: str = ""
    ) -> None:
        """Make a model the champion from a batch date on.

        The champions of earlier dates stay: a rerun of one finds the model that it had. The gates
        that are `overruled` are kept with the reason and the date.

        Raises:
            InputError: there is no such model, or it was fitted after the date.
        """
        fitted_as_of = self._row(version)["fitted_as_of"]
        if fitted_as_of > as_of:
            raise InputError(
                f"the model {version} was fitted on {fitted_as_of}: on {as_of} it did not exist"
            )
        champion = self.champion(as_of)
        if champion and champion.version == version:
            return
        self._tables.with_publish(self._publish)
        self._promotions.append(Promotion(version, as_of, overruled, reason))
        self._champions.clear()

    def gates(self, version: str) -> list[Gate]:
        """The gates of a model, as they were when it was saved."""
        kept = json.loads(self._row(version)["gates"])
        return [Gate(*[each[name] for name in Gate._fields]) for each in kept]

    def _publish(self) -> None:
        self._tables.rewrite(MODELS, self._changed, "model_version")
        self._saved.clear()
        self._promotions.clear()

    def _changed(self, rows: list[ModelRow]) -> list[ModelRow]:
        """Rows of the table with what waits for the next publish."""
        return reduce(_promoted, self._promotions, _with(rows, self._saved.values()))

    def _facts(self) -> list[ModelRow]:
        return self._changed(self._table_rows(FACTS))

    def _row(self, version: str) -> ModelRow:
        if version in self._saved:
            return self._saved[version]
        columns = ["document", "fitted_as_of", "gates"]
        quoted = version.replace("'", "")
        rows = self._table_rows(columns, f"model_version = '{quoted}'")
        if not rows:
            known = instead_of(version, self._versions())
            raise InputError(f"there is no model '{version}'; {known}")
        return rows[0]

    def _table_rows(self, columns: Collection[str], where: str | None = None) -> list[ModelRow]:
        if not self._tables.exists(MODELS):
            return []
        return self._tables.rows(MODELS, columns, where)

    def _versions(self) -> list[str]:
        rows = self._table_rows(["model_version"])
        return [*(row["model_version"] for row in rows), *self._saved]


def _with(rows: list[ModelRow], saved: Iterable[ModelRow]) -> list[ModelRow]:
    known = {row["model_version"] for row in rows}
    return [*rows, *(row for row in saved if row["model_version"] not in known)]


def _promoted(rows: list[ModelRow], promotion: Promotion) -> list[ModelRow]:
    """All rows after a promotion; of two from the same date, the later call counts."""
    as_of = promotion.as_of
    latest = max([as_of, *(since for row in rows for since in row["champion_from"])])

    def changed(row: ModelRow) -> ModelRow:
        others = [since for since in row["champion_from"] if since != as_of]
        is_promoted = row["model_version"] == promotion.version
        dates = sorted([*others, as_of]) if is_promoted else others
        status = "champion" if latest in dates else "retired" if dates else "challenger"
        gates = _overruled(row["gates"], promotion) if is_promoted else row["gates"]
        return {**row, "champion_from": dates, "status": status, "gates": gates}

    return [changed(row) for row in rows]


def _overruled(gates: str, promotion: Promotion) -> str:
    """A model's gates, as JSON, with what was overruled."""
    if not promotion.overruled:
        return gates
    kept = json.loads(gates)
    for each in kept:
        if each["name"] in promotion.overruled:
            each["overruled"] = {"reason": promotion.reason, "as_of": str(promotion.as_of)}
    return json.dumps(kept)
