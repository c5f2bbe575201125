"""The one adapter to Great Expectations: a suite in its own format, run on a Spark frame.

The gate asks first only whether each expectation holds; the failed ones are asked again for what
was seen. Rows that break one are never listed: they hold borrowers' values.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from credit_spark.contract.errors import InputError


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

    def failures(self, table: str, frame: DataFrame) -> list[Failure]:
        """What a frame fails of its table's suite; none where the table has no suite.

        Raises:
            InputError: the suite cannot be read.
        """
        path = self._folder / f"{table}.json"
        if not path.is_file():
            return []
        batch, suite = _batch(frame), _suite(path)
        verdict = batch.validate(suite, result_format="BOOLEAN_ONLY")
        failed = [each.expectation_config for each in verdict.results if not each.success]
        if not failed:
            return []
        again = _suite_of(suite.name, [config.to_json_dict() for config in failed])
        return [_failure(each) for each in batch.validate(again, result_format="SUMMARY").results]


def _library() -> Any:
    """Great Expectations, which takes seconds to import and would else call home."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations


def _batch(frame: DataFrame) -> Any:
    context = _library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_spark("night", persist=False)
    asset = source.add_dataframe_asset("frame")
    definition = asset.add_batch_definition_whole_dataframe("all")
    return definition.get_batch(batch_parameters={"dataframe": frame})


def _suite(path: Path) -> Any:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        return _suite_of(given["name"], given["expectations"])
    except Exception as error:
        raise InputError(f"{path}: this suite cannot be read: {error}") from error


def _suite_of(name: str, expectations: list[dict[str, Any]]) -> Any:
    return _library().ExpectationSuite(name=name, expectations=expectations)


def _failure(result: Any) -> Failure:
    config = result.expectation_config
    about = {k: v for k, v in config.kwargs.items() if k not in ("batch_id", "result_format")}
    said = ", ".join(f"{key} {value}" for key, value in about.items())
    return Failure(config.type, said, _seen(result))


def _seen(result: Any) -> str:
    if result.exception_info.get("raised_exception"):
        return f"could not be computed: {result.exception_info.get('exception_message')}"
    shown = ("observed_value", "element_count", "unexpected_count", "unexpected_percent")
    facts = {key: result.result[key] for key in shown if key in result.result}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items())
