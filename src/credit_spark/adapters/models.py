"""The one adapter to fitted models: each fit is kept, and one is champion on any night."""

import json
from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from pyspark.sql import Row, Window
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
        nights = self._tables.read(MODELS).select("document", F.explode("champion_from"))
        until = nights.where(F.col("col") <= F.lit(as_of))
        last = until.orderBy(F.desc("col")).first()
        return ModelDocument.of(last["document"]) if last else None

    def document(self, version: str) -> ModelDocument:
        """A fit's document.

        Raises:
            InputError: there is no such fit.
        """
        for champion in self._champions.values():
            if champion and champion.version == version:
                return champion
        return ModelDocument.of(self._row(version)["document"])

    def newest_challenger(self, as_of: date) -> str:
        """The version of the challenger that was fitted last, on or before a night.

        Raises:
            InputError: there is none, or several were fitted on the same night.
        """
        challengers = self._tables.read(MODELS).where("status = 'challenger'")
        fits = challengers.where(F.col("fitted_as_of") <= F.lit(as_of))
        newest = fits.select(
            F.rank()
            .over(Window.partitionBy(F.lit(0)).orderBy(F.desc("fitted_as_of")))
            .alias("nth"),
            "model_version",
            "treatment",
        )
        rows = newest.where("nth = 1").orderBy("model_version").collect()
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
        fits = self._tables.read(MODELS).where(F.col("fitted_as_of") <= F.lit(as_of))
        known = {
            row["model_version"]: row
            for row in fits.select(
                "model_version", "fitted_as_of", "treatment", "champion_from"
            ).collect()
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
        night = f"date'{as_of}'"
        # Of two made champion from the same night, the later call stands.
        others = f"array_remove(champion_from, {night})"
        nights = (
            f"case when model_version = '{version}' "
            f"then array_sort(array_append({others}, {night})) else {others} end"
        )
        latest = f"date'{max(as_of, self._latest_promotion() or as_of)}'"
        status = (
            f"case when array_contains({nights}, {latest}) then 'champion' "
            f"when size({nights}) > 0 then 'retired' else 'challenger' end"
        )
        changes = {"champion_from": nights, "status": status}
        if overruled:
            text = self._overruled(version, overruled, reason, as_of)
            changes["gates"] = f"case when model_version = '{version}' then {text} else gates end"
        self._tables.update(MODELS, changes)
        self._champions.clear()

    def _overruled(self, version: str, gates: Collection[str], reason: str, as_of: date) -> str:
        """A fit's gates as a literal of Spark's SQL, with what was overruled."""
        kept = json.loads(self._row(version)["gates"])
        for each in kept:
            if each["name"] in gates:
                each["overruled"] = {"reason": reason, "as_of": str(as_of)}
        text = json.dumps(kept).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{text}'"

    def gates(self, version: str) -> list[Gate]:
        """The gates of a fit, as they were judged when it was saved."""
        kept = json.loads(self._row(version)["gates"])
        return [Gate(*[each[name] for name in Gate._fields]) for each in kept]

    def _row(self, version: str) -> Row:
        row = self._tables.read(MODELS).where(F.col("model_version") == version).first()
        if row is None:
            known = instead_of(version, self._versions())
            raise InputError(f"there is no model '{version}'; {known}")
        return row

    def _latest_promotion(self) -> date | None:
        last = F.max(F.array_max("champion_from")).alias("latest")
        row = self._tables.read(MODELS).agg(last).first()
        return row["latest"] if row else None

    def _versions(self) -> list[str]:
        rows = self._tables.read(MODELS).select("model_version").collect()
        return [row["model_version"] for row in rows]
