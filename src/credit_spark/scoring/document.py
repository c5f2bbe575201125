"""The model document: all that scoring needs, as one JSON text, and nothing of Spark in it."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from itertools import pairwise, repeat
from math import exp
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from credit_spark.contract.errors import InputError
from credit_spark.contract.expressions import condition
from credit_spark.contract.models import Contract, ScorePlan, Treatment
from credit_spark.contract.tables import MISSING, OTHER

# 2: recalibration, elastic_net, refusals; 3: what a feature attains; 4: what is watched.
FORMAT = 4


class Piece(BaseModel):
    """A piece of the document: frozen, with no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Number(Piece):
    """A numeric feature: (value - mean) / deviation * coefficient, with `imputed` for null.

    `low` and `high` are the ends of what it attains, where the reasons are held against that.
    """

    kind: Literal["number"] = "number"
    name: str
    sql: str
    reason: str
    imputed: float
    mean: float
    deviation: float
    coefficient: float
    low: float | None = None
    high: float | None = None

    @property
    def best(self) -> float:
        """The least term that the feature attains."""
        ends = [self.mean if end is None else end for end in (self.low, self.high)]
        return min((end - self.mean) * self.slope for end in ends)

    @property
    def slope(self) -> float:
        """Change of the log-odds by one unit of the value."""
        return self.coefficient / self.deviation if self.deviation else 0.0


class Level(Piece):
    """One text of a categorical feature: an indicator, scaled like a number.

    `members` are the texts of the contract's feature that it stands for, where it is a bin of them.
    """

    text: str
    mean: float
    deviation: float
    coefficient: float
    members: tuple[str, ...] = ()

    @property
    def slope(self) -> float:
        """Change of the log-odds where the feature has this text."""
        return self.coefficient / self.deviation if self.deviation else 0.0


class Category(Piece):
    """A categorical feature; a text that is none of its levels has the term of none."""

    kind: Literal["category"] = "category"
    name: str
    sql: str
    reason: str
    levels: tuple[Level, ...]

    @property
    def unseen(self) -> float:
        """Term of a text that training has not seen."""
        return -sum(level.slope * level.mean for level in self.levels)

    @property
    def best(self) -> float:
        """The least term that the feature attains."""
        return min((self.unseen + level.slope for level in self.levels), default=self.unseen)


Term = Annotated[Number | Category, Field(discriminator="kind")]


def multiplied(term: Number | Category, factors: Iterator[float]) -> Number | Category:
    """The same with coefficients multiplied, each by the next factor."""
    if isinstance(term, Number):
        return term.model_copy(update={"coefficient": term.coefficient * next(factors)})
    levels = tuple(
        each.model_copy(update={"coefficient": each.coefficient * next(factors)})
        for each in term.levels
    )
    return term.model_copy(update={"levels": levels})


class LeftOut(Piece):
    """A feature of the contract that the fit could not use, and why."""

    name: str
    why: str


class Refusal(Piece):
    """A hard rule: loans for which its SQL holds are declined, for its reason."""

    name: str
    sql: str
    reason: str


def refusals(contract: Contract) -> tuple[Refusal, ...]:
    """The contract's hard rules, compiled."""
    kinds = {name: promise.kind for name, promise in contract.columns.items()}
    return tuple(
        Refusal(name=name, sql=condition(rule.sql, kinds).sql, reason=rule.reason)
        for name, rule in contract.decline_if.items()
    )


class Facts(Piece):
    """What the model was fitted on."""

    as_of: date
    treatment: Treatment
    rows: int
    good: int
    bad: int
    out_of_time_from: date | None
    folds: int
    seed: int
    regularisation: float
    elastic_net: float


class HeldOut(Piece):
    """What the model came to: AUC on held-out folds, the share of its own loans it approves."""

    auc: float | None
    approval_rate: float


class Recalibration(Piece):
    """The line that takes a fit's log-odds to those that its held-out loans came to."""

    intercept: float = 0.0
    slope: float = 1.0

    def pd(self, log_odds: float) -> float:
        """The PD that log-odds of a fit come to."""
        return 1 / (1 + exp(-(self.intercept + self.slope * log_odds)))


Role = Literal["score", "feature", "segment", "analysis"]


class Watched(Piece):
    """What is counted night by night: where its bins lie, and the loans learnt from in each.

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
            return [*map(_label, self.levels), OTHER, MISSING]
        if not self.edges:
            return ["any value", MISSING]
        ends = [f"{each:,.12g}" for each in self.edges]
        between = [f"{low} to {high}" for low, high in pairwise(ends)]
        return [f"below {ends[0]}", *between, f"from {ends[-1]}", MISSING]


def _label(level: str) -> str:
    """What a level's bin is called: the text, in quotes where it reads as another bin's label.

    So is a text that already has quotes around it: of two texts no label is the same.
    """
    return f'"{level}"' if level.strip('"') in (OTHER, MISSING) else level


class ModelDocument(Piece):
    """A fitted model.

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
    score: ScorePlan
    refusals: tuple[Refusal, ...] = ()
    watched: tuple[Watched, ...] = ()
    held_out: HeldOut | None = None
    facts: Facts

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that are the same for the same model and no other."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()[:12]

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
    def references(self) -> tuple[float, ...]:
        """Of each feature the term that its reason is held against; the mean's is zero."""
        is_best = self.score.reference == "best"
        return tuple(each.best if is_best else 0.0 for each in self.terms)

    @property
    def treated_even_odds(self) -> float:
        """The PD of a loan that the treated fit, not yet calibrated, gives even odds."""
        return self.recalibration.pd(-self.offset)

    @classmethod
    def of(cls, text: str) -> Self:
        """The document that was stored as a text.

        Raises:
            InputError: another version of credit-spark wrote it.
        """
        given = json.loads(text)
        if given["format"] != FORMAT:
            raise InputError(
                f"a model in this warehouse was fitted by another version of credit-spark (its "
                f"document has format {given['format']}, this one reads {FORMAT}); run 'train' and "
                "'promote' in a new --warehouse, or go on with that version"
            )
        return cls.model_validate(given)

    def as_json(self) -> str:
        """The document as stored."""
        return self.model_dump_json()
