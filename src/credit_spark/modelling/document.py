"""The model document: all that scoring needs, as one JSON text, and nothing of Spark in it."""

import hashlib
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from credit_spark.contract.models import ScorePlan, Treatment
from credit_spark.modelling.features import Definition

FORMAT = 1


class Piece(BaseModel):
    """A piece of the document: frozen, with no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Number(Piece):
    """A numeric feature: (value - mean) / deviation * coefficient, with `imputed` for null."""

    kind: Literal["number"] = "number"
    name: str
    sql: str
    reason: str
    imputed: float
    mean: float
    deviation: float
    coefficient: float

    @property
    def definition(self) -> Definition:
        """What the feature is computed from."""
        return Definition(self.name, self.sql, is_text=False)

    @property
    def slope(self) -> float:
        """Change of the log-odds by one unit of the value."""
        return self.coefficient / self.deviation if self.deviation else 0.0


class Level(Piece):
    """One text of a categorical feature: an indicator, scaled like a number."""

    text: str
    mean: float
    deviation: float
    coefficient: float

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
    def definition(self) -> Definition:
        """What the feature is computed from."""
        return Definition(self.name, self.sql, is_text=True)

    @property
    def unseen(self) -> float:
        """Term of a text that training has not seen."""
        return -sum(level.slope * level.mean for level in self.levels)


Term = Annotated[Number | Category, Field(discriminator="kind")]


class LeftOut(Piece):
    """A feature of the contract that the fit could not use, and why."""

    name: str
    why: str


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


class ModelDocument(Piece):
    """A fitted model: log-odds of bad = intercept - offset + the sum of the features' terms."""

    format: int = FORMAT
    portfolio: str
    contract_hash: str
    features: tuple[Term, ...]
    left_out: tuple[LeftOut, ...]
    intercept: float
    offset: float
    score: ScorePlan
    facts: Facts

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that are the same for the same model and no other."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()[:12]

    def as_json(self) -> str:
        """The document as stored."""
        return self.model_dump_json()
