"""Keys of the contract and settings whose effect only Spark, or a run, can show."""

from datetime import date
from functools import partial
from threading import Barrier, Event
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from credit_spark.config.models import Contract
from credit_spark.ingest.columns import ACCEPTED, STATUS
from credit_spark.ingest.files import landing_files
from credit_spark.ingest.records import read_records
from credit_spark.pipeline.fitting import in_parallel
from credit_spark.storage.paths import batch_date_lock
from credit_spark.storage.session import JOB_DESCRIPTION, described
from credit_spark.training.splits import fold
from tests.batches import run
from tests.e2e.test_bad_books import SMALL, loans
from tests.frames import rows

AS_OF = date(2026, 3, 2)


def of_source(contract: Contract, **source: object) -> Contract:
    return contract.model_copy(update={"source": contract.source.model_copy(update=source)})


def of_model(contract: Contract, **model: object) -> Contract:
    return contract.model_copy(update={"model": contract.model.model_copy(update=model)})


def test_files_are_where_the_contract_says(spark, contract, tmp_path, monkeypatch) -> None:
    for name in ("2026-03-02/usual.csv", "march/2026-03-02.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("id,amount,rate\nA,5,1\n", encoding="utf-8")

    def names(given: Contract) -> list[str]:
        return [each.name for each in landing_files(spark, given, f"file:{tmp_path}", AS_OF)]

    assert names(contract) == ["usual.csv"]
    assert names(of_source(contract, path="{landing}/march/{as_of}.csv")) == ["2026-03-02.csv"]
    monkeypatch.chdir(tmp_path)
    assert names(of_source(contract, path="march/{as_of}.csv")) == ["2026-03-02.csv"]
    assert names(of_source(contract, path="{as_of}/")) == ["usual.csv"]


def test_missing_texts_are_those_of_the_layout_and_of_the_column(spark, contract, tmp_path) -> None:
    """NA is missing in one layout; ? in one column, whatever the layout."""
    about = {"one_of": None, "missing": ("?",)}
    owned = contract.columns["owned"].model_copy(update=about)
    given = contract.model_copy(update={"columns": {**contract.columns, "owned": owned}})
    (tmp_path / str(AS_OF)).mkdir()
    for name, text in {
        "plain.csv": "id,amount,rate,home\nA,5,1,?\nB,5,1,NA\nC,5,1,OWN\n",
        "keyless.csv": "amount,rate,pay,home\n5,1,1,?\n6,1,1,NA\n7,1,1,\n",
    }.items():
        (tmp_path / str(AS_OF) / name).write_text(text, encoding="utf-8")

    files = landing_files(spark, given, f"file:{tmp_path}", AS_OF)
    frame = read_records(spark, files, given, AS_OF).frame.where(F.col(STATUS) == ACCEPTED)

    found = rows(frame, "amount", "owned")
    assert found == sorted(
        [(5.0, None), (5.0, None), (5.0, "OWN"), (5.0, None), (6.0, "NA"), (7.0, None)], key=str
    )


def test_another_seed_makes_other_folds(spark, contract) -> None:
    ddl = "number string, amount double, rate double, income double, owned string, opened_on date"
    frame = spark.createDataFrame([(f"n{n}", n, 0.1, None, "OWN", None) for n in map(float, range(100))], ddl)  # fmt: skip

    one, other = (fold(of_model(contract, seed=seed)) for seed in (1, 2))

    assert frame.where(one != other).count() > 30
    assert frame.where(one != F.col("amount") * 0 + one).count() == 0


def _fitting(spark, parallel: int) -> SimpleNamespace:
    """A run whose settings say how many fits run at once."""
    training = SimpleNamespace(parallel_fits=parallel)
    return SimpleNamespace(spark=spark, settings=SimpleNamespace(training=training))


@pytest.mark.parametrize("parallel", [1, 3])
def test_fits_run_side_by_side(spark, parallel) -> None:
    """As many as the settings say, and no more: each waits for as many, then counts those begun."""
    meeting, never, running, most = Barrier(parallel), Event(), [], []

    def task(nth: int) -> int:
        running.append(nth)
        meeting.wait(timeout=60)
        # One too many would begin meanwhile.
        never.wait(timeout=0.2)
        most.append(len(running))
        meeting.wait(timeout=60)
        running.remove(nth)
        return nth

    found = in_parallel(_fitting(spark, parallel), [partial(task, nth) for nth in range(3)])

    assert found == [0, 1, 2]
    assert most == [parallel] * 3


def test_after_an_error_no_other_fit_begins(spark) -> None:
    begun, never = [], Event()

    def task(nth: int) -> None:
        begun.append(nth)
        if nth == 0:
            raise ValueError("a fit")
        # The next may begin before the error is seen.
        never.wait(timeout=2)

    with pytest.raises(ValueError, match="a fit"):
        in_parallel(_fitting(spark, 1), [partial(task, nth) for nth in range(9)])

    assert begun in ([0], [0, 1])


def test_a_fit_has_local_properties_of_its_own(spark) -> None:
    """They begin as those of the step, whose description the jobs of a fit have, too."""
    context, meeting = spark.sparkContext, Barrier(2)

    def task(nth: int) -> tuple[str | None, str | None]:
        found = context.getLocalProperty(JOB_DESCRIPTION)
        context.setLocalProperty(JOB_DESCRIPTION, str(nth))
        meeting.wait(timeout=60)
        return found, context.getLocalProperty(JOB_DESCRIPTION)

    with described(spark, "step"):
        found = in_parallel(_fitting(spark, 2), [partial(task, nth) for nth in range(2)])

    assert found == [("step", "0"), ("step", "1")]


@pytest.fixture
def small(spark, capfd, tmp_path, monkeypatch):
    """Steps on the small lender's loans, by a changed contract."""
    monkeypatch.chdir(tmp_path)
    text = SMALL.read_text(encoding="utf-8")
    changed = text.replace("model: {folds: 3,", "model: {folds: 2, imbalance: none,")
    assert changed != text
    (tmp_path / "small_lender.yml").write_text(changed, encoding="utf-8")
    (tmp_path / "loans.csv").write_text(loans(), encoding="utf-8")
    (tmp_path / "s.yml").write_text("storage: {lock: false, logs: mine}\n", encoding="utf-8")

    def command(step: str, *more: object):
        return run(
            capfd, step, "--portfolio", tmp_path / "small_lender.yml", "--as-of", str(AS_OF),
            "--landing", tmp_path / "loans.csv", "--warehouse", tmp_path / "w", "--json", *more,
        )  # fmt: skip

    return command


def test_a_training_takes_the_contracts_strategy(small) -> None:
    assert small("clean").code == 0
    told = small("train")

    assert told.code == 0, told.err
    assert told.summary["train"]["imbalance"] == "none"


def test_a_run_locks_and_logs_as_the_settings_say(small, tmp_path) -> None:
    (tmp_path / "w/small_lender").mkdir(parents=True)
    with batch_date_lock(str(tmp_path / "w/small_lender"), str(AS_OF)):
        assert small("clean").code == 20
        told = small("clean", "--settings", "s.yml")

    assert told.code == 0, told.err
    assert (tmp_path / "mine/credit-spark.jsonl").is_file()
