"""House rules that a reader relies on, checked on the source itself."""

import ast
import re
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SRC = PROJECT / "src/credit_spark"
SOURCES = sorted(SRC.rglob("*.py"))
TOUCHES_OUTSIDE = {"read", "write", "builder", "toPandas", "today", "now", "udf", "rdd", "environ"}
MAY_TOUCH = {"storage", "ingest", "quality", "pipeline", "cli"}
FILES_THAT_MAY = {
    "config/settings.py",
    "reporting/openmetrics.py",
    "reporting/lineage.py",
    "training/lstm.py",
}

each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))


def room(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def nodes(path: Path, kind: type) -> list:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


@each_source
def test_only_adapters_and_steps_touch_the_outside(path: Path) -> None:
    used = {node.attr for node in nodes(path, ast.Attribute)}
    is_let = room(path) in MAY_TOUCH or path.relative_to(SRC).as_posix() in FILES_THAT_MAY
    assert is_let or not used & TOUCHES_OUTSIDE


@each_source
def test_no_lender_is_known_to_code(path: Path) -> None:
    if path.name == "sample.py":  # it makes files in one lender's layout
        return
    text = path.read_text(encoding="utf-8").lower()
    assert not re.search(r"lending_?club|loan_amnt|int_rate|fico", text)


@each_source
def test_every_module_can_be_imported(path: Path) -> None:
    name = ".".join(path.relative_to(SRC.parent).with_suffix("").parts)
    assert import_module(name.removesuffix(".__init__")).__doc__


def test_every_command_of_a_batch_has_its_job() -> None:
    from credit_spark.cli.commands import cli

    steps = {"clean", "validate", "train", "promote", "rollback", "score"}
    steps |= {"measure", "monitor", "nightly"}
    jobs = {path.stem for path in (PROJECT / "jobs").glob("*.py")}

    assert jobs == steps
    assert steps <= cli.commands.keys()
    assert all(command.help for command in cli.commands.values())


def test_a_steps_own_flags_are_its_arguments() -> None:
    from credit_spark.cli.commands import OWN_FLAGS, STEPS
    from credit_spark.cli.flags import Flags

    for name, flags in OWN_FLAGS.items():
        given = {each.name for each in flags if each.expose_value}
        assert given - {*Flags._fields} <= signature(STEPS[name]).parameters.keys(), name
