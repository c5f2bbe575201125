"""The benchmark's verdicts, and the document that its commands fill."""

from pathlib import Path

import pytest

from tests.bench.judgement import Goal, is_slower, outcome

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


@pytest.mark.parametrize("section", ["night", "growth", "wide"])
def test_every_command_has_its_section(section) -> None:
    document = (PROJECT / "docs/benchmark.md").read_text(encoding="utf-8")

    assert document.count(f"<!-- begin {section} -->\n") == 1
    assert document.count(f"<!-- end {section} -->") == 1
