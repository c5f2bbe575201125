"""A contract from its YAML file, or every fault in it at once; and where such files are found.

A project has contracts in conf/ and suites in expectations/; the wheel ships the examples.
"""

import hashlib
import json
import sysconfig
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from credit_spark.config import guards
from credit_spark.config.errors import InputError, instead_of, listed
from credit_spark.config.models import Contract

CHECKOUT = Path(__file__).resolve().parents[3]
# What to write, by the type of pydantic's fault.
SHAPES = {
    "model_type": "keys with their values, each as key: value",
    "dict_type": "keys with their values, each as key: value",
    "tuple_type": "a list, such as [a, b]",
    "list_type": "a list, such as [a, b]",
}
PORTFOLIOS, SUITES, BASE = "conf/portfolios", "expectations", "conf/base.yml"


def shipped() -> Path:
    """The project that comes with credit-spark: of a checkout, or of an installed wheel."""
    if (CHECKOUT / BASE).is_file():
        return CHECKOUT
    return Path(sysconfig.get_path("data")) / "share/credit-spark"


def default_project() -> Path:
    """The working directory where it has contracts, else what comes with credit-spark."""
    here = Path.cwd()
    return here if (here / PORTFOLIOS).is_dir() else shipped()


def base_settings(project: Path) -> Path:
    """The file of all settings: the project's own, else the one that comes with credit-spark."""
    own = project / BASE
    return own if own.is_file() else shipped() / BASE


def examples() -> list[str]:
    """The names of the portfolios that come with credit-spark."""
    return sorted(each.stem for each in (shipped() / PORTFOLIOS).glob("*.yml"))


def load_contract(path: Path) -> Contract:
    """Read the contract of one portfolio.

    Raises:
        InputError: with every fault, one a line, by its path in the file.
    """
    given = load_yaml(path)
    try:
        contract = Contract.model_validate(given)
        faults = guards.faults(contract)
        if contract.portfolio != path.stem:
            faults.append(
                f"portfolio: it is '{contract.portfolio}', and the file is {path.name}; give both "
                "one name, since tables and suites stand under it"
            )
    except ValidationError as error:
        found = [sentence(fault, Contract) for fault in error.errors()]
        faults = [*found, *_faults_beside(error, given)]
    if faults:
        raise InputError(
            listed(f"{path.name}: this contract cannot be used; nothing was touched", faults)
        )
    return contract


def _faults_beside(error: ValidationError, given: Any) -> list[str]:
    """What is wrong between the parts, where the contract can be read without its bad keys.

    Faults of the parent of a bad key are left out: they may be its consequence.
    """
    rest = deepcopy(given)
    places = [fault["loc"] for fault in error.errors()]
    for place in places:
        _cut(rest, place)
    try:
        contract = Contract.model_validate(rest)
    except ValidationError:
        return []
    around = tuple(".".join(map(str, place[:-1])) for place in places)
    return [each for each in guards.faults(contract) if not each.startswith(around)]


def _cut(given: Any, place: tuple[str | int, ...]) -> None:
    """Take the key at a place out of what was given, where it is there."""
    for step in place[:-1]:
        given = given.get(step) if isinstance(given, dict) else None
    if isinstance(given, dict):
        given.pop(place[-1], None)


def find_contract(portfolio: str, folder: Path) -> Path:
    """The file of a portfolio, given by its name, or by the path of a .yml file.

    Raises:
        InputError: there is none, with the closest that there is.
    """
    path = Path(portfolio) if portfolio.endswith((".yml", ".yaml")) else folder / f"{portfolio}.yml"
    if not path.is_file():
        names = [each.stem for each in folder.glob("*.yml")]
        raise InputError(
            f"there is no portfolio '{portfolio}' ({path} is not a file); "
            + instead_of(portfolio, names)
        )
    return path


def load_yaml(path: Path) -> Any:
    """A YAML 1.2 document, in which NO is a text and a key given twice is an error.

    Raises:
        InputError: it is not readable, or not YAML.
    """
    try:
        given = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        # Half of a pair of UTF-16, which YAML can write, is a ValueError.
        json.dumps(given, ensure_ascii=False, default=str, skipkeys=True).encode()
        return given
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise InputError(f"{path.name}: its brackets are nested too deeply") from None
    except (YAMLError, ValueError) as error:
        # A day that there is not is a ValueError, as are bytes that are no text.
        raise InputError(f"{path.name}: this is not readable YAML: {_unreadable(error)}") from None


def _unreadable(error: YAMLError | ValueError) -> str:
    """What a reader has found, and in which line, where it knows one."""
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        problem = " ".join(error.problem.split()).removeprefix("but ")
        return f"line {error.problem_mark.line + 1}: {problem}"
    return " ".join(str(error).split())


def contract_hash(contract: BaseModel) -> str:
    """SHA-256 of what a contract says, whatever its comments and the order of its spaces."""
    return hashlib.sha256(contract.model_dump_json(by_alias=True).encode()).hexdigest()


def sentence(fault: ErrorDetails, model: type[BaseModel]) -> str:
    """A fault that pydantic has found in a model's text, by its path."""
    loc, message = fault["loc"], fault["msg"].removeprefix("Value error, ")
    path = ".".join(map(str, loc)) or "the file"
    if fault["type"] == "extra_forbidden":
        key, right = str(loc[-1]), _keys_at(loc[:-1], model)
        return f"{path}: unknown key '{key}'; {instead_of(key, right)}"
    if fault["type"] == "missing":
        return f"{path}: this key is missing"
    if fault["type"] in SHAPES:
        return f"{path}: write {SHAPES[fault['type']]}"
    return f"{path}: {message[:1].lower()}{message[1:]}"


def _keys_at(path: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """The keys that may be written at a path of a model's text."""
    place = model.model_fields
    for step in path:
        if step in place:
            inner = place[str(step)].annotation
            models = [each for each in (inner, *get_args(inner)) if hasattr(each, "model_fields")]
            place = models[0].model_fields if models else place
    return [field.alias or name for name, field in place.items()]
