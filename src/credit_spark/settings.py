"""What an operator turns: layers of settings, resolved once into one frozen object.

conf/base.yml < --settings FILE < CREDIT_SPARK__SECTION__KEY < flags. base.yml holds every key,
with its unit and default; a key that is not there is refused. Nothing else reads the environment.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML

from credit_spark.contract.errors import InputError, listed
from credit_spark.contract.loading import load_yaml
from credit_spark.contract.names import instead_of

PREFIX = "CREDIT_SPARK__"
Layer = Mapping[str, Any]


class Section(BaseModel):
    """A section of the settings: frozen, every key given."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Storage(Section):
    """Where files are read and tables are written: folders, or URLs that Spark knows."""

    landing: str
    warehouse: str
    logs: str


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
            "spark.sql.shuffle.partitions": str(self.shuffle_partitions),
            "spark.ui.enabled": str(self.show_ui).lower(),
        }
        return named | {key: _spark_text(value) for key, value in self.conf.items()}


class Training(Section):
    """How fits use the machine; what is fitted stands in the contract."""

    parallel_fits: int = Field(ge=1)
    rows_per_partition: int = Field(ge=1000)


class Settings(Section):
    """Every setting, resolved."""

    storage: Storage
    spark: SparkSettings
    training: Training

    def as_json(self) -> str:
        """The settings as one JSON text, the same for the same settings."""
        return self.model_dump_json()

    def digest(self) -> str:
        """SHA-256 of the settings."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()


def resolve(base: Path, file: Path | None, flags: Layer) -> Settings:
    """The settings of this process.

    Raises:
        InputError: an unknown key or a value of the wrong type, in any layer: all at once.
    """
    layers = [load_yaml(base), load_yaml(file) if file else {}, from_environment(os.environ), flags]
    resolved: dict[str, Any] = {}
    for layer in layers:
        resolved = merged(resolved, layer or {})
    try:
        return Settings.model_validate(resolved)
    except ValidationError as error:
        faults = [_sentence(fault) for fault in error.errors()]
        raise InputError(
            listed("these settings cannot be used; nothing was touched", faults)
        ) from None


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The layer that the environment's variables make; each value is read as YAML.

    >>> from_environment({"CREDIT_SPARK__SPARK__SHUFFLE_PARTITIONS": "8", "HOME": "/root"})
    {'spark': {'shuffle_partitions': 8}}
    """
    layer: dict[str, Any] = {}
    for name in sorted(environment):
        if name.startswith(PREFIX):
            value = YAML(typ="safe", pure=True).load(environment[name])
            for key in reversed(name.removeprefix(PREFIX).lower().split("__")):
                value = {key: value}
            layer = merged(layer, value)
    return layer


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
    return f"{path}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _keys(above: Iterable[str]) -> Iterable[str]:
    section = Settings.model_fields.get("".join(above))
    place = section.annotation if section else Settings
    return getattr(place, "model_fields", {})


def _spark_text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
