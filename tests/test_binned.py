"""A binned scorecard, as a modeller asks for it: fitted, beside the linear one, the same everywhere."""

import shutil
from pathlib import Path

import pytest

from credit_spark.contract.loading import load_contract
from credit_spark.modelling.document import Category, ModelDocument
from tests.engines import (
    by_duckdb,
    by_night,
    by_postgres,
    by_python,
    by_spark,
    parity,
    with_strange,
)
from tests.nights import arrow
from tests.projects import PROJECT, changed_project


@pytest.fixture(autouse=True)
def somewhere(spark, tmp_path, monkeypatch) -> None:
    """Each test has a folder of its own for logs."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def again(done, tmp_path) -> Path:
    """A warehouse of its own after the first night."""
    shutil.copytree(done, tmp_path / "again/lending_club")
    return tmp_path / "again"


def test_a_binned_model_is_fitted_shown_and_the_same_everywhere(
    night, again, spark, postgres, tmp_path
) -> None:
    project = changed_project(
        tmp_path, "  imbalance: class_weight", "  form: binned\n  imbalance: class_weight"
    )

    told = night("train", again, "--project", project, "--json")

    assert told.code == 0, told.err
    fit = told.summary["train"]
    (linear,) = fit["benchmarks"]
    assert linear["name"] == "linear"
    assert fit["cv"]["auc_mean"] == pytest.approx(linear["cv"]["auc_mean"], abs=0.04)
    assert 0.8 < fit["cv"]["mean_pd_over_observed"] < 1.25
    rows = arrow(again / "lending_club/metrics").to_pylist()
    assert {fit["model_version"], "linear"} <= {row["model_version"] for row in rows}
    (row,) = (
        each
        for each in arrow(again / "lending_club/models").to_pylist()
        if each["model_version"] == fit["model_version"]
    )
    model = ModelDocument.of(row["document"])
    contract = load_contract(PROJECT / "conf/portfolios/lending_club.yml")
    assert all(isinstance(each, Category) for each in model.features)
    assert {level.text for each in model.features for level in each.levels} >= {
        "(missing)",
        "60 months",
    }
    (fico,) = (each for each in model.features if each.name == "fico")
    slopes = [each.slope for each in fico.levels if each.text != "(missing)"]
    assert len(slopes) > 2
    assert slopes == sorted(slopes, reverse=True)
    assert sum(each.mean for each in fico.levels) == pytest.approx(1)

    book = with_strange(arrow(again / "lending_club/loans"), 300)
    nights = by_night(book, model)
    for theirs in (
        by_python(book, model),
        by_duckdb(book, model, contract),
        by_spark(spark, tmp_path, book, model, contract),
        by_postgres(postgres, book, model, contract),
    ):
        found = parity(nights, theirs)
        assert found.pd < 1e-9
        assert not found.decided_else
