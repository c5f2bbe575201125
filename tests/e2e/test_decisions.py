"""What people decide about a model: promotion, rollback, policy, and inputs that have changed."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.batches import AS_OF, arrow, contents, run
from tests.projects import changed_project

pytestmark = pytest.mark.usefixtures("spark", "elsewhere")

WHO = ("--by", "A. Head", "--reason", "a try")


def models(warehouse: Path) -> list[dict]:
    return arrow(warehouse / "lending_club/models").to_pylist()


@pytest.mark.release
def test_a_gate_is_overruled_by_name_for_a_reason_that_is_kept(
    run_command, again, tmp_path
) -> None:
    project = changed_project(tmp_path, "auc: [0.6, 0.95]", "auc: [0.9, 0.95]")
    fit = run_command("train", again, "--project", project, "--imbalance", "none", "--json")
    version = fit.summary["train"]["model_version"]
    before = contents(again / "lending_club")
    who = ("--by", "A. Head", "--reason", r"it's \"new\" \n book's")

    def promoted(*more: str):
        return run_command("promote", again, "--project", project, "--model", version, *more)

    for wrong, code, said in [
        (who, 11, "out_of_time.auc is"),
        ((), 2, "--by: say who decides"),
        (("--by", "A. Head", "--overrule", "out_of_time.auc"), 2, "--reason: say why"),
        (("--overrule", "cv.auc", *who), 2, "there is no gate 'cv.auc'"),
        (("--overrule", "out_of_time.mean_pd_over_observed", *who), 11, "out_of_time.auc is"),
    ]:  # fmt: skip
        told = promoted(*wrong)
        assert (told.code, said in told.sentence) == (code, True), told.sentence
        assert contents(again / "lending_club") == before

    told = promoted("--overrule", "out_of_time.auc", *who)

    assert told.code == 0, told.err
    row = next(row for row in models(again) if row["model_version"] == version)
    assert row["status"] == "champion"
    gates = {gate["name"]: gate for gate in json.loads(row["gates"])}
    assert gates["out_of_time.auc"]["overruled"] == {
        "reason": r"it's \"new\" \n book's", "as_of": AS_OF,
    }  # fmt: skip
    assert "overruled" not in gates["out_of_time.mean_pd_over_observed"]
    (promotion,) = json.loads(row["promotions"])
    assert promotion.pop("at") > "2026"
    assert promotion == {
        "champion_from": AS_OF, "by": "A. Head", "reason": r"it's \"new\" \n book's",
        "overruled": ["out_of_time.auc"], "is_rollback": False, "instead_of": None,
    }  # fmt: skip


@pytest.mark.release
def test_a_champion_is_rolled_back_in_one_command(run_command, again) -> None:
    first = models(again)[0]["model_version"]
    second = run_command("train", again, "--imbalance", "none", "--json").summary["train"][
        "model_version"
    ]
    who = ("--by", "A. Head", "--reason", "a try")
    assert run_command("rollback", again, *who).code == 2
    assert run_command("promote", again, "--model", second, *who, as_of="2012-02-29").code == 0

    told = run_command("rollback", again, as_of="2012-02-29")
    assert (told.code, "--by: say who" in told.sentence) == (2, True)
    told = run_command("rollback", again, *who, "--json", as_of="2012-02-29")

    assert told.code == 0, told.err
    assert told.summary["promote"]["model_version"] == first
    rows = {row["model_version"]: row for row in models(again)}
    assert {version: row["status"] for version, row in rows.items()} == {
        first: "champion",
        second: "retired",
    }
    made = [json.loads(rows[each]["promotions"]) for each in (first, second)]
    assert [len(each) for each in made] == [2, 1]
    assert made[0][0]["by"] == "credit-spark nightly"
    assert made[0][1]["by"] == "A. Head"


@pytest.mark.release
def test_where_promotion_is_manual_a_sound_fit_waits(run_command, again, tmp_path) -> None:
    """With no champion nothing is scored; with one it goes on scoring."""
    project = changed_project(tmp_path, "promotion: automatic\n", "")
    fresh = tmp_path / "fresh"

    told = run_command("nightly", fresh, "--project", project)

    assert told.code == 11
    assert "passes its gates and waits for a decision" in told.sentence
    tables = fresh / "lending_club"
    assert not (tables / "scores").exists()
    (waiting,) = arrow(tables / "models").to_pylist()
    assert (waiting["status"], waiting["promotions"]) == ("challenger", "[]")
    assert run_command("promote", fresh, "--by", "A. Head", "--reason", "sound").code == 0
    told = run_command("nightly", fresh, "--project", project, "--json")
    assert told.code == 0, told.err
    assert told.summary["score"]["model_version"] == waiting["model_version"]
    # A training on the same loans fits the champion again, which waits for nobody.
    told = run_command("nightly", fresh, "--retrain", "--project", project, "--json")
    assert (told.code, "kept" in told.summary) == (0, False), told.err
    assert told.summary["promote"]["model_version"] == waiting["model_version"]
    told = run_command("promote", fresh, "--model", waiting["model_version"], *WHO)
    assert (told.code, "is the champion of 2012-01-31 already" in told.sentence) == (2, True)

    champion = models(again)[0]["model_version"]
    one_fold_less = changed_project(
        tmp_path / "b", "promotion: automatic\n", "", ("folds: 5", "folds: 4")
    )
    told = run_command("nightly", again, "--retrain", "--project", one_fold_less, "--json")
    assert told.code == 0, told.err
    assert told.summary["score"]["model_version"] == champion
    assert "waits for a decision" in told.summary["kept"]["why"]
    # The new fit has figures of its own; the champion's are still what batches are compared with.
    drift = arrow(again / "lending_club/drift").to_pylist()
    assert "approval_rate" in {row["measure"] for row in drift}


@pytest.mark.release
def test_a_fit_on_other_inputs_waits_where_the_champion_cannot_score(
    run_command, again, tmp_path
) -> None:
    """Nothing is scored until someone decides; the fit is kept, so that someone can."""
    grown = (
        '  fico:                  {sql: "fico"',
        '  grown: {sql: "fico * fico", reason: "The score"}\n  fico:                  {sql: "fico"',
    )
    project = changed_project(tmp_path, "promotion: automatic\n", "", grown)
    scores = contents(again / "lending_club")["scores"]

    told = run_command("nightly", again, "--retrain", "--project", project)

    assert told.code == 11
    assert "waits for a decision" in told.sentence
    assert contents(again / "lending_club")["scores"] == scores
    (waiting,) = (row["model_version"] for row in models(again) if row["status"] == "challenger")
    assert run_command("promote", again, "--project", project, "--model", waiting, *WHO).code == 0
    told = run_command("nightly", again, "--project", project, "--json")
    assert told.code == 0, told.err
    assert told.summary["score"]["model_version"] == waiting


def test_a_changed_policy_acts_on_the_next_run_of_the_same_model(
    run_command, again, capfd, tmp_path
) -> None:
    """Cut-offs, bands, hard rules, the points scale and reason texts, with no training."""
    before = arrow(again / "lending_club/scores").to_pylist()
    project = changed_project(
        tmp_path, "approve_below: 0.12", "approve_below: 0.3", ("decline_from: 0.25", "decline_from: 0.4"),
        ("points_at: 600", "points_at: 700"), ('reason: "The income is low"', 'reason: "Income: low"'),
        ("# Of the 6,431", 'decline_if: {short: {sql: "fico < 700", reason: "Score under 700"}}\n# Of the 6,431'),
        ("given_default: 0.61", "given_default: 0.4"),
    )  # fmt: skip

    flags = ("--portfolio", "lending_club", "--warehouse", again, "--project", project)
    shown = run(capfd, "what-if", *flags)
    last, next_ = run(capfd, "what-if", *flags, "--json").summary["cutoffs"]
    told = run_command("nightly", again, "--project", project, "--json")

    assert told.code == 0, told.err
    after = {row["loan_id"]: row for row in arrow(again / "lending_club/scores").to_pylist()}
    assert {row["model_version"] for row in before} == {
        row["model_version"] for row in after.values()
    }
    assert all(row["points"] + 100 == after[row["loan_id"]]["points"] for row in before)
    assert all(row["pd"] == after[row["loan_id"]]["pd"] for row in before)
    approved = sum(row["decision"] == "approve" for row in after.values())
    # What-if has said so before.
    (foreseen,) = re.findall(r"0\.3000 +│ +([\d,]+) +│.*next", shown.out)
    assert foreseen == f"{approved:,}"
    for seen, rows in ((last, before), (next_, after.values())):
        lost = sum(row["expected_loss"] for row in rows if row["decision"] == "approve")
        assert seen["expected_loss"] == pytest.approx(lost, rel=1e-9)
    # By the new hard rule, too, which declines loans of any PD; the last run's row is by its own.
    refused = [row for row in after.values() if row["reason_1"] == "Score under 700"]
    assert {row["decision"] for row in refused} == {"decline"}
    assert any(row["pd"] < 0.3 for row in refused)
    assert any(row["pd"] > 0.25 for row in refused)
    (was,) = re.findall(r"0\.1200 +│ +([\d,]+) +│.*last", shown.out)
    assert was == f"{sum(row['decision'] == 'approve' for row in before):,}"
    given = {row[f"reason_{nth}"] for row in after.values() for nth in range(1, 5)}
    assert "Income: low" in given
    assert "The income is low" not in given
    runs = arrow(again / "lending_club/runs").to_pylist()
    hashes = {row["policy_hash"] for row in runs if row["policy_hash"]}
    assert {before[0]["policy_hash"], next(iter(after.values()))["policy_hash"]} == hashes
    assert len(hashes) == 2


def test_a_scored_date_is_shown_and_monitored_by_the_policy_that_scored_it(
    run_command, again, capfd, tmp_path
) -> None:
    """A contract that has changed since acts on the next run, not on what is there."""

    def approval() -> list[dict]:
        rows = arrow(again / "lending_club/drift").to_pylist()
        named = ("value", "baseline", "critical_value", "status")
        return [
            {name: row[name] for name in named} for row in rows if row["measure"] == "approval_rate"
        ]

    before = approval()
    project = changed_project(
        tmp_path, "approve_below: 0.12", "approve_below: 0.2", ("D: 0.20, E: 1}", "D: 0.20, Z: 1}")
    )
    flags = ("--portfolio", "lending_club", "--warehouse", again, "--project", project)

    shown = run(capfd, "show", "bands", "--json", *flags)
    told = run_command("monitor", again, "--project", project)

    scores = arrow(again / "lending_club/scores").to_pylist()
    counts = Counter(row["band"] for row in scores)
    assert {row["band"]: row["loans"] for row in json.loads(shown.out)} == {
        band: counts[band] for band in "ABCDE"
    }
    assert told.code == 0, told.err
    assert approval() == before
    assert [row["status"] for row in before] == ["stable"]


INPUTS = [
    ("loan_amount / greatest(annual_income, 1000)", "loan_amount / greatest(annual_income, 2000)", "features.loan_to_income: it was"),
    ('  fico:                  {sql: "fico"', '  grown: {sql: "fico + 1", reason: "The score"}\n  fico:                  {sql: "fico"', "features.grown: the model was fitted without it"),
    ("range: [500, 100000]", "range: [500, 200000]", "columns.loan_amount.range: it was [500.0, 100000.0], now it is [500.0, 200000.0]"),
    ("missing: [\"\", \"NA\", \"n/a\"]\n      units: {interest_rate: percent, revolving_utilisation: percent, debt_to_income: percent}", "missing: [\"\", \"NA\", \"n/a\"]\n      units: {interest_rate: fraction, revolving_utilisation: percent, debt_to_income: percent}", "source.layouts.download.units.interest_rate: it was percent, now it is fraction"),
]  # fmt: skip


COMMANDS = ("nightly", "score", "nightly", "score")


@pytest.mark.parametrize(
    ("command", "old", "new", "said"),
    [(command, *changed) for command, changed in zip(COMMANDS, INPUTS, strict=True)],
    ids=["sql", "feature", "range", "unit"],
)
def test_a_contract_with_other_inputs_than_the_champions_is_refused(
    run_command, again, tmp_path, command, old, new, said
) -> None:
    project = changed_project(tmp_path, old, new)
    before = contents(again / "lending_club")

    told = run_command(command, again, "--project", project)

    assert told.code == 2
    assert "has other inputs than the champion" in told.sentence
    assert said in told.sentence
    assert contents(again / "lending_club") == before
