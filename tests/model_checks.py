"""What a bank must be able to show of a model: true reasons, one score, no better edge."""

from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession

from credit_spark.config.expressions import condition, expression
from credit_spark.config.models import Contract, ContractColumn
from credit_spark.config.tables import REASONS
from credit_spark.scoring.document import Category, ModelDocument, Number
from tests.batches import arrow
from tests.engines import in_duckdb, rows_of


class Stated(NamedTuple):
    """Reasons that a batch has given: how many, how many of them are false, and some of those."""

    given: int
    false: int
    examples: list[str]


def model_of(tables: Path) -> ModelDocument:
    """The only model of a batch."""
    (row,) = arrow(tables / "models").to_pylist()
    return ModelDocument.of(row["document"])


def stated_reasons(tables: Path, contract: Contract) -> Stated:
    """Every reason of every loan against the loan's own values, as the contract words it.

    A text is true where one of its features has a value on the side that the text claims, any
    value where it claims none, or none where it is the text for that; or where its hard rule holds.
    """
    model, kinds = model_of(tables), contract.kinds
    features = {
        name: in_duckdb(expression(each.sql, kinds).sql) for name, each in contract.features.items()
    }
    rules = {
        f"_{name}": in_duckdb(condition(each.sql, kinds).sql)
        for name, each in contract.decline_if.items()
    }
    columns = ", ".join(f'({sql}) as "{name}"' for name, sql in (features | rules).items())
    values = {
        row["loan_id"]: row
        for row in rows_of(arrow(tables / "loans"), f"select loan_id, {columns} from loans")
    }
    means = {each.name: each.mean for each in model.features if isinstance(each, Number)}
    given, false = 0, []
    for score in arrow(tables / "scores").to_pylist():
        for text in filter(None, (score[each] for each in REASONS)):
            given += 1
            if not any(_claims(text, values[score["loan_id"]], contract, means)):
                false.append(f"{score['loan_id']}: {text}")
    return Stated(given, len(false), false[:5])


def _claims(
    text: str, values: Mapping[str, Any], contract: Contract, means: Mapping[str, float]
) -> Iterator[bool]:
    for name, each in contract.features.items():
        value = values[name]
        is_missing = value is None or (isinstance(value, float) and not isfinite(value))
        above, below = (
            not is_missing and name in means and sign * value > sign * means[name]
            for sign in (1, -1)
        )
        claims = {"increases_risk": above, "lowers_risk": below, None: not is_missing}
        yield text == each.reason and claims[each.expect]
        yield text == each.reason_high and above
        yield text == each.reason_low and below
        yield text == each.reason_missing and is_missing
    for name, rule in contract.decline_if.items():
        yield text == rule.reason and bool(values[f"_{name}"])


def gap_of_pipeline(spark: SparkSession, tables: Path) -> tuple[int, float]:
    """Loans that the stored pipeline scores, and how far its PDs are from those of `scores`."""
    pipeline = PipelineModel.load(str(tables / "pipelines" / model_of(tables).version))
    loans = spark.read.format("delta").load(str(tables / "loans"))
    pd = vector_to_array("probability")[1]
    theirs = dict(pipeline.transform(loans).select("loan_id", pd).collect())
    ours = {row["loan_id"]: row["pd"] for row in arrow(tables / "scores").to_pylist()}
    assert ours.keys() == theirs.keys()
    return len(ours), max(abs(theirs[each] - pd) for each, pd in ours.items())


def better_edges(tables: Path, contract: Contract) -> list[str]:
    """Values at which a feature has no value, or looks better than beside it, against `expect`.

    Each column goes over its range, its edges and values of the loans.
    """
    model, loans = model_of(tables), arrow(tables / "loans")
    found = []
    for term in model.terms:
        if (expected := contract.features[term.name].expect) is None:
            continue
        compiled = expression(contract.features[term.name].sql, contract.kinds)
        names = sorted(compiled.columns)
        grid = [*product(*(_walk(contract.columns[name], loans[name]) for name in names))]
        schema = pa.schema([loans.schema.field(name) for name in names])
        table = pa.Table.from_pylist(
            [dict(zip(names, point, strict=True)) for point in grid], schema
        )
        values = [
            row["v"] for row in rows_of(table, f"select {in_duckdb(compiled.sql)} as v from loans")
        ]
        found += [
            f"{term.name}: no value at {point}"
            for point, value in zip(grid, values, strict=True)
            if value is None
        ]
        ordered = sorted({value for value in values if value is not None})
        sign = 1 if expected == "increases_risk" else -1
        terms = [sign * _added(term, value) for value in ordered]
        found += [
            f"{term.name}: {one} and {other}"
            for (one, other), (low, high) in zip(pairwise(ordered), pairwise(terms), strict=True)
            if high < low - 1e-12
        ]
    return found


def _added(term: Number | Category, value: float) -> float:
    assert isinstance(term, Number)
    return (value - term.mean) * term.slope


def _walk(spec: ContractColumn, column: pa.ChunkedArray) -> list[Any]:
    """Edges of a column, values a little inside of them, zero, and some values of the loans."""
    known = sorted(set(column.drop_null().to_pylist()))
    own = known[:: max(1, len(known) // 12)] + known[-1:]
    if spec.range is None:
        return own
    low, high = spec.range
    kind = type(known[0])
    inside = [low, low + 1, high, *([0, 1, 1000] if low <= 0 else [])]
    return sorted({kind(each) for each in [*own, *inside] if low <= each <= high})
