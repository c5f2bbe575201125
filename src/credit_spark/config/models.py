"""A portfolio's YAML contract as frozen models: what may be written, and its types.

Nothing outside the contract names a lender's column, so a new lender is a new file. What
concerns several parts at once (does a column exist, is it known in time) is in guards.py.
"""

import re
from collections.abc import Mapping
from datetime import date
from itertools import product
from math import isnan, log
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

# A new kind needs its type in config/tables.py, its parser in ingest/parsers.py, and its unit and
# bounds in the form of serving/fields.py.
Kind = Literal[
    "text", "category", "count", "number", "money", "rate", "months", "years", "date", "range",
    "flag",
]  # fmt: skip
Form = Literal["linear", "binned"]
Known = Literal["application", "servicing", "outcome"]
Unit = Literal["fraction", "percent", "yearly", "monthly"]
DecimalMark = Literal[".", ","]
ImbalanceStrategy = Literal["none", "class_weight", "oversample", "smote"]
Expectation = Literal["increases_risk", "lowers_risk"]
Reference = Literal["mean", "best"]

TEXT_KINDS = frozenset({"text", "category"})
NUMBER_KINDS = frozenset(get_args(Kind)) - TEXT_KINDS - {"date"}
UNITS: Mapping[Unit, Kind] = {
    "fraction": "rate", "percent": "rate", "yearly": "money", "monthly": "money"
}  # fmt: skip
CONTENT: Literal["content"] = "content"
# The texts of a flag, in small letters.
YES, NO = ("yes", "y", "true", "t", "1"), ("no", "n", "false", "f", "0")
DELIMITER = re.compile(r"[^\w\"\\\r\n\0]")
MONTHS_BACK = re.compile(r"([1-9]\d{0,2}) months")


class Penalty(NamedTuple):
    """What holds coefficients of scaled features back, and the share of it that is L1."""

    regularisation: float
    elastic_net: float = 0.0

    def __str__(self) -> str:
        """Say the penalty as a segment of `metrics`."""
        return f"regularisation={self.regularisation:g},elastic_net={self.elastic_net:g}"


def _as_several(given: Any) -> Any:
    return given if isinstance(given, (list, tuple)) else [given]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the lower bound comes first")
    return bounds


def _no_nan(number: float) -> float:
    if isnan(number):
        raise ValueError("write a number")
    return number


def _date_or_months(given: str | date | None) -> str | date | None:
    """A date, also one that is quoted, or a span of months."""
    if not isinstance(given, str) or MONTHS_BACK.fullmatch(given):
        return given
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ValueError("write a date such as 2011-01-01, or a span such as '12 months'") from None


def _as_delimiter(given: str) -> str:
    """A single character that separates fields; ValueError: Spark's reader cannot use it."""
    if not DELIMITER.fullmatch(given) or given > "\uffff":
        raise ValueError(
            'a delimiter is one character such as , ; | or "\\t", and not a letter, digit, quote, '
            "backslash or line break"
        )
    return given


Delimiter = Annotated[str, AfterValidator(_as_delimiter)]
Several = (BeforeValidator(_as_several), Field(min_length=1))
# Infinite where there is no bound. Every other number is finite.
Bound = Annotated[float, AllowInfNan(), AfterValidator(_no_nan)]
Bounds = Annotated[tuple[Bound, Bound], AfterValidator(_rising)]


class FrozenModel(BaseModel):
    """A piece of a contract, a model or settings: frozen, with no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ContractColumn(FrozenModel):
    """What one column promises: its headers, how to read its text, what it may hold.

    `range` is inclusive, in the column's unit (a rate is a fraction, an income is yearly). A value
    outside `range` or `one_of` quarantines its line, turns null, or is clipped, as `outside` says.
    `codes` maps codes to meanings; a text that is neither quarantines its line, unless
    `unknown_codes` is 'keep'. Two-digit years (`yy`) from `pivot` on are 19yy, the others 20yy.
    """

    headers: tuple[str, ...] = Field(alias="from", min_length=1)
    kind: Kind
    known: Known
    required: bool = False
    range: Bounds | None = None
    one_of: tuple[str | float, ...] | None = None
    missing: tuple[str, ...] = ()
    codes: dict[str, str] = {}
    unknown_codes: Literal["quarantine", "keep"] = "quarantine"
    formats: tuple[str, ...] = ()
    pivot: int | None = Field(default=None, ge=0, le=99)
    outside: Literal["quarantine", "null", "clip"] = "quarantine"


class Layout(FrozenModel):
    """One file format: how a file is matched to it, and how its values are written.

    A file has the layout whose `header` names are all in its own header; of several, the one with
    the most names. A file with no header has the layout whose `no_header` names as many columns as
    its first line has fields. `key`, `delimiter` and `decimal` override the contract's. `escape`
    stands before a quote inside quotes; without it, such a quote is doubled.
    """

    header: tuple[str, ...] = ()
    no_header: tuple[str, ...] = ()
    delimiter: Delimiter | None = None
    decimal: DecimalMark | None = None
    escape: str | None = Field(default=None, min_length=1, max_length=1)
    preamble: Literal["none", "detect"] = "none"
    footer: Literal["none", "detect"] = "none"
    missing: tuple[str, ...] = ("",)
    units: dict[str, Unit] = {}
    key: Literal["content"] | tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _has_one_header_kind(self) -> Self:
        if bool(self.header) == bool(self.no_header):
            raise ValueError(
                "give header, names that a header of such a file has, or no_header, the names of "
                "all columns of a file that has none"
            )
        return self


class Source(FrozenModel):
    """Where the landing files of a batch date are, and how they are written.

    `encoding` is a codec's name in Python. Of point and comma, `decimal` is the decimal mark, and
    the other one groups digits.
    """

    path: str = "{landing}/{as_of}/*"
    delimiter: Delimiter = ","
    decimal: DecimalMark = "."
    encoding: str = "UTF-8"
    layouts: dict[str, Layout] = Field(min_length=1)

    def delimiter_of(self, layout: Layout) -> str:
        """The delimiter of files of a layout."""
        return layout.delimiter or self.delimiter

    def decimal_of(self, layout: Layout) -> DecimalMark:
        """The decimal mark of numbers in files of a layout."""
        return layout.decimal or self.decimal


class RowRule(FrozenModel):
    """A fact that must hold for each row: SQL over the columns; null counts as broken."""

    sql: str


class OutcomePlan(FrozenModel):
    """Which texts of a column mean good, bad, or no outcome yet."""

    column: str = Field(alias="from")
    good: tuple[str, ...] = Field(min_length=1)
    bad: tuple[str, ...] = Field(min_length=1)
    open: tuple[str, ...] = ()


class Feature(FrozenModel):
    """What the model sees: SQL over the columns, and the reasons given when it costs points.

    `expect` says how a higher value changes the risk; the fit keeps to it. `reason` is then given
    of a value on the costly side of the reference; without `expect`, of any value. Where a number
    can cost points on both sides, `reason_low` is given below the reference and `reason_high` above
    it. `reason_missing` is given of a missing value, of which no other text is stated.

    `missing` says how a linear form sees a missing number: as the median, or as the median and an
    indicator of its own; where it is left out, the data decides. `special` are numbers that have
    bins of their own in a binned form, and `breaks` are where its bins begin, but the first.
    `accepted_leak` says why a feature is fitted although it separates good from bad almost alone,
    or is known only later.
    """

    sql: str
    reason: str | None = Field(default=None, min_length=1)
    reason_low: str | None = Field(default=None, min_length=1)
    reason_high: str | None = Field(default=None, min_length=1)
    reason_missing: str | None = Field(default=None, min_length=1)
    accepted_leak: str | None = None
    expect: Expectation | None = None
    missing: Literal["indicator", "median"] | None = None
    special: tuple[float, ...] = ()
    breaks: tuple[float, ...] = ()


class HardRule(RowRule):
    """What is declined whatever its score: SQL over the columns, and the reason given for it."""

    reason: str = Field(min_length=1)


class Gates(FrozenModel):
    """What a fit must reach before it goes live; pairs are inclusive bounds."""

    mean_pd_over_observed: Bounds = (0.8, 1.25)
    calibration_slope: Bounds = (0.67, 1.5)
    auc: Bounds = (0.55, 0.95)
    single_feature_auc: float = Field(default=0.95, gt=0.5, le=1)


class ModelPlan(FrozenModel):
    """How the model is fitted and tested.

    `form` is how a feature adds to the log-odds: along a line, or by the bin that it is in.
    `out_of_time_from` is a date, or a span such as '12 months': the newest calendar months whose
    loans are all mature. `regularisation` is the penalty on coefficients of scaled features, and
    `elastic_net` the share of it that is L1 (0: ridge, 1: lasso); of several, cross-validation
    chooses. `borrower` is the column that says whose loan it is, where a person can have several.
    """

    form: Form = "linear"
    imbalance: ImbalanceStrategy = "class_weight"
    folds: int = Field(default=5, ge=2, le=50)
    out_of_time_from: Annotated[date | str | None, AfterValidator(_date_or_months)] = None
    regularisation: Annotated[tuple[Annotated[float, Field(ge=0)], ...], *Several] = (1e-4,)
    elastic_net: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], *Several] = (0.0,)
    seed: int = 20261121
    borrower: str | None = None
    gates: Gates = Gates()

    @property
    def penalties(self) -> list[Penalty]:
        """Every penalty that may be fitted, the strongest first."""
        strongest_first = sorted(set(self.regularisation), reverse=True)
        return [Penalty(*each) for each in product(strongest_first, sorted(set(self.elastic_net)))]


class Decisions(FrozenModel):
    """PD below which a loan is approved, and from which it is declined; review between."""

    approve_below: float = Field(gt=0, lt=1)
    decline_from: float = Field(gt=0, le=1)


class ScorePlan(FrozenModel):
    """The points scale, the bands by the PD that they end below, and the decisions.

    A loan at odds of `odds_at` good to one bad has `points_at` points. `reference` is what the
    reasons hold a loan against: the portfolio's mean, or the best that a feature attains (the
    better end of the middle nine tenths of the training loans; of a text, its best level).
    """

    points_at: float = 600
    odds_at: float = Field(default=30, gt=0)
    points_to_double_odds: float = Field(default=20, gt=0)
    bands: dict[str, float] = Field(min_length=1)
    decisions: Decisions
    reference: Reference = "mean"

    @property
    def points_a_unit(self) -> float:
        """How many points a unit of the log-odds of bad costs."""
        return self.points_to_double_odds / log(2)

    @property
    def points_at_even_odds(self) -> float:
        """The points of a loan at even odds."""
        return self.points_at - self.points_a_unit * log(self.odds_at)


class Analysis(FrozenModel):
    """What the report shows the loans by, beside segments: SQL over the columns, and a heading.

    Its ranges are found when a model is fitted. `against` names another analysis, beside whose
    ranges its own are shown.
    """

    sql: str
    title: str = Field(min_length=1)
    against: str | None = None


class Loss(FrozenModel):
    """What a loan that turns bad costs: a share, `given_default`, of the column `exposure`."""

    exposure: str
    given_default: float = Field(gt=0, le=1)


class Contract(FrozenModel):
    """Everything that is particular to one portfolio.

    `promotion` says who makes a model champion that passes its gates: the nightly run, or someone
    by name (`credit-spark promote`).

    A loan younger than `performance_months` at the batch date is not mature: it neither trains nor
    tests a model, since the loans that turn bad early are known first.
    """

    portfolio: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    source: Source
    key: Literal["content"] | tuple[str, ...] = CONTENT
    newest_by: tuple[str, ...] = ()
    columns: dict[str, ContractColumn] = Field(min_length=1)
    rules: dict[str, RowRule] = {}
    outcome: OutcomePlan | None = None
    observed_on: str | None = None
    features: dict[str, Feature] = Field(min_length=1)
    decline_if: dict[str, HardRule] = {}
    segments: tuple[str, ...] = ()
    analyses: dict[str, Analysis] = {}
    performance_months: int = Field(default=0, ge=0, le=600)
    promotion: Literal["automatic", "manual"] = "manual"
    model: ModelPlan = ModelPlan()
    score: ScorePlan
    loss: Loss | None = None

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column."""
        return {name: spec.kind for name, spec in self.columns.items()}
