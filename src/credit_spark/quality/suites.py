"""The adapter to Great Expectations: a suite in its own format, run on a Spark frame.

The gate asks first only whether each expectation holds; the failed ones are asked again for what
was seen. Rows that break one are never listed: they hold borrowers' values.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from credit_spark.contract.errors import InputError, listed
from credit_spark.contract.names import instead_of
from credit_spark.evaluation.questions import Question
from credit_spark.storage.session import described

RESULT, HOLDS = "result_format", "BOOLEAN_ONLY"


class Failure(NamedTuple):
    """An expectation that does not hold: its type, what it is about, what was seen."""

    expectation: str
    about: str
    seen: str

    def __str__(self) -> str:
        """Say the failure as a line of a list."""
        return f"{self.expectation} ({self.about}): {self.seen}"


class Suites:
    """The suites of one portfolio, in `folder`: a JSON file for each table that has one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def digest(self) -> str:
        """SHA-256 of all suites together."""
        texts = [path.read_bytes() for path in sorted(self._folder.glob("*.json"))]
        return hashlib.sha256(b"\0".join(texts)).hexdigest()

    def path(self, table: str) -> Path:
        """Where the suite of a table stands, or would stand."""
        return self._folder / f"{table}.json"

    def check(self, columns: Mapping[str, Collection[str]]) -> None:
        """Make sure that every suite can be run, before a night begins.

        In come the columns that the suite of each table can see.

        Raises:
            InputError: with every fault of every suite.
        """
        faults = [
            f"{self.path(table)}: {fault}"
            for table, seen in columns.items()
            if self.path(table).is_file()
            for fault in _faults(self.path(table), seen)
        ]
        if faults:
            raise InputError(listed("these suites cannot be run; nothing was touched", faults))

    def questions(self, table: str) -> list[Question]:
        """What the suite of a table asks of its rows, each once; none where it has no suite."""
        path = self.path(table)
        if not path.is_file():
            return []
        metrics = [each for asked in _suite_in(path).expectations for each in _metrics_of(asked)]
        return list(dict.fromkeys(filter(None, map(_engine().question_of, metrics))))

    def failures(
        self,
        table: str,
        frame: DataFrame,
        answers: Mapping[Question, float | None] = MappingProxyType({}),
        where_known: Collection[str] = (),
    ) -> list[Failure]:
        """What a frame fails of its table's suite; the suite was checked before.

        What `answers` tell is not asked of Spark again. An expectation on a column of `where_known`
        is not judged where no row has a value.
        """
        batch, suite = _batch(table, frame, answers), _suite_in(self.path(table))
        with described(frame.sparkSession, f"judge {table}"):
            verdict = batch.validate(suite, result_format=HOLDS)
        failed = [each.expectation_config for each in verdict.results if not each.success]
        if not failed:
            return []
        again = _suite_of(suite.name, [config.to_json_dict() for config in failed])
        seen = batch.validate(again, result_format="SUMMARY").results
        return [_failure(each) for each in seen if not _is_unknown(each, where_known)]


def import_meanwhile() -> None:
    """Begin to import Great Expectations; who needs it first waits for the rest."""
    Thread(target=_context, daemon=True).start()


def _library() -> Any:
    """Great Expectations, which takes seconds to import and would else call home."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations


@lru_cache(maxsize=1)
def _context() -> Any:
    """The library's one project: two tables may be judged at a time, and it has one at a time."""
    context = _library().get_context(mode="ephemeral")
    from great_expectations.datasource.fluent import SparkDatasource

    context.variables.progress_bars = {"globally": False}
    SparkDatasource.execution_engine_override = _engine().ToldEngine
    return context


def _engine() -> Any:
    _library()
    from credit_spark.adapters import engine

    return engine


def _batch(table: str, frame: DataFrame, answers: Mapping[Question, float | None]) -> Any:
    source = _context().data_sources.add_or_update_spark(table, persist=False)
    source.get_execution_engine().answers = answers
    asset = source.add_dataframe_asset(table)
    definition = asset.add_batch_definition_whole_dataframe("all")
    return definition.get_batch(batch_parameters={"dataframe": frame})


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _suite_in(path: Path) -> Any:
    given = _read(path)
    return _suite_of(given["name"], given["expectations"])


def _metrics_of(expectation: Any) -> list[Any]:
    """What it takes to judge an expectation; nothing where it can't be told without the rows."""
    try:
        needs = expectation.get_validation_dependencies(None, {RESULT: HOLDS})
    except Exception:
        # Whatever it may lack, Great Expectations says when it judges.
        return []
    return list(needs.metric_configurations.values())


def _suite_of(name: str, expectations: list[dict[str, Any]]) -> Any:
    return _library().ExpectationSuite(name=name, expectations=expectations)


def _faults(path: Path, columns: Collection[str]) -> Iterator[str]:
    try:
        given = _read(path)
        expectations = [(each["type"], each["kwargs"]) for each in given["expectations"]]
        given["name"].strip()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"it is no suite of Great Expectations ({type(error).__name__}: {error})"
        return
    for nth, (type_, kwargs) in enumerate(expectations, start=1):
        for fault in _faults_of(type_, kwargs, columns):
            yield f"expectation {nth}, {type_}: {fault}"


def _faults_of(type_: str, kwargs: Mapping[str, Any], columns: Collection[str]) -> Iterator[str]:
    """A suite that is built from a type that nobody knows would leave it out without a word."""
    _library()
    from great_expectations.expectations import registry

    known = registry.list_registered_expectation_implementations()
    if type_ not in known:
        yield f"there is no such expectation; {instead_of(type_, known)}"
        return
    try:
        registry.get_expectation_impl(type_)(**kwargs)
    except ValueError as error:
        yield " ".join(str(error).split("\n")[1:]).strip() or str(error)
    for column in _columns(kwargs):
        if column not in columns:
            yield f"there is no column '{column}'; {instead_of(column, columns)}"


def _columns(kwargs: Mapping[str, Any]) -> list[str]:
    one = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return [*one, *kwargs.get("column_list", []), *kwargs.get("column_set", [])]


def _is_unknown(result: Any, where_known: Collection[str]) -> bool:
    is_asked = result.expectation_config.kwargs.get("column") in where_known
    return is_asked and not _raised(result) and result.result.get("observed_value") is None


def _failure(result: Any) -> Failure:
    config = result.expectation_config
    about = {k: v for k, v in config.kwargs.items() if k not in ("batch_id", "result_format")}
    said = ", ".join(f"{key} {value}" for key, value in about.items())
    return Failure(config.type, said, _seen(result))


def _seen(result: Any) -> str:
    """Counts and figures; anything else could be a borrower's value."""
    if _raised(result):
        return "could not be computed; the columns' types may not suit it"
    shown = ("observed_value", "element_count", "unexpected_count", "unexpected_percent")
    facts = {
        key: result.result[key]
        for key in shown
        if isinstance(result.result.get(key), int | float | None) and key in result.result
    }
    said = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items())
    return said or "it does not hold"


def _raised(result: Any) -> bool:
    """Whether it could not be computed; the information may be nested by metric."""
    info = result.exception_info or {}
    each = [info, *[nested for nested in info.values() if isinstance(nested, dict)]]
    return any(one.get("raised_exception") for one in each)
