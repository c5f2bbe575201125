"""Trainings as a modeller asks for them: benchmarks, penalties, gates, the challenger's shadow."""

import json
import shutil
from datetime import date
from pathlib import Path
from statistics import fmean

import pytest

from credit_spark.config.loading import load_contract
from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import Category, ModelDocument
from tests.batches import AS_OF, arrow, contents, run
from tests.engines import by_every_engine, parity, with_strange
from tests.projects import PROJECT, changed_project

pytestmark = [pytest.mark.release, pytest.mark.usefixtures("spark", "elsewhere")]

WHO = ("--by", "A. Head", "--reason", "a try")


def metrics(warehouse: Path) -> list[dict]:
    return arrow(warehouse / "lending_club/metrics").to_pylist()


def models(warehouse: Path) -> list[dict]:
    return arrow(warehouse / "lending_club/models").to_pylist()


def test_what_reasons_may_be_held_against_is_kept(done) -> None:
    (row,) = arrow(done / "models").to_pylist()
    features = ModelDocument.of(row["document"]).features
    (fico,) = (each for each in features if each.name == "fico")
    values = [loan["fico"] for loan in arrow(done / "loans").to_pylist() if loan["fico"]]
    inside = [fico.low <= each <= fico.high for each in values]
    assert 0.87 < sum(inside) / len(inside) < 0.97
    assert fico.low < fico.mean < fico.high


def test_means_and_medians_are_the_loans_own_whatever_the_strategy(run_command, again) -> None:
    told = run_command("train", again, "--imbalance", "oversample,smote", "--json")

    assert told.code == 0, told.err
    known = [
        loan
        for loan in arrow(again / "lending_club/loans").to_pylist()
        if loan["outcome"] in {"good", "bad"}
    ]
    documents = [json.loads(row["document"]) for row in models(again)]
    assert len(documents) == 3
    for each in documents:
        cutoff = date.fromisoformat(each["facts"]["out_of_time_from"])
        learnt = [loan["fico"] for loan in known if loan["issued_on"] < cutoff]
        (fico,) = (term for term in each["features"] if term["name"] == "fico")
        values = [fico["imputed"] if value is None else value for value in learnt]
        assert fico["mean"] == pytest.approx(fmean(values), rel=1e-12)
    first, *others = (
        [(each["name"], each["imputed"]) for each in own["features"] if each["kind"] == "number"]
        for own in documents
    )
    assert others == [first, first]


def test_benchmarks_stand_beside_and_never_among_the_models(run_command, again, tmp_path) -> None:
    project = changed_project(tmp_path, "folds: 5", "folds: 2")

    asked = ("--benchmarks", "boosted_trees", "--random-split", "--json")
    told = run_command("train", again, "--project", project, *asked)

    assert told.code == 0, told.err
    (trees,) = told.summary["train"]["benchmarks"]
    fit = told.summary["train"]
    assert trees["name"] == "boosted_trees"
    # They learn by heart what they are trained on, and are no better than chance allows held out.
    assert trees["train"]["auc"] > fit["train"]["auc"] + 0.05
    assert 0.55 < trees["cv"]["auc_mean"] < fit["cv"]["auc_mean"] + 0.03
    assert 0.8 < trees["cv"]["mean_pd_over_observed"] < 1.25
    rows = metrics(again)
    of_trees = [row for row in rows if row["model_version"] == "boosted_trees"]
    assert {row["dataset"] for row in of_trees} == {"cv", "train", "out_of_time"}
    pooled = {
        (row["model_version"], row["dataset"]): row["rows"]
        for row in rows
        if row["metric"] == "auc" and row["fold"] is None
    }
    for dataset in ("cv", "out_of_time"):
        assert pooled["boosted_trees", dataset] == pooled[fit["model_version"], dataset]
    assert fit["model_version"] in {row["model_version"] for row in models(again)}
    assert "boosted_trees" not in {row["model_version"] for row in models(again)}
    assert fit["random_split"]["auc"] == pytest.approx(fit["cv"]["auc_mean"], abs=0.08)

    assert run_command("train", again, "--project", project).code == 0
    assert [row for row in metrics(again) if row["model_version"] == "boosted_trees"]

    # What another contract came to, on other folds, stands beside nothing.
    assert run_command("train", again).code == 0
    trained = [row for row in metrics(again) if row["dataset"] in ("cv", "random_split")]
    assert len({row["model_version"] for row in trained}) == 1
    assert {row["fold"] for row in trained} == {None, 0, 1, 2, 3, 4}
    # A fit that waits may be promoted later, and batches are compared with its training loans.
    own = {row["model_version"] for row in metrics(again) if row["dataset"] == "train"}
    assert own >= {row["model_version"] for row in models(again)}


def test_a_later_batches_training_leaves_the_first_as_it_was(
    run_command, again, landing, tmp_path
) -> None:
    later = "2012-02-29"
    shutil.copytree(landing / AS_OF, tmp_path / "landing" / later)
    given = ("--landing", tmp_path / "landing")
    first = [row for row in metrics(again) if row["dataset"] == "cv"]

    assert run_command("clean", again, *given, as_of=later).code == 0
    told = run_command("train", again, *given, "--json", as_of=later)

    assert told.code == 0, told.err
    rows = [row for row in metrics(again) if row["dataset"] == "cv"]
    assert [row for row in rows if str(row["as_of"]) == AS_OF] == first
    assert {row["model_version"] for row in rows if str(row["as_of"]) == later} == {
        told.summary["train"]["model_version"]
    }


def test_the_lstm_overfits_and_says_so(capfd, real_data, tmp_path) -> None:
    flags = (
        "--portfolio", "german_credit", "--as-of", "2026-01-31", "--warehouse", tmp_path / "w",
        "--landing", real_data / "german_credit/german.data",
    )  # fmt: skip
    assert run(capfd, "clean", *flags).code == 0

    told = run(capfd, "train", *flags, "--benchmarks", "lstm", "--imbalance", "smote", "--json")

    assert told.code == 0, told.err
    (lstm,) = told.summary["train"]["benchmarks"]
    assert lstm["train"]["accuracy"] > 0.9
    assert lstm["cv"]["accuracy"] < 0.8
    assert lstm["validation"]["auc"] == pytest.approx(lstm["cv"]["auc_mean"], abs=0.05)
    logistic = told.summary["train"]
    assert logistic["cv"]["auc_mean"] > lstm["cv"]["auc_mean"]
    rows = arrow(tmp_path / "w/german_credit/metrics").to_pylist()
    counts = {
        row["dataset"]: row["rows"]
        for row in rows
        if row["model_version"] == "lstm" and row["metric"] == "auc" and row["fold"] is None
    }
    # Each loan is tested once, validated on once, and learnt by three networks of five.
    assert counts == {"cv": 1000, "validation": 1000, "train": 3000}


def test_of_several_penalties_the_folds_choose(run_command, again, tmp_path) -> None:
    project = changed_project(
        tmp_path,
        "folds: 5",
        "folds: 2",
        ("regularisation: 0.0001", "regularisation: [0.0001, 10]\n  elastic_net: [0, 1]"),
        (" expect: increases_risk,", ""),
        (" expect: lowers_risk,", ""),
    )

    told = run_command("train", again, "--project", project, "--json")

    assert told.code == 0, told.err
    fitted_candidates = {
        row["segment"]: row["value"]
        for row in metrics(again)
        if row["dataset"] == "penalties" and row["metric"] == "log_loss"
    }
    assert len(fitted_candidates) == 4
    fit = told.summary["train"]
    chosen = f"regularisation={fit['regularisation']:g},elastic_net={fit['elastic_net']:g}"
    assert fitted_candidates[chosen] == min(fitted_candidates.values())
    assert fit["regularisation"] < 10
    document = next(
        json.loads(row["document"])
        for row in models(again)
        if row["model_version"] == fit["model_version"]
    )
    assert document["facts"]["regularisation"] == fit["regularisation"]


def test_what_a_modeller_should_look_at_is_said(run_command, again, tmp_path) -> None:
    project = changed_project(
        tmp_path,
        'fico:                  {sql: "fico", expect: lowers_risk,',
        'fico_again: {sql: "2 * fico", reason: "The score"}\n'
        '  constant: {sql: "1", reason: "None"}\n'
        '  fico: {sql: "fico", expect: increases_risk,',
    )

    told = run_command("train", again, "--project", project, "--json")

    assert told.code == 0, told.err
    remarks = told.summary["train"]["remarks"]
    assert any(
        each.startswith("fico: collinear with the other features (variance inflation inf")
        for each in remarks
    )
    assert any(each.startswith("fico_again: collinear with the other features") for each in remarks)
    assert any(
        each.startswith("fico: the data contradicts expect: increases_risk") for each in remarks
    )
    assert told.summary["train"]["left_out"] == ["constant"]


def test_a_feature_known_too_late_is_refused_and_where_it_is_accepted_it_is_remarked(
    run_command, again, tmp_path
) -> None:
    feature = 'fico:                  {sql: "fico",'
    late = 'repaid: {%s sql: "total_paid / loan_amount", reason: "Little was repaid"}\n  ' + feature
    refused = changed_project(tmp_path / "a", feature, late % "")
    accepted = changed_project(tmp_path / "b", feature, late % 'accepted_leak: "to see it",')

    told = run_command("train", again, "--project", refused)

    assert told.code == 2
    assert "features.repaid.sql: 'total_paid' is known only at the outcome stage" in told.sentence

    told = run_command("train", again, "--project", accepted, "--json")

    assert told.code == 0, told.err
    (said,) = [each for each in told.summary["train"]["remarks"] if each.startswith("repaid")]
    assert "known only after a loan is scored" in said
    assert "no forecast" in said
    assert said.endswith("accepted: to see it")


def test_a_challenger_scores_in_the_shadow(run_command, again) -> None:
    """On the same loans; its own scores never reach the scores table."""
    scores = contents(again / "lending_club")["scores"]
    assert run_command("train", again, "--imbalance", "oversample").code == 0
    challenger = next(row for row in models(again) if row["status"] == "challenger")

    told = run_command("measure", again, "--json")

    assert told.code == 0, told.err
    shadow = told.summary["measure"]["shadow"]
    assert shadow["model_version"] == challenger["model_version"]
    rows = [row for row in metrics(again) if row["dataset"] == "shadow"]
    assert {row["model_version"] for row in rows} == {challenger["model_version"]}
    loans = {row["segment"]: row["value"] for row in rows if row["metric"] == "loans"}
    assert sum(loans.values()) == len(scores)
    approved = sum(json.loads(row)["decision"] == "approve" for row in scores)
    assert loans["approved_by=both"] + loans["approved_by=champion"] == approved
    assert loans["approved_by=champion"] > 0
    assert loans["approved_by=challenger"] > 0
    current = told.summary["measure"]
    assert shadow["known_outcomes"] == current["known_outcomes"]
    assert shadow["auc"] == pytest.approx(current["auc"], abs=0.02)
    assert contents(again / "lending_club")["scores"] == scores
    first = contents(again / "lending_club")["metrics"]

    version = challenger["model_version"]
    assert run_command("promote", again, "--model", version, *WHO, as_of="2012-02-29").code == 0
    assert run_command("measure", again).code == 0
    assert contents(again / "lending_club")["metrics"] == first


def test_a_promoted_challenger_decides_as_it_did_in_the_shadow(run_command, again) -> None:
    assert run_command("train", again, "--imbalance", "none").code == 0
    challenger = next(row for row in models(again) if row["status"] == "challenger")
    shadow = run_command("measure", again, "--json").summary["measure"]["shadow"]

    assert run_command("promote", again, "--model", challenger["model_version"], *WHO).code == 0
    scored = run_command("score", again, "--json").summary["score"]
    current = run_command("measure", again, "--json").summary["measure"]

    assert current["auc"] == pytest.approx(shadow["auc"], abs=1e-6)
    assert current["mean_pd"] == pytest.approx(shadow["mean_pd"], abs=1e-6)
    approved = sum(shadow[f"approved_by={who}"]["loans"] for who in ("both", "challenger"))
    assert scored["approve"] * scored["rows"] == pytest.approx(approved)


def test_a_model_of_another_version_of_the_code_is_told(run_command, again, spark) -> None:
    table = again / "lending_club/models"
    spark.sql(
        f"update delta.`{table}` set document = replace(document, '\"format\":6', '\"format\":1')"
    )

    told = run_command("score", again)

    assert told.code == 2
    assert "fitted by another version of credit-spark" in told.sentence


def test_a_constraint_that_has_changed_is_that_of_the_declaration_again(
    run_command, again, spark
) -> None:
    table = f"delta.`{again / 'lending_club/metrics'}`"
    spark.sql(f"alter table {table} drop constraint dataset_is_known")
    spark.sql(f"alter table {table} add constraint dataset_is_known check (dataset <> 'cellar')")

    told = run_command("clean", again, "--json")

    assert told.code == 0, told.err
    properties = {row[0]: row[1] for row in spark.sql(f"show tblproperties {table}").collect()}
    assert "'out_of_time'" in properties["delta.constraints.dataset_is_known"]
    assert any("dataset_is_known" in each for each in told.summary["schema changes"]["changes"])


def bins_of(model: ModelDocument) -> list[tuple[str, float, tuple[str, ...]]]:
    return [
        (level.text, level.mean, level.members) for each in model.features for level in each.levels
    ]


def test_a_binned_model_is_fitted_shown_and_the_same_everywhere(
    run_command, again, spark, postgres, tmp_path
) -> None:
    project = changed_project(
        tmp_path,
        "  imbalance: class_weight",
        "  form: binned\n  imbalance: class_weight",
        ("folds: 5", "folds: 4"),
    )

    asked = ("--imbalance", "class_weight,oversample", "--json")
    told = run_command("train", again, "--project", project, *asked)

    assert told.code == 0, told.err
    fit = told.summary["train"]
    (linear,) = fit["benchmarks"]
    assert linear["name"] == "linear"
    assert fit["cv"]["auc_mean"] == pytest.approx(linear["cv"]["auc_mean"], abs=0.04)
    assert 0.8 < fit["cv"]["mean_pd_over_observed"] < 1.25
    rows = arrow(again / "lending_club/metrics").to_pylist()
    assert {fit["model_version"], "linear"} <= {row["model_version"] for row in rows}
    documents = {
        row["model_version"]: ModelDocument.of(row["document"])
        for row in arrow(again / "lending_club/models").to_pylist()
    }
    model, oversampled = (documents[each["model_version"]] for each in fit["strategies"])
    # Bins and their shares are the loans' own.
    assert bins_of(oversampled) == bins_of(model)
    contract = load_contract(PROJECT / "conf/portfolios/lending_club.yml")
    assert all(isinstance(each, Category) for each in model.features)
    assert ABSENT in {level.text for each in model.features for level in each.levels}
    (fico,) = (each for each in model.features if each.name == "fico")
    slopes = [each.slope for each in fico.levels if each.text != ABSENT]
    assert len(slopes) > 2
    assert slopes == sorted(slopes, reverse=True)
    assert sum(each.mean for each in fico.levels) == pytest.approx(1)

    data = with_strange(arrow(again / "lending_club/loans"), 300)
    engines = by_every_engine(spark, postgres, tmp_path, data, model, contract)
    for theirs in engines.values():
        found = parity(engines["Spark SQL"], theirs)
        assert found.pd < 1e-9
        assert not found.decided_else
