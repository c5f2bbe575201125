"""The benchmark's verdicts, and the document that its commands fill."""

from pathlib import Path

import pytest

from tests.bench.judgement import Goal, is_slower, outcome
from tests.bench.works import covered, works_of

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


@pytest.mark.parametrize(
    "section", ["night", "profile", "growth", "wide", "page", "fit", "training"]
)
def test_every_command_has_its_section(section) -> None:
    document = (PROJECT / "docs/benchmark.md").read_text(encoding="utf-8")

    assert document.count(f"<!-- begin {section} -->\n") == 1
    assert document.count(f"<!-- end {section} -->") == 1


def job(number: int, about: str | None, begun: int, ended: int) -> list[dict]:
    told = {"Stage ID": number, "Accumulables": [
        {"ID": 1, "Name": "internal.metrics.executorRunTime", "Value": 1500},
        {"ID": 2},
    ]}  # fmt: skip
    properties = {"spark.job.description": about} if about else {}
    return [
        {"Event": "SparkListenerJobStart", "Job ID": number, "Submission Time": begun,
         "Properties": properties, "Stage IDs": [number]},
        {"Event": "SparkListenerStageCompleted", "Stage Info": told},
        {"Event": "SparkListenerJobEnd", "Job ID": number, "Completion Time": ended},
    ]  # fmt: skip


def test_jobs_that_are_described_alike_are_one_work() -> None:
    events = [
        {"Event": "SparkListenerApplicationStart"},
        *job(0, "judge loans", 1000, 2000), *job(1, "score", 1500, 4000),
        *job(2, "judge loans", 3000, 3500), *job(3, None, 5000, 5100),
    ]  # fmt: skip

    judge, score, other = works_of(events)

    assert (judge.about, judge.seconds) == ("judge loans", 1.5)
    assert judge.times == {"tasks": 3.0, "collecting garbage": 0.0}
    assert (score.about, score.seconds) == ("score", 2.5)
    assert other.about == "undescribed jobs"
    assert covered([*judge.spans, *score.spans]) == 3.0
