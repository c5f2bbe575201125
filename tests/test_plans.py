"""What Spark is asked to do: scans and exchanges, few and known."""

import re
from datetime import date

import numpy as np
import pytest

from credit_spark.adapters.landing import Landing
from credit_spark.cleaning.superseding import accepted, rivals, set_aside, with_contents
from credit_spark.modelling.scoring import scored
from credit_spark.sample import write_sample
from tests.modelling.test_scoring import DDL, document, number, word

AS_OF = date(2012, 1, 31)
LEAVES_JAVA = r"BatchEvalPython|ArrowEvalPython|MapInPandas"


def plan_of(frame) -> str:
    return frame._jdf.queryExecution().executedPlan().toString()


def count(pattern: str, plan: str) -> int:
    return len(re.findall(pattern, plan))


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("landing")
    write_sample(folder, AS_OF, 3000, seed=5)
    return folder


@pytest.fixture(scope="module")
def blocks(spark, lending_club, landing):
    read = Landing(spark, lending_club, f"file:{landing}", AS_OF)
    kept = with_contents(read.blocks(read.files())).persist()
    yield kept
    kept.unpersist()


def test_loans_that_are_alone_with_their_key_are_moved_nowhere(blocks, lending_club) -> None:
    nobody = np.array([], dtype=np.int64)

    plan = plan_of(accepted(blocks, blocks, lending_club, nobody))

    assert count("InMemoryTableScan", plan) == 1
    assert count("MapInArrow", plan.split("InMemoryRelation")[0]) == 1
    assert not count("Exchange|Sort ", plan)


def test_only_contested_lines_are_put_beside_each_other(blocks, lending_club) -> None:
    contested = np.array([1, 2], dtype=np.int64)

    plan = plan_of(
        accepted(blocks, rivals(blocks, lending_club, contested), lending_club, contested)
    )

    assert count("Exchange hashpartitioning", plan) == 1
    assert count("Window ", plan) == 1


def test_lines_set_aside_are_read_from_what_was_kept(blocks) -> None:
    plan = plan_of(set_aside(blocks))

    assert count("InMemoryTableScan", plan) == 1
    assert count("Exchange hashpartitioning", plan) == 1


def test_scoring_is_one_generated_stage(spark) -> None:
    given = spark.createDataFrame([("A", 1.0, 2.0, "a", None)], DDL)
    terms = [number("x", 1.0), number("y", 1.0), word(a=2.0, b=-1.0)]

    plan = plan_of(scored(given, document(terms), "loan_id"))

    assert not count(f"Exchange|Sort |{LEAVES_JAVA}", plan)
    steps = [line for line in plan.splitlines() if "Project" in line]
    assert steps
    assert all(re.search(r"\*\(1\) Project", line) for line in steps)
