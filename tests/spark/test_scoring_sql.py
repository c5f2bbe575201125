"""The statement that the run executes, against DuckDB, the page and plain arithmetic."""

from itertools import product
from math import inf, nan

import pyarrow as pa
import pytest

from credit_spark.config.models import Contract
from credit_spark.config.tables import REASONS
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.frames import scores_of, terms_of
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import terms_sql
from tests.engines import by_arithmetic, by_duckdb, by_record, by_spark, parity, rows_of
from tests.unit.test_scoring_sql import PLAN, document, number, policy, word

NUMBERS = [None, nan, inf, -inf, 0.0, 1.0, 1.0 + 2**-52, 1e308, -1e308]
WORDS = [None, "", "a", "b{c}", "it's", "${spark.app.name}", "zzz"]


@pytest.fixture(scope="module")
def lender(contract) -> Contract:
    """A lender with two numbers and a word."""
    columns = dict(zip("xyw", ["number", "number", "category"], strict=True))
    some = next(iter(contract.columns.values()))
    made = {name: some.model_copy(update={"kind": kind}) for name, kind in columns.items()}
    rule = {"sql": "w = 'b{c}' and x > 0", "reason": "It's {x} of ${spark.app.name}"}
    return Contract.model_validate(
        contract.model_dump(by_alias=True, exclude={"columns", "features", "segments", "analyses", "decline_if", "rules", "loss", "observed_on", "newest_by", "key", "outcome", "model", "score", "performance_months"})
        | {"columns": {n: e.model_dump(by_alias=True) for n, e in made.items()}, "features": {"x": {"sql": "x", "reason": "x"}}, "score": PLAN.model_dump(), "decline_if": {"braces": rule}}
    )  # fmt: skip


@pytest.fixture(scope="module")
def odd_loans() -> pa.Table:
    """Every mix of odd values: equal costs, one hair apart, nulls, infinities, unseen texts."""
    mixes = enumerate(product(NUMBERS, NUMBERS, WORDS))
    rows = [{"loan_id": f"{nth}", "x": x, "y": y, "w": w} for nth, (x, y, w) in mixes]
    schema = pa.schema(
        {"loan_id": pa.string(), "x": pa.float64(), "y": pa.float64(), "w": pa.string()}
    )
    return pa.Table.from_pylist(rows, schema)


@pytest.fixture(scope="module")
def model() -> ModelDocument:
    ends = {"low": -0.5, "high": 1.5}
    numbers = [number(name, 1.0).model_copy(update=ends) for name in "xy"]
    return document(
        [*numbers, word(**{"a": 1.0, "it's": 2.0, "b{c}": -1.0, "${spark.app.name}": 0.5})], -1.0
    )


@pytest.fixture(scope="module", params=["mean", "best"])
def decided(request, lender, model) -> Policy:
    plan = PLAN.model_copy(update={"reference": request.param})
    return policy(model, Policy.of(lender).refusals, plan)


def test_every_engine_gives_odd_loans_the_same_score(
    spark, odd_loans, model, decided, lender, tmp_path
) -> None:
    scores = by_spark(spark, tmp_path, odd_loans, model, lender, decided)

    for theirs in (by_duckdb, by_record, by_arithmetic):
        found = parity(scores, theirs(odd_loans, model, lender, decided))
        assert found.pd < 1e-12
        assert not found.decided_else
    assert {row["decision"] for row in scores.values()} == {"approve", "review", "decline"}
    assert any(row["reason_1"] == "It's {x} of ${spark.app.name}" for row in scores.values())


def test_every_engine_gives_the_same_terms(spark, odd_loans, model, lender) -> None:
    kinds, keep = lender.kinds, ("loan_id", "w")
    frame = spark.createDataFrame(odd_loans)

    ours = terms_of(frame, model, kinds, keep).toArrow().to_pylist()

    assert ours == rows_of(odd_loans, terms_sql(model, kinds, "duckdb", keep))


def test_the_frame_has_the_kept_columns_and_the_table_of_scores(
    spark, odd_loans, model, decided, lender
) -> None:
    frame = spark.createDataFrame(odd_loans)

    scores = scores_of(frame, model, decided, lender.kinds, ["w", "loan_id"])

    assert scores.columns == [
        "w", "loan_id", "log_odds", "pd", "points", "band", "decision", *REASONS, "model_version",
        "policy_hash",
    ]  # fmt: skip
    assert dict(scores.dtypes)["points"] == "int"
