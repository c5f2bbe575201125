"""Great Expectations on Spark: a suite in its own JSON format, run on a DataFrame.

Expectations that compute one figure of all rows (a mean, a row count) report it whether they hold
or not. Those of each row are first evaluated only for whether they hold; the failed ones are run
again for their counts. Rows that fail are never listed: they hold borrowers' values.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from credit_spark.config.errors import InputError, instead_of, listed
from credit_spark.storage.session import described

PLACE = "place"
NO_ROWS_LISTED = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
# What these observe is the value of one row, and so a borrower's.
OF_ONE_ROW = re.compile(r"expect_column_(min|max|median)_")
# What stores of Great Expectations add to an expectation, and no run needs.
OF_STORES = {"id", "rendered_content", "expectation_context", "success_on_last_run"}
Expectations = Sequence[Mapping[str, Any]]
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Suite(NamedTuple):
    """A suite as its file has it."""

    name: str
    expectations: Expectations


@dataclass(frozen=True)
class SuiteResult:
    """What came of one expectation: figures and counts, no row's values.

    `success` is None where it was not evaluated, since no row has a value. `observed` is None where
    it has no single number, or one row's (a minimum); `rows` and `unexpected` are None where
    nothing was counted. `error` is Spark's error condition.
    """

    expectation: str
    kwargs: Mapping[str, Any]
    success: bool | None
    observed: float | None = None
    rows: int | None = None
    unexpected: int | None = None
    error: str | None = None

    @property
    def columns(self) -> str | None:
        """The columns that it is about, with commas; None: the table."""
        one = [self.kwargs[key] for key in ("column", "column_A", "column_B") if key in self.kwargs]
        return ",".join([*one, *self.kwargs.get("column_list", [])]) or None

    def __str__(self) -> str:
        """Type, kwargs and what was observed, as a line of a list."""
        about = ", ".join(f"{key} {value}" for key, value in self.kwargs.items())
        return f"{self.expectation} ({about}): {self._observed()}"

    def _observed(self) -> str:
        if self.error:
            return f"could not be computed ({self.error}); look at the types of its columns"
        if self.unexpected is not None and self.rows is not None:
            return f"unexpected count {self.unexpected} of {self.rows} rows"
        if OF_ONE_ROW.match(self.expectation):
            return "observed value withheld, since it is one row's"
        return "it does not hold" if self.observed is None else f"observed value {self.observed:g}"


class Suites:
    """The suites of one portfolio, in `folder`: a JSON file for each table that has one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def digest(self) -> str:
        """SHA-256 of all suites together."""
        texts = [path.read_bytes() for path in sorted(self._folder.glob("*.json"))]
        return hashlib.sha256(b"\0".join(texts)).hexdigest()

    def path(self, table: str) -> Path:
        """The file of a table's suite, whether there is one or not."""
        return self._folder / f"{table}.json"

    def read(self, table: str) -> Suite:
        """The suite of a table that has one; it was checked before."""
        text = self.path(table).read_text(encoding="utf-8")
        given = json.loads(text, object_pairs_hook=_unique)
        expectations = [
            {key: value for key, value in each.items() if key not in OF_STORES}
            for each in given["expectations"]
        ]
        return Suite(given["name"].strip(), expectations)

    def missing(self, tables: Collection[str]) -> list[Path]:
        """The files of the tables that have no suite, so that nothing validates them."""
        return [self.path(table) for table in tables if not self.path(table).is_file()]

    def check(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        """Make sure that every suite can be run, without data and without Spark.

        `tables` gives the columns of each table that suites see, with their Spark types.

        Raises:
            InputError: with every fault of every suite.
        """
        faults = [
            f"{path}: there is no such table; {instead_of(path.stem, tables)}"
            for path in sorted(self._folder.glob("*.json"))
            if path.stem not in tables
        ]
        faults += [
            f"{self.path(table)}: {fault}"
            for table, columns in tables.items()
            if self.path(table).is_file()
            for fault in self._faults(table, columns)
        ]
        if faults:
            raise InputError(listed("these suites cannot be run; nothing was touched", faults))

    def outcomes(
        self, table: str, frame: DataFrame, where_known: Collection[str] = ()
    ) -> list[SuiteResult]:
        """What comes of each expectation of the table's suite on these rows, in its order.

        An expectation on a column of `where_known` is not evaluated where no row has a value.
        """
        batch = rows_of(_context(), table).get_batch(batch_parameters={"dataframe": frame})
        with described(frame.sparkSession, f"validate {table}"):
            found = _validated(batch, self.read(table))
        failed = {each.kwargs.get("column") for each in found if not each.success}
        unknown = {each for each in where_known if each in failed and _is_empty(frame, each)}
        return [
            _not_evaluated(each) if each.kwargs.get("column") in unknown else each for each in found
        ]

    def not_computable(self, table: str, frame: DataFrame) -> dict[int, str]:
        """By their places, expectations that Spark cannot compute, with its error condition."""
        batch = rows_of(_context(), table).get_batch(batch_parameters={"dataframe": frame})
        found = enumerate(_validated(batch, self.read(table)))
        return {nth: each.error for nth, each in found if each.error}

    def _faults(self, table: str, columns: Mapping[str, str]) -> Iterator[str]:
        library()
        from credit_spark.quality.faults import faults_beside, faults_of

        try:
            name, given = self.read(table)
            expectations = [(str(each["type"]), {**each["kwargs"]}) for each in given]
        except UNREADABLE as error:
            yield f"it is no suite of Great Expectations ({type(error).__name__}: {error})"
            return
        if not name:
            yield "its name is empty"
        if not expectations:
            yield "it has no expectation; take the file away where nothing is to be validated"
        for nth, (type_, kwargs) in enumerate(expectations, start=1):
            for fault in (*faults_beside(given[nth - 1]), *faults_of(type_, kwargs, columns)):
                yield f"expectation {nth}, {type_}: {fault}"


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys differ; of two equal ones, Python's reader keeps the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for nth, (key, _) in enumerate(pairs) if key in dict(pairs[:nth]))
        raise ValueError(f"'{twice}' occurs twice in one object")
    return found


def import_in_background() -> None:
    """Begin to import Great Expectations, which takes seconds; its first user waits for it."""
    Thread(target=library, daemon=True).start()


@lru_cache(maxsize=1)
def library() -> Any:
    """Great Expectations, which would otherwise send usage statistics."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations


def suite_of(name: str, expectations: Expectations) -> Any:
    """A suite as an object of Great Expectations."""
    return library().ExpectationSuite(name=name, expectations=[dict(each) for each in expectations])


def new_context() -> Any:
    """A context of Great Expectations that keeps nothing and prints nothing."""
    context = library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


_context = lru_cache(maxsize=1)(new_context)


def rows_of(context: Any, table: str) -> Any:
    """A batch definition of all rows of a frame, which is given when it is run."""
    # The frame is persisted where it is read more than once.
    source = context.data_sources.add_or_update_spark(table, persist=False)
    return source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all")


def _validated(batch: Any, suite: Suite) -> list[SuiteResult]:
    """Two passes over the rows, and a third for the counts of what fails."""
    places = range(len(suite.expectations))
    of_rows = [nth for nth in places if _is_of_rows(suite.expectations[nth]["type"])]
    of_all = [nth for nth in places if nth not in of_rows]
    found = _run(batch, suite, of_all, NO_ROWS_LISTED) | _run(batch, suite, of_rows, "BOOLEAN_ONLY")
    found |= _run(batch, suite, [nth for nth in of_rows if not found[nth].success], NO_ROWS_LISTED)
    # One that cannot be computed takes down all that are computed in one query with it.
    for nth in [nth for nth in places if found[nth].error]:
        found |= _run(batch, suite, [nth], NO_ROWS_LISTED)
    return [found[nth] for nth in places]


def _run(
    batch: Any, suite: Suite, places: Sequence[int], result_format: Any
) -> dict[int, SuiteResult]:
    """Outcomes of the expectations at these places of the suite."""
    if not places:
        return {}
    chosen = [{**suite.expectations[nth], "meta": {PLACE: nth}} for nth in places]
    results = batch.validate(suite_of(suite.name, chosen), result_format=result_format).results
    # They come back in an order of Great Expectations' own.
    found = ((each.expectation_config.meta[PLACE], each) for each in results)
    return {nth: _outcome(suite.expectations[nth], each) for nth, each in found}


def _is_of_rows(type_: str) -> bool:
    """Whether the expectation is of each row by itself."""
    from great_expectations.expectations import expectation, registry

    of_rows = (
        expectation.ColumnMapExpectation,
        expectation.ColumnPairMapExpectation,
        expectation.MulticolumnMapExpectation,
    )
    return issubclass(registry.get_expectation_impl(type_), of_rows)


def _outcome(given: Mapping[str, Any], result: Any) -> SuiteResult:
    seen, error = result.result or {}, _error(result)
    is_shown = not OF_ONE_ROW.match(given["type"])
    return SuiteResult(
        expectation=given["type"],
        kwargs=given["kwargs"],
        success=bool(result.success) and error is None,
        observed=_number(seen.get("observed_value")) if is_shown else None,
        rows=seen.get("element_count"),
        unexpected=seen.get("unexpected_count"),
        error=error,
    )


def _number(value: Any) -> float | None:
    """A figure as a number; anything else could be a borrower's value."""
    return float(value) if isinstance(value, int | float) and not isnan(value) else None


def _error(result: Any) -> str | None:
    """Spark's name of what went wrong, without the message, which can hold values."""
    info = result.exception_info or {}
    each = [info, *[nested for nested in info.values() if isinstance(nested, dict)]]
    for raised in (one for one in each if one.get("raised_exception")):
        condition = re.match(r"\[([A-Z]\w*(?:\.\w+)*)\]", str(raised.get("exception_message")))
        return condition[1] if condition else "an exception"
    return None


def _is_empty(frame: DataFrame, column: str) -> bool:
    return frame.where(frame[column].isNotNull()).isEmpty()


def _not_evaluated(outcome: SuiteResult) -> SuiteResult:
    return SuiteResult(outcome.expectation, outcome.kwargs, success=None)
