"""What an operator turns: layers of settings, resolved once into one frozen object.

conf/base.yml < --settings FILE < CREDIT_SPARK__SECTION__KEY < flags. base.yml holds every key,
with its unit and default; a key that is not there is refused. No other setting comes from the
environment.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from credit_spark.config.errors import InputError, listed
from credit_spark.config.guards import placeholders
from credit_spark.config.loading import (
    PORTFOLIOS,
    base_settings,
    find_contract,
    load_contract,
    load_yaml,
    sentence,
)
from credit_spark.config.models import Bound, Contract, FrozenModel

PREFIX = "CREDIT_SPARK__"
# Options of Spark whose values open a storage; what is shown of the settings leaves them out.
SECRET = re.compile(r"secret|password|token|credential|access[._-]?key|account[._-]?key", re.I)
# Spark's own names of settings.
OPTIONS: Mapping[str, str] = {
    "spark.master": "master",
    "spark.driver.memory": "driver_memory",
    "spark.sql.shuffle.partitions": "shuffle_partitions",
    "spark.ui.enabled": "show_ui",
}
Layer = Mapping[str, Any]
# Fewer earlier batches do not show how many loans are usual.
MIN_DATES = 5


def _can_be_filled_in(landing: str) -> str:
    if unknown := [name for name in placeholders(landing) if name != "portfolio"]:
        raise ValueError(f"nothing fills '{{{unknown[0]}}}'; did you mean '{{portfolio}}'?")
    return landing


class Storage(FrozenModel):
    """Where files are read and tables are written: folders, or URLs that Spark knows."""

    landing: Annotated[str, AfterValidator(_can_be_filled_in)]
    warehouse: str = Field(min_length=1)
    lock: bool
    logs: str = Field(min_length=1)

    def folder_of(self, contract: Contract) -> str:
        """The folder or URL of a portfolio's tables."""
        return f"{self.warehouse.rstrip('/')}/{contract.portfolio}"


class SparkSettings(FrozenModel):
    """How Spark is started, where spark-submit has not started it."""

    master: str
    driver_memory: str
    shuffle_partitions: int = Field(ge=1)
    show_ui: bool
    conf: dict[str, str | int | float | bool]

    @field_validator("conf")
    @classmethod
    def _has_no_other_name(cls, conf: Mapping[str, Any]) -> Mapping[str, Any]:
        if twice := [f"{OPTIONS[key]} for {key}" for key in conf if key in OPTIONS]:
            raise ValueError(f"some of its options are settings of their own: {', '.join(twice)}")
        return conf

    def options(self) -> dict[str, str]:
        """Spark's own names of these settings."""
        named = {option: getattr(self, name) for option, name in OPTIONS.items()}
        options = (named | self.conf).items()
        return {key: each if isinstance(each, str) else json.dumps(each) for key, each in options}


class Training(FrozenModel):
    """How fits use the machine; the contract says what is fitted."""

    parallel_fits: int = Field(ge=1)
    rows_per_partition: int = Field(ge=1000)
    smote_rows: int = Field(ge=1000)


def _two(bounds: Any) -> Any:
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        raise ValueError("two numbers, the bounds of 'watch' and 'act', such as [0.1, 0.25]")
    return bounds


Pair = Annotated[tuple[Bound, Bound], BeforeValidator(_two)]


class Monitor(FrozenModel):
    """From which change on a figure has the status watch, and act: pairs, in that order.

    `share` is of points of a share; `auc` a drop; `calibration` and `volume` are ratios, either
    way. Of batches in which nothing changed, a share of `false_alarms` has a figure beyond chance.
    """

    psi: Pair
    share: Pair
    auc: Pair
    calibration: Pair
    volume: Pair
    false_alarms: float = Field(gt=0, lt=1)
    volume_history: int = Field(ge=MIN_DATES)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "nights" in given:
            raise ValueError("'nights' is called 'volume_history' now")
        return given

    @field_validator("psi", "share", "auc", "calibration", "volume")
    @classmethod
    def _rises(cls, bounds: tuple[float, float], field: ValidationInfo) -> tuple[float, float]:
        if bounds[0] > bounds[1]:
            raise ValueError("the bound of 'watch' comes first, and may not be the higher one")
        if field.field_name in ("calibration", "volume") and bounds[0] < 1:
            raise ValueError("a ratio, either way, is 1 or more, such as [1.15, 1.3]")
        if field.field_name in ("share", "auc") and bounds[1] > 1:
            raise ValueError("a share, or a drop of the AUC, is at most 1, such as [0.05, 0.1]")
        return bounds


class Settings(FrozenModel):
    """Every setting, resolved."""

    storage: Storage
    spark: SparkSettings
    training: Training
    monitor: Monitor

    def as_json(self) -> str:
        """The settings as one JSON text, their secrets hidden, with their SHA-256."""
        resolved = self.model_dump()
        resolved["spark"]["conf"] = {
            key: "(hidden)" if SECRET.search(key) else value
            for key, value in self.spark.conf.items()
        }
        text = json.dumps(resolved, sort_keys=True)
        return json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), **resolved})


def contract_and_settings(
    portfolio: str,
    warehouse: str | None,
    settings_file: Path | None,
    project: Path,
    landing: str | None = None,
) -> tuple[Contract, Settings]:
    """The contract of a portfolio and the settings, as the flags of a command name them.

    Raises:
        InputError: there is none of that name, or one of them has faults.
    """
    contract = load_contract(find_contract(portfolio, project / PORTFOLIOS))
    flags = {"landing": landing, "warehouse": warehouse}
    storage = {name: value for name, value in flags.items() if value is not None}
    return contract, resolve(base_settings(project), settings_file, {"storage": storage})


def resolve(base: Path, file: Path | None, flags: Layer) -> Settings:
    """The settings of this process.

    Raises:
        InputError: an unknown key or a value of the wrong type, in any layer: all at once.
    """
    files = [_layer(path) for path in (base, file) if path]
    layers = [*files, *from_environment(os.environ), flags]
    try:
        return Settings.model_validate(reduce(merged, layers))
    except ValidationError as error:
        faults = [sentence(fault, Settings) for fault in error.errors()]
        raise InputError(
            listed("these settings cannot be used; nothing was touched", faults)
        ) from None


def _layer(path: Path) -> Layer:
    given = load_yaml(path)
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{path}: settings are sections with keys, as in conf/base.yml")
    return given or {}


def from_environment(environment: Mapping[str, str]) -> Iterator[Layer]:
    """A layer for each of the environment's variables, whose value is read as YAML.

    >>> list(from_environment({"CREDIT_SPARK__SPARK__SHUFFLE_PARTITIONS": "8", "HOME": "/root"}))
    [{'spark': {'shuffle_partitions': 8}}]
    """
    for name in sorted(environment):
        if name.startswith(PREFIX):
            try:
                value = YAML(typ="safe", pure=True).load(environment[name])
            except (YAMLError, ValueError):
                raise InputError(f"{name}: its value is not readable as YAML; quote it") from None
            for key in reversed(name.removeprefix(PREFIX).lower().split("__")):
                value = {key: value}
            yield value


def merged(lower: Layer, upper: Layer) -> dict[str, Any]:
    """Two layers as one; the upper wins key by key.

    >>> merged({"spark": {"master": "local", "conf": {}}}, {"spark": {"master": "yarn"}})
    {'spark': {'master': 'yarn', 'conf': {}}}
    """
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result
