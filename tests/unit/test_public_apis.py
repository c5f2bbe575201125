"""Spark is used by its public DataFrame, SQL, ML, Delta and Great Expectations APIs alone.

Attributes and imports are looked up by the name of the API, in the syntax tree: a word in a comment
or a text is none.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src/credit_spark"
SOURCES = sorted(SRC.rglob("*.py"))
# The RDD API, and what reaches through pyspark into the JVM.
NEVER = {
    "_jvm", "_jsc", "_jdf", "_jconf", "_jsparkSession", "_gateway", "_origin", "rdd", "parallelize",
    "mapPartitions", "mapPartitionsWithIndex", "newAPIHadoopFile", "wholeTextFiles", "binaryFiles",
    "AddAction", "RemoveAction", "create_write_transaction", "java_exception",
}  # fmt: skip
# APIs with a place of their own.
ONLY_IN = {
    "sparkContext": {"storage/session.py"},
    "statusTracker": {"storage/session.py"},
}
# Python on the executors: to make up minority rows between neighbours.
PYTHON_ON_EXECUTORS = (
    "mapInArrow", "mapInPandas", "applyInPandas", "applyInArrow", "udf", "pandas_udf",
)  # fmt: skip
ONLY_IN |= {api: {"training/imbalance.py"} for api in PYTHON_ON_EXECUTORS}
NO_IMPORT = ("polars", "deltalake.transaction", "pyspark.rdd", "py4j.java_gateway")

each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))


def used_in(text: str) -> set[str]:
    """The names of attributes that are read, and of what is imported by name."""
    tree = ast.parse(text)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return attributes | names


def modules_of(text: str) -> Iterator[str]:
    """Every module that is imported, those within functions, too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


@each_source
def test_no_rdd_and_nothing_of_the_jvm(path: Path) -> None:
    assert used_in(path.read_text(encoding="utf-8")) & NEVER == set()


@each_source
def test_an_api_with_one_place_is_used_there_alone(path: Path) -> None:
    place = path.relative_to(SRC).as_posix()
    used = used_in(path.read_text(encoding="utf-8")) & ONLY_IN.keys()

    assert [each for each in used if place not in ONLY_IN[each]] == []


@each_source
def test_no_second_engine_and_no_hand_made_commit(path: Path) -> None:
    imported = modules_of(path.read_text(encoding="utf-8"))

    assert [
        each for each in imported if f"{each}.".startswith(tuple(f"{no}." for no in NO_IMPORT))
    ] == []


@pytest.mark.parametrize(
    "text",
    ["frame.rdd.map(f)", "x = spark._jvm", "def f(context):\n  return context.parallelize([1])",
     "from deltalake.transaction import AddAction"],
)  # fmt: skip
def test_use_of_a_forbidden_api_is_seen(text: str) -> None:
    assert used_in(text) & NEVER


def test_a_word_is_no_api() -> None:
    assert (
        used_in('"""Neither rdd nor _jvm."""\n# parallelize\nrdd = "mapPartitions"') & NEVER
        == set()
    )
    assert list(modules_of("def f():\n    import polars as pl")) == ["polars"]
