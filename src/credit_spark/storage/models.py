"""The model registry: every fitted model is kept, and one is champion of each batch date."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from credit_spark.config.errors import InputError, instead_of
from credit_spark.config.tables import MODELS
from credit_spark.scoring.document import Baseline, ModelDocument
from credit_spark.storage.tables import RowsChange, Tables

ModelRow = dict[str, Any]
# Everything but the document, which is large.
FACTS = (
    "model_version",
    "fitted_as_of",
    "imbalance",
    "status",
    "champion_from",
    "gates",
    "promotions",
)


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


class Decision(NamedTuple):
    """Who made a model champion, and why."""

    by: str
    reason: str


class Promotion(NamedTuple):
    """A promotion as it is kept: from which batch date, by whom, why, when, gates overruled."""

    champion_from: str
    by: str
    reason: str
    at: str
    overruled: list[str]
    is_rollback: bool = False
    # Whom a rollback took the place of.
    instead_of: str | None = None


class ModelRegistry:
    """The models of one portfolio.

    What a run saves and promotes is written with the run's next publish; its own steps see it
    before. Fits are written before the tables, so that every score has its model; promotions after
    them, so that a run that is stopped in between trains again when it is run again. A run has one
    champion, whatever another run promotes at the same time.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._saved: dict[str, ModelRow] = {}
        self._promotions: list[RowsChange] = []
        self.document = lru_cache(maxsize=8)(self._document)
        self.champion = cache(self._champion)
        self.shadow = cache(self._shadow)

    def _document(self, version: str) -> ModelDocument:
        """The document of a model; InputError: there is no such model."""
        return ModelDocument.of(self._row(version)["document"])

    def _champion(self, as_of: date) -> ModelDocument | None:
        """The model that scores a batch date: the last one promoted on or before it."""
        promoted = self._champions(as_of)
        return self.document(max(promoted)[1]) if promoted else None

    def _shadow(self, as_of: date, champion: str) -> ModelDocument | None:
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
            and all(since > str(as_of) for since in _promoted_from(row))
        ]
        newest = max((row["fitted_as_of"] for row in waiting), default=None)
        fits = [row for row in waiting if row["fitted_as_of"] == newest]
        ordered = sorted((row["imbalance"], row["model_version"]) for row in fits)
        return self.document(ordered[0][1]) if ordered else None

    def fitted_on(self, baselines: Sequence[Baseline], contract: str, as_of: date) -> set[str]:
        """The versions that a contract, by its hash, has fitted on a batch date and on some loans.

        `baselines` are those loans' distributions.
        """
        counted = [each.model_dump(mode="json") for each in baselines]
        rows = [
            *self._table_rows(["model_version", "document"], f"fitted_as_of = date'{as_of}'"),
            *(row for row in self._saved.values() if row["fitted_as_of"] == as_of),
        ]
        documents = {str(row["model_version"]): json.loads(row["document"]) for row in rows}
        return {
            version
            for version, document in documents.items()
            if document["contract_hash"] == contract and _of_features(document) == counted
        }

    def versions(self) -> set[str]:
        """The versions of all models, of those that wait for the next publish, too."""
        return {str(row["model_version"]) for row in self._facts()}

    def newest_challenger(self, as_of: date) -> str:
        """The version of the challenger that was fitted last, on or before a batch date.

        One that is older than the champion does not count: it is promoted by name alone.

        Raises:
            InputError: there is none, or several were fitted on the same date.
        """
        champion = self.champion(as_of)
        earliest = champion.facts.as_of if champion else date.min
        fits = [
            row
            for row in self._facts()
            if row["status"] == "challenger" and earliest <= row["fitted_as_of"] <= as_of
        ]
        if not fits:
            newer = f" and is no older than the champion {champion.version}" if champion else ""
            raise InputError(
                f"there is no challenger that was fitted by {as_of}{newer}; run 'train' first, or "
                "name a model with --model"
            )
        last = max(row["fitted_as_of"] for row in fits)
        newest = {row["model_version"]: row for row in fits if row["fitted_as_of"] == last}
        if len(newest) > 1:
            named = ", ".join(f"{each} ({newest[each]['imbalance']})" for each in sorted(newest))
            raise InputError(
                f"several challengers were fitted on {last}: {named}; name one with --model"
            )
        return str(*newest)

    def save(self, document: ModelDocument, gates: list[Gate]) -> None:
        """Keep a model as a challenger from the next publish on; a known one changes nothing."""
        if document.version in self._versions():
            return
        self._tables.before_publish(self._write_fits)
        self._saved[document.version] = {
            "model_version": document.version,
            "fitted_as_of": document.facts.as_of,
            "imbalance": document.facts.imbalance,
            "status": "challenger",
            "champion_from": [],
            "promotions": "[]",
            "document": document.as_json(),
            "gates": json.dumps([{**each._asdict(), "passed": each.is_passed} for each in gates]),
        }

    def promote(
        self,
        version: str,
        as_of: date,
        decision: Decision,
        overruled: Collection[str] = (),
        *,
        is_rollback: bool = False,
    ) -> None:
        """Make a model the champion from a batch date on.

        The champions of earlier dates stay: a rerun of one finds the model that it had. The
        decision is kept with the model, and the gates that are `overruled`, too.

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
        self._tables.after_publish(self._write_promotions)
        at, left = str(datetime.now(UTC)), champion.version if champion and is_rollback else None
        made = Promotion(str(as_of), *decision, at, [*overruled], is_rollback, left)
        self._promotions.append(partial(_promoted, version, as_of, made))
        self.champion.cache_clear()

    def earlier_champion(self, as_of: date) -> str:
        """The version of the model that was champion before a batch date's champion.

        Raises:
            InputError: there was none, or there is no champion.
        """
        champions: list[str] = []
        for version, made in self._history(as_of):
            if made and made.is_rollback:
                # Whom it took the place of is gone, and with it what followed the earlier one.
                left = made.instead_of or (champions[-1] if champions else None)
                champions = [each for each in champions if each != left]
                if version in champions:
                    champions = champions[: champions.index(version)]
            champions = [*(each for each in champions if each != version), version]
        if not champions:
            raise InputError(f"no model is champion on {as_of}; see 'credit-spark models'")
        if len(champions) < 2:
            raise InputError(f"there was no other champion before that of {as_of}")
        return champions[-2]

    def _history(self, as_of: date) -> list[tuple[str, Promotion | None]]:
        """Who became champion on or before a batch date, in order, and by which promotion.

        Promotions of earlier versions of credit-spark are known by their date alone.
        """
        found: list[tuple[str, str, str, Promotion | None]] = []
        for row in self._facts():
            kept = [Promotion(**each) for each in json.loads(row["promotions"] or "[]")]
            found += [(each.champion_from, each.at, row["model_version"], each) for each in kept]
            dates = {*map(str, row["champion_from"])} - {each.champion_from for each in kept}
            found += [(since, "", row["model_version"], None) for since in dates]
        in_order = sorted(found, key=lambda each: each[:3])
        return [each[2:] for each in in_order if each[0] <= str(as_of)]

    def _champions(self, as_of: date) -> list[tuple[date, str]]:
        """Every promotion on or before a batch date: since when, and which model."""
        return [
            (since, row["model_version"])
            for row in self._facts()
            for since in row["champion_from"]
            if since <= as_of
        ]

    def gates(self, version: str) -> list[Gate]:
        """The gates of a model, as they were when it was saved."""
        kept = json.loads(self._row(version)["gates"])
        return [Gate(*[each[name] for name in Gate._fields]) for each in kept]

    def _write_fits(self) -> None:
        self._tables.rewrite(MODELS, self._with_fits, "model_version")
        self._saved.clear()

    def _write_promotions(self) -> None:
        self._tables.rewrite(MODELS, self._with_promotions, "model_version")
        self._promotions.clear()

    def _with_fits(self, rows: list[ModelRow]) -> list[ModelRow]:
        known = {row["model_version"] for row in rows}
        return [*rows, *(row for version, row in self._saved.items() if version not in known)]

    def _with_promotions(self, rows: list[ModelRow]) -> list[ModelRow]:
        for promoted in self._promotions:
            rows = promoted(rows)
        return rows

    def _facts(self) -> list[ModelRow]:
        """Facts of each model, with what waits for the next publish."""
        return self._with_promotions(self._with_fits(self._table_rows(FACTS)))

    def _row(self, version: str) -> ModelRow:
        if version in self._saved:
            return self._saved[version]
        columns = ["document", "fitted_as_of", "gates"]
        for row in self._table_rows(columns, F.col("model_version") == version):
            return row
        known = instead_of(version, self._versions())
        raise InputError(f"there is no model '{version}'; {known}")

    def _table_rows(
        self, columns: Collection[str], where: Column | str | None = None
    ) -> list[ModelRow]:
        return self._tables.rows(MODELS, columns, where) if self._tables.exists(MODELS) else []

    def _versions(self) -> list[str]:
        return [
            *(row["model_version"] for row in self._table_rows(["model_version"])),
            *self._saved,
        ]


def _of_features(document: dict[str, Any]) -> list[Any]:
    """A document's distributions of the training loans, but for that of its own score."""
    return [each for each in document.get("baselines", ()) if each["role"] != "score"]


def _promoted(
    version: str, as_of: date, promotion: Promotion, rows: list[ModelRow]
) -> list[ModelRow]:
    """All rows after a promotion; of two from the same date, the later call counts."""
    latest = max([as_of, *(since for row in rows for since in row["champion_from"])])
    changed = []
    for row in rows:
        dates = {since for since in row["champion_from"] if since != as_of}
        own: ModelRow = {}
        if row["model_version"] == version:
            dates.add(as_of)
            own = _with_promotion(row, promotion)
        was_champion = bool(dates or json.loads(row["promotions"] or "[]"))
        status = "champion" if latest in dates else "retired" if was_champion else "challenger"
        changed.append({**row, **own, "champion_from": sorted(dates), "status": status})
    return changed


def _promoted_from(row: ModelRow) -> set[str]:
    """The batch dates that a model was ever promoted from, also where another followed it there."""
    kept = json.loads(row["promotions"] or "[]")
    return {*map(str, row["champion_from"]), *(each["champion_from"] for each in kept)}


def _with_promotion(row: ModelRow, promotion: Promotion) -> ModelRow:
    """The gates and promotions of a model's row, with one more promotion."""
    gates = json.loads(row["gates"])
    for gate in gates:
        if gate["name"] in promotion.overruled:
            gate["overruled"] = {"reason": promotion.reason, "as_of": promotion.champion_from}
    made = [*json.loads(row["promotions"] or "[]"), promotion._asdict()]
    return {"gates": json.dumps(gates), "promotions": json.dumps(made)}
