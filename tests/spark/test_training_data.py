"""Who teaches and who tests: mature loans alone, in the book and in all that is made of it."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest
from dateutil.relativedelta import relativedelta

from credit_spark.config.errors import GateError
from credit_spark.config.models import Contract
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.ingest import ingest
from credit_spark.pipeline.train import train
from credit_spark.pipeline.training_data import read_training_data
from tests.batches import arrow, batch_of

AS_OF = date(2026, 2, 28)
CUTOFF = date(2025, 6, 1)
SPAN = "3 months"


def opened(draw: Random) -> date | None:
    """A day of 2024 or 2025, also the last ones of a month; some are not known."""
    day = date(2024, 1, 1) + relativedelta(days=draw.randrange(366 + 365))
    return None if draw.random() < 0.05 else day + relativedelta(day=draw.choice([1, 28, 29, 31]))


def data(count: int = 900) -> list[tuple[str, date | None, bool]]:
    """Key, date and whether it turned bad: of the young ones, nearly all have."""
    draw, rows = Random(4), []
    for nth in range(count):
        day = opened(draw)
        is_young = day is None or day + relativedelta(months=6) > AS_OF
        rows.append((f"n{nth}", day, draw.random() < (0.9 if is_young else 0.3)))
    return rows


def run_of(spark, contract: Contract, folder: Path, months: int, span: str | None) -> RunContext:
    """A cleaned batch of the book; bad loans have the higher rates."""
    draw = Random(5)
    lines = ["id,amount,rate,income,home,opened,status"]
    for key, day, is_bad in data():
        rate, income = draw.uniform(4, 20) + 4 * is_bad, draw.randint(20_000, 90_000)
        status, home = "lost" if is_bad else "paid", draw.choice(["OWN", "RENT"])
        lines.append(
            f"{key},{draw.randint(500, 20_000)},{rate:.3f},{income},{home},{day or ''},{status}"
        )
    (folder / "loans.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    plan = contract.model.model_copy(update={"out_of_time_from": span})
    asked = contract.model_copy(update={"performance_months": months, "model": plan})
    run = batch_of(spark, asked, folder / "loans.csv", folder / "tables", AS_OF)
    ingest(run)
    return run


def by_age(months: int) -> tuple[set[str], set[str], int]:
    """Keys of training loans and to test on, and how many are too young."""
    grown = relativedelta(months=months)
    mature = {key: day for key, day, _ in data() if day and day + grown <= AS_OF}
    learnt = {key for key, day in mature.items() if day < CUTOFF}
    return learnt, mature.keys() - learnt, len(data()) - len(mature)


def keys(rows) -> set[str]:
    return {row["number"] for row in rows.select("number").collect()}


def test_only_mature_loans_teach_and_test(spark, contract, tmp_path) -> None:
    run = run_of(spark, contract, tmp_path, 6, SPAN)
    plan = run.contract.model.model_copy(update={"out_of_time_from": AS_OF})
    of_none = replace(run, contract=run.contract.model_copy(update={"model": plan}))
    (remark,) = [each for each in read_training_data(of_none).remarks if "out_of_time" in each]
    assert f"is dated on {AS_OF} or later: the test out of time is empty" in remark

    learnt, tested, immature = by_age(6)
    bad = sum(is_bad for key, _, is_bad in data() if key in learnt)

    found = read_training_data(run)

    assert found.cutoff == CUTOFF
    assert keys(found.training.rows.select("loan.*")) == learnt
    assert keys(found.out_of_time) == tested
    assert found.immature == immature > 100
    assert (found.training.classes.bad, found.training.classes.good) == (bad, len(learnt) - bad)
    for each in found.baselines:
        assert (sum(each.counts), sum(each.bads)) == (len(learnt), bad), each.name


@pytest.mark.release
def test_a_training_counts_and_judges_mature_loans_alone(spark, contract, tmp_path) -> None:
    run = run_of(spark, contract, tmp_path, 6, SPAN)
    learnt, tested, immature = by_age(6)

    train(run, benchmarks=["boosted_trees"])

    told = run.summary.steps["train"]
    assert (told["rows"], told["immature"]) == (len(learnt), immature)
    run.tables.publish()
    rows = arrow(tmp_path / "tables/metrics").to_pylist()
    whole = {
        (row["model_version"] == "boosted_trees", row["dataset"], row["rows"])
        for row in rows
        if row["metric"] == "auc" and row["fold"] is None and row["segment"] == "all"
    }
    assert whole == {
        (is_benchmark, dataset, len(own))
        for is_benchmark in (False, True)
        for dataset, own in [("cv", learnt), ("train", learnt), ("out_of_time", tested)]
    }


def test_with_no_age_asked_for_every_known_outcome_teaches(spark, contract, tmp_path) -> None:
    found = read_training_data(run_of(spark, contract, tmp_path, 0, None))

    assert keys(found.training.rows.select("loan.*")) == {key for key, *_ in data()}
    assert (found.out_of_time, found.immature) == (None, 0)


def test_an_error_of_too_few_mature_loans_counts_the_immature(spark, contract, tmp_path) -> None:
    run = run_of(spark, contract, tmp_path, 24, None)
    learnt, tested, immature = by_age(24)
    bad = sum(is_bad for key, _, is_bad in data() if key in learnt | tested)
    good = len(learnt | tested) - bad

    with pytest.raises(GateError) as error:
        read_training_data(run)

    assert f"{good} good and {bad} bad loans in the book, and {immature} more are immature" in str(
        error.value
    )
    assert min(good, bad) < 50
