"""The benchmark's verdicts, and the document that its commands fill."""

from pathlib import Path

import pytest

from tests.bench.judgement import Goal, is_slower, outcome
from tests.bench.queries import place, queries_of

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("ours", "theirs", "slower"),
    [
        ([10.0], [10.0], False),
        ([11.4], [10.0], False),
        ([11.6], [10.0], True),
        ([1.4], [1.0], False),
        ([1.6], [1.0], True),
        ([5.0], [10.0], False),
        ([10.0, 10.1, 99.0], [10.0, 9.9, 10.1], False),
    ],
)
def test_slower_is_beyond_15_percent_and_half_a_second(ours, theirs, slower) -> None:
    assert is_slower(ours, theirs) is slower


@pytest.mark.parametrize(("ours", "is_met"), [(2.4, True), (2.5, True), (2.6, False)])
def test_a_goal_is_met_at_its_ratio_or_below(ours, is_met) -> None:
    assert outcome(Goal("Java", "seconds", 0.25), ours, 10.0).is_met is is_met


@pytest.mark.parametrize("section", ["night", "profile", "growth", "wide", "fit", "training"])
def test_every_command_has_its_section(section) -> None:
    document = (PROJECT / "docs/benchmark.md").read_text(encoding="utf-8")

    assert document.count(f"<!-- begin {section} -->\n") == 1
    assert document.count(f"<!-- end {section} -->") == 1


SQL = "org.apache.spark.sql.execution.ui."


def start(number: int, root: int, about: str, time: int) -> dict:
    told = {"executionId": number, "rootExecutionId": root, "description": about, "time": time}
    return {"Event": f"{SQL}SparkListenerSQLExecutionStart", **told}


def job(query: int, stage: int) -> list[dict]:
    about = {"Stage ID": stage, "Accumulables": [
        {"ID": 1, "Name": "internal.metrics.executorRunTime", "Value": 1500},
        {"ID": 2, "Name": "time to run Python workers", "Value": "250"},
        {"ID": 3},
    ]}  # fmt: skip
    properties = {"spark.sql.execution.id": str(query)}
    return [
        {"Event": "SparkListenerJobStart", "Properties": properties, "Stage IDs": [stage]},
        {"Event": "SparkListenerStageCompleted", "Stage Info": about},
    ]


def test_what_a_query_asks_for_itself_counts_as_its_own() -> None:
    events = [
        start(0, 0, "write loans", 1000), *job(0, 1),
        start(1, 0, "a snapshot", 2000), *job(1, 2),
        {"Event": f"{SQL}SparkListenerSQLExecutionEnd", "executionId": 1, "time": 2500},
        {"Event": f"{SQL}SparkListenerSQLExecutionEnd", "executionId": 0, "time": 4000},
    ]  # fmt: skip

    (query,) = queries_of(events)

    assert (query.about, query.seconds) == ("write loans", 3.0)
    assert query.times == {"tasks": 3.0, "collecting garbage": 0.0, "Python": 0.5}


def test_a_query_with_no_words_is_named_by_the_function_that_asks(tmp_path) -> None:
    code = tmp_path / "credit_spark/steps/clean.py"
    code.parent.mkdir(parents=True)
    code.write_text("def first():\n    pass\n\n\ndef census():\n    collect()\n")

    assert place(f"collect at {code}:6") == "census (steps/clean.py)"
    assert place("judge loans") == "judge loans"
    assert (
        place("save at NativeMethodAccessorImpl.java:0")
        == "save at NativeMethodAccessorImpl.java:0"
    )
