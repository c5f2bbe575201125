"""The model document: all that scoring needs, as one JSON text, and nothing of Spark in it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise, repeat
from math import exp
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from credit_spark.config.errors import InputError
from credit_spark.config.models import Contract, FrozenModel, ImbalanceStrategy, Reference
from credit_spark.config.tables import MISSING, OTHER
from credit_spark.features.columns import ABSENT, label_of
from credit_spark.scoring.inputs import Inputs, differences

# 6: `imbalance` and `baselines`, which were `treatment` and `watched`.
FORMAT = 6
# Formats before it, which are read, too: that with the old names, and that with a policy.
WITH_OLD_NAMES, WITH_POLICY = 5, 4


RENAMED = {"treatment": "imbalance", "watched": "baselines"}


class Level(FrozenModel):
    """One text of a categorical feature, or one bin: an indicator, scaled like a number.

    `members` are the texts of the contract's feature that it represents, where it is a bin of them.
    `place` is the order of a bin of numbers; bins of missing and special values have none.
    """

    text: str
    mean: float
    deviation: float
    coefficient: float
    members: tuple[str, ...] = ()
    place: int | None = None

    @property
    def slope(self) -> float:
        """Change of the log-odds where the feature has this text."""
        return self.coefficient / self.deviation if self.deviation else 0.0


class Number(FrozenModel):
    """A numeric feature: (value - mean) / deviation * coefficient, with `imputed` for null.

    `missing` is the indicator of a missing value, where the model has one: it adds its slope to the
    term of `imputed`. `low` and `high` are the ends of the middle nine tenths of the values.
    """

    kind: Literal["number"] = "number"
    name: str
    sql: str
    imputed: float
    mean: float
    deviation: float
    coefficient: float
    low: float | None = None
    high: float | None = None
    missing: Level | None = None

    @property
    def slope(self) -> float:
        """Change of the log-odds by one unit of the value."""
        return self.coefficient / self.deviation if self.deviation else 0.0

    @property
    def shift(self) -> float:
        """What is taken off the term of a known value, so that the mean term is zero."""
        return self.missing.slope * self.missing.mean if self.missing else 0.0

    @property
    def of_missing(self) -> float:
        """Term of a missing value."""
        added = self.missing.slope if self.missing else 0.0
        return (self.imputed - self.mean) * self.slope - self.shift + added

    def reference(self, against: Reference) -> tuple[float, float]:
        """The value that reasons hold a loan against, and its term."""
        if against == "mean":
            return self.mean, 0.0
        ends = [self.mean if end is None else end for end in (self.low, self.high)]
        best = min(ends, key=lambda end: (end - self.mean) * self.slope)
        return best, (best - self.mean) * self.slope - self.shift


class Category(FrozenModel):
    """A categorical feature, or a binned one; any other text has the term of no level.

    `home` is the place of the bin that the mean of a number is in.
    """

    kind: Literal["category"] = "category"
    name: str
    sql: str
    levels: tuple[Level, ...]
    home: int | None = None

    @property
    def unseen(self) -> float:
        """Term of a text that training has not seen."""
        return -sum(level.slope * level.mean for level in self.levels)

    def reference(self, against: Reference) -> tuple[int | None, float]:
        """The place of the bin that reasons hold a loan against, and its term."""
        if against == "mean":
            return self.home, 0.0
        # What is missing or special lies on no side of any value.
        placed = [each for each in self.levels if each.place is not None]
        found = min(placed or self.levels, key=lambda each: each.slope, default=None)
        return (found.place, self.unseen + found.slope) if found else (None, self.unseen)


Term = Annotated[Number | Category, Field(discriminator="kind")]


def slots_of(term: Number | Category) -> Sequence[Number | Level]:
    """The parts of a term that stand for a slot of the fit's vector, in order."""
    if isinstance(term, Category):
        return term.levels
    return [term, *([term.missing] if term.missing else [])]


def multiplied(term: Number | Category, factors: Iterator[float]) -> Number | Category:
    """The same with coefficients multiplied, each by the next factor.

    A number has one, then its missing indicator; a category one for each level.
    """

    def level(given: Level) -> Level:
        return given.model_copy(update={"coefficient": given.coefficient * next(factors)})

    if isinstance(term, Category):
        return term.model_copy(update={"levels": tuple(map(level, term.levels))})
    own: dict[str, Any] = {"coefficient": term.coefficient * next(factors)}
    if term.missing:
        own["missing"] = level(term.missing)
    return term.model_copy(update=own)


class LeftOut(FrozenModel):
    """A feature of the contract that the fit could not use, and why."""

    name: str
    why: str


class Facts(FrozenModel):
    """What the model was fitted on."""

    as_of: date
    imbalance: ImbalanceStrategy
    rows: int
    good: int
    bad: int
    out_of_time_from: date | None
    folds: int
    seed: int
    regularisation: float
    elastic_net: float
    # Not known of a fit by an earlier version.
    performance_months: int | None = None


class HeldOut(FrozenModel):
    """The model's AUC on held-out folds."""

    auc: float | None


class Recalibration(FrozenModel):
    """The line from a fit's log-odds to the observed log-odds of held-out loans."""

    intercept: float = 0.0
    slope: float = 1.0

    def pd(self, log_odds: float) -> float:
        """The PD that log-odds of a fit come to."""
        return 1 / (1 + exp(-(self.intercept + self.slope * log_odds)))


Role = Literal["score", "feature", "segment", "analysis"]


class Baseline(FrozenModel):
    """What is counted batch by batch: where its bins lie, and the training loans in each.

    The bins of a number begin at its `edges`, but the first; those of a text are its `levels`, then
    all other texts. Last comes the bin of what is missing. `bads` are those of `counts` that are.
    """

    role: Role
    name: str
    sql: str
    edges: tuple[float, ...] | None = None
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    bads: tuple[int, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether it is a text."""
        return self.edges is None

    @property
    def labels(self) -> list[str]:
        """What the bins are called, in order."""
        if self.edges is None:
            return [*map(label_of, self.levels), OTHER, MISSING]
        if not self.edges:
            return ["any value", MISSING]
        ends = [f"{each:,.12g}" for each in self.edges]
        between = [f"{low} to {high}" for low, high in pairwise(ends)]
        return [f"below {ends[0]}", *between, f"from {ends[-1]}", MISSING]


class ModelDocument(FrozenModel):
    """A fitted model. What a lender decides by it, and how it is worded, is in the Policy.

    log-odds of bad = recalibration.intercept + recalibration.slope
        * (intercept - offset + the sum of the features' terms)
    """

    format: int = FORMAT
    portfolio: str
    contract_hash: str
    features: tuple[Term, ...]
    left_out: tuple[LeftOut, ...]
    intercept: float
    offset: float
    recalibration: Recalibration = Recalibration()
    inputs: Inputs | None = None
    baselines: tuple[Baseline, ...] = ()
    held_out: HeldOut | None = None
    facts: Facts
    known_as: str | None = None

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that are the same for the same model and no other.

        A document that an earlier version has written keeps the version that it was stored under.
        """
        return self.known_as or hashlib.sha256(self.as_json().encode()).hexdigest()[:12]

    @property
    def constant(self) -> float:
        """Log-odds of bad where every term is zero."""
        line = self.recalibration
        return line.intercept + line.slope * (self.intercept - self.offset)

    @property
    def terms(self) -> tuple[Number | Category, ...]:
        """The features with recalibrated coefficients: what each adds to the constant."""
        slope = repeat(self.recalibration.slope)
        return tuple(multiplied(each, slope) for each in self.features)

    @property
    def balanced_even_odds(self) -> float:
        """The calibrated PD of a loan that the fit gave even odds before calibration."""
        return self.recalibration.pd(-self.offset)

    def changed_inputs(self, contract: Contract) -> list[str]:
        """What differs between the inputs of the fit, where they are known, and a contract's."""
        return differences(self.inputs, contract) if self.inputs else []

    @classmethod
    def of(cls, text: str) -> Self:
        """The document that was stored as a text.

        Raises:
            InputError: another version of credit-spark wrote it.
        """
        given = json.loads(text)
        version = given.get("known_as") or hashlib.sha256(text.encode()).hexdigest()[:12]
        if given["format"] == WITH_POLICY and not any(map(_is_binned, given["features"])):
            given = _without_policy(given)
        if given["format"] == WITH_OLD_NAMES:
            given = _renamed(given)
        if given["format"] != FORMAT:
            raise InputError(
                f"a model in this warehouse was fitted by another version of credit-spark (its "
                f"document has format {given['format']}, this one reads {FORMAT}); train a model "
                "with this version (nightly --retrain), or go on with that version"
            )
        found = cls.model_validate(given)
        # A name of today, or a key that a newer version has added, makes no other model.
        return found if found.version == version else found.model_copy(update={"known_as": version})

    def as_json(self) -> str:
        """The document as stored."""
        return self.model_dump_json()


def _is_binned(term: Mapping[str, Any]) -> bool:
    """Whether a term of the format before is of bins, which had no place beside one another."""
    return term["kind"] == "category" and f"'{MISSING}'" in term["sql"]


def _without_policy(given: Mapping[str, Any]) -> dict[str, Any]:
    """A document of the format before: its policy is the contract's now, its inputs are unknown."""
    kept = {name: value for name, value in given.items() if name not in ("score", "refusals")}
    kept["held_out"] = {"auc": given["held_out"]["auc"]} if given["held_out"] else None
    return {
        **kept,
        "format": WITH_OLD_NAMES,
        "features": [*map(_without_reason, given["features"])],
    }


def _renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    """A document with the names of today."""
    facts = {RENAMED.get(name, name): value for name, value in given["facts"].items()}
    return {RENAMED.get(name, name): value for name, value in given.items()} | {
        "format": FORMAT, "facts": facts,
    }  # fmt: skip


def _without_reason(term: Mapping[str, Any]) -> dict[str, Any]:
    """A term of the format before, whose level of absent texts was named MISSING."""
    kept = {name: value for name, value in term.items() if name != "reason"}
    if term["kind"] == "category":
        named = {MISSING: ABSENT}
        kept["levels"] = [
            {**each, "text": named.get(each["text"], each["text"])} for each in term["levels"]
        ]
    return kept
