"""What an operator turns: layers of settings, resolved once into one frozen object.

conf/base.yml < --settings FILE < CREDIT_SPARK__SECTION__KEY < flags. base.yml holds every key,
with its unit and default; a key that is not there is refused. Nothing else reads the environment.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from credit_spark.contract.errors import InputError, instead_of, listed
from credit_spark.contract.guards import placeholders
from credit_spark.contract.loading import find_contract, load_contract, load_yaml
from credit_spark.contract.models import Contract

PREFIX = "CREDIT_SPARK__"
# Options of Spark whose values open a storage; what is shown of the settings leaves them out.
SECRET = re.compile(r"secret|password|token|credential|access[._-]?key|account[._-]?key", re.I)
HIDDEN = "(hidden)"
Layer = Mapping[str, Any]


class Section(BaseModel):
    """A section of the settings: frozen, every key given."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Storage(Section):
    """Where files are read and tables are written: folders, or URLs that Spark knows."""

    landing: str
    warehouse: str = Field(min_length=1)
    lock: bool
    logs: str = Field(min_length=1)

    @field_validator("landing")
    @classmethod
    def _can_be_filled_in(cls, landing: str) -> str:
        """Refuse a blank that nothing fills."""
        if unknown := [name for name in placeholders(landing) if name != "portfolio"]:
            raise ValueError(f"nothing fills '{{{unknown[0]}}}'; did you mean '{{portfolio}}'?")
        return landing


class SparkSettings(Section):
    """How Spark is started, where spark-submit has not started it."""

    master: str
    driver_memory: str
    shuffle_partitions: int = Field(ge=1)
    show_ui: bool
    conf: dict[str, str | int | float | bool]

    def options(self) -> dict[str, str]:
        """Spark's own names of these settings; what stands in `conf` wins."""
        named = {
            "spark.master": self.master,
            "spark.driver.memory": self.driver_memory,
            "spark.sql.shuffle.partitions": self.shuffle_partitions,
            "spark.ui.enabled": self.show_ui,
        }
        return {
            key: str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in (named | self.conf).items()
        }


class Training(Section):
    """How fits use the machine; what is fitted stands in the contract."""

    parallel_fits: int = Field(ge=1)
    rows_per_partition: int = Field(ge=1000)
    smote_rows: int = Field(ge=1000)


def _two(bounds: Any) -> Any:
    """Refuse what is not a pair."""
    try:
        to_watch, to_act = bounds
    except (TypeError, ValueError):
        raise ValueError(
            "two numbers, to watch from and to act from, such as [0.1, 0.25]"
        ) from None
    return to_watch, to_act


def _are_ratios(bounds: tuple[float, float]) -> tuple[float, float]:
    """Refuse a ratio, either way, that is below one."""
    if bounds[0] < 1:
        raise ValueError("a ratio, either way, is 1 or more, such as [1.15, 1.3]")
    return bounds


def _rises(bounds: tuple[float, float]) -> tuple[float, float]:
    """Refuse a pair whose second bound is not the higher one."""
    if bounds[0] > bounds[1]:
        raise ValueError("the bound to watch from stands first, and may not be the higher one")
    return bounds


Pair = Annotated[tuple[float, float], BeforeValidator(_two), AfterValidator(_rises)]
Ratios = Annotated[Pair, AfterValidator(_are_ratios)]


class Monitor(Section):
    """From which change on a figure is to be watched, and to be acted on: pairs, in that order.

    `share` is of points of a share; `auc` a drop; `calibration` and `volume` are ratios, either
    way. Of batches in which nothing changed, a share of `false_alarms` has a figure beyond chance.
    """

    psi: Pair
    share: Pair
    auc: Pair
    calibration: Ratios
    volume: Ratios
    false_alarms: float = Field(gt=0, lt=1)
    nights: int = Field(ge=1)


class Settings(Section):
    """Every setting, resolved."""

    storage: Storage
    spark: SparkSettings
    training: Training
    monitor: Monitor

    def as_json(self) -> str:
        """The settings as one JSON text, their secrets hidden, with their SHA-256."""
        resolved = self.model_dump()
        resolved["spark"]["conf"] = {
            key: HIDDEN if SECRET.search(key) else value for key, value in self.spark.conf.items()
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
        InputError: there is none of that name, or what stands in one of them is wrong.
    """
    contract = load_contract(find_contract(portfolio, project / "conf/portfolios"))
    flags = {"landing": landing, "warehouse": warehouse}
    storage = {name: value for name, value in flags.items() if value is not None}
    return contract, resolve(project / "conf/base.yml", settings_file, {"storage": storage})


def resolve(base: Path, file: Path | None, flags: Layer) -> Settings:
    """The settings of this process.

    Raises:
        InputError: an unknown key or a value of the wrong type, in any layer: all at once.
    """
    files = [_layer(path) for path in (base, file) if path]
    resolved: dict[str, Any] = {}
    for layer in (*files, from_environment(os.environ), flags):
        resolved = merged(resolved, layer)
    try:
        return Settings.model_validate(resolved)
    except ValidationError as error:
        faults = [_sentence(fault) for fault in error.errors()]
        raise InputError(
            listed("these settings cannot be used; nothing was touched", faults)
        ) from None


def _layer(path: Path) -> Layer:
    given = load_yaml(path)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(f"{path}: settings are sections with keys, as in conf/base.yml")
    return given


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The layer that the environment's variables make; each value is read as YAML.

    >>> from_environment({"CREDIT_SPARK__SPARK__SHUFFLE_PARTITIONS": "8", "HOME": "/root"})
    {'spark': {'shuffle_partitions': 8}}
    """
    layer: dict[str, Any] = {}
    for name in sorted(environment):
        if name.startswith(PREFIX):
            value = _value(name, environment[name])
            for key in reversed(name.removeprefix(PREFIX).lower().split("__")):
                value = {key: value}
            layer = merged(layer, value)
    return layer


def _value(name: str, text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise InputError(f"{name}: its value cannot be read as YAML; quote the text") from None


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


def _sentence(fault: Any) -> str:
    *above, key = [str(step) for step in fault["loc"]]
    path = ".".join([*above, key])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key '{key}'; {instead_of(key, _keys(above))}"
    if fault["type"] == "missing":
        return f"{path}: this key is missing"
    said = fault["msg"].removeprefix("Value error, ")
    return f"{path}: {said[:1].lower()}{said[1:]}"


def _keys(above: Iterable[str]) -> Iterable[str]:
    section = Settings.model_fields.get("".join(above))
    place = section.annotation if section else Settings
    return getattr(place, "model_fields", {})
