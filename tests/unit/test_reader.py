"""Tables that deltalake wrote, read without Java."""

from datetime import UTC, date, datetime, timedelta
from math import exp
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from credit_spark.config.errors import InputError
from credit_spark.config.models import Decisions
from credit_spark.storage.reader import RUN_FACTS, TableReader

FIRST, SECOND = date(2026, 3, 2), date(2026, 3, 3)
BEGAN = datetime(2026, 3, 4, 6, tzinfo=UTC)


def run(nth: int, as_of: date, status: str, **facts: object) -> dict:
    started_at = BEGAN + timedelta(hours=nth)
    ended_at = None if status in ("started", "abandoned") else started_at + timedelta(minutes=5)
    row = {"as_of": as_of, "command": "nightly", "status": status, "run_id": f"run-{nth}"}
    return dict.fromkeys(RUN_FACTS) | row | {"started_at": started_at, "ended_at": ended_at} | facts


def add_runs(folder: Path, *runs: dict) -> None:
    stamps = {"started_at": pa.timestamp("us", "UTC"), "ended_at": pa.timestamp("us", "UTC")}
    types = {"as_of": pa.date32(), "rows_accepted": pa.int64(), **stamps}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in RUN_FACTS])
    write_deltalake(folder / "runs", pa.Table.from_pylist([*runs], schema), mode="append")


@pytest.fixture
def folder(tmp_path) -> Path:
    add_runs(
        tmp_path,
        run(1, FIRST, "complete", rows_accepted=3, message="one"),
        run(2, FIRST, "refused", message="no files"),
        run(3, SECOND, "complete", rows_accepted=2),
        run(4, SECOND, "abandoned"),
        run(5, SECOND, "started"),
        run(6, date(2026, 3, 4), "stopped"),
        run(7, SECOND, "complete", command="monitor"),
    )
    scores = pa.table(
        {
            "loan_id": [f"{nth:06}" for nth in range(3000)] + ["000007"],
            "pd": [nth / 3000 for nth in range(3000)] + [0.5],
            "as_of": [SECOND] * 3000 + [FIRST],
        }
    )
    write_deltalake(tmp_path / "scores", scores, partition_by=["as_of"])
    return tmp_path


def test_a_date_goes_by_its_newest_complete_run(folder) -> None:
    reader = TableReader(str(folder))

    assert reader.latest() == SECOND
    assert {as_of: each["run_id"] for as_of, each in reader.complete_dates().items()} == {
        FIRST: "run-1", SECOND: "run-3",
    }  # fmt: skip
    told = [(each["run_id"], each["newest"]["status"]) for each in reader.last_runs()]
    assert told == [("run-1", "refused"), ("run-3", "started"), ("run-6", "stopped")]


def test_a_loan_is_found_on_its_date(folder) -> None:
    reader = TableReader(str(folder))

    assert reader.score("000007", SECOND)["pd"] == 7 / 3000
    assert reader.score("000007", FIRST)["pd"] == 0.5
    assert reader.score("000008", FIRST) is None
    assert reader.score("it's", SECOND) is None


def test_a_new_run_is_seen_by_a_reader_that_is_open(folder) -> None:
    reader = TableReader(str(folder))
    assert reader.latest() == SECOND

    add_runs(folder, run(8, FIRST, "complete"))

    assert [each["run_id"] for each in reader.last_runs()] == ["run-8", "run-3", "run-6"]


def test_a_warehouse_without_runs_says_what_to_do(tmp_path) -> None:
    with pytest.raises(InputError, match="there is no table 'runs'"):
        TableReader(str(tmp_path)).latest()


@pytest.mark.parametrize(
    ("losses", "found"), [([None, None], None), ([1.5, None], {-1000: 0.0, 1000: 1.5})]
)
def test_losses_of_a_date_that_was_scored_without_them_are_unknown(tmp_path, losses, found) -> None:
    """The table has had the column since another date."""
    rows = {
        "loan_id": ["a", "b"], "pd": [1 / (1 + exp(-1)), 1 / (1 + exp(1))], "points": [400, 600],
        "outcome": ["bad", "good"], "decision": ["decline", "approve"], "as_of": [FIRST] * 2,
        "expected_loss": pa.array(losses, pa.float64()),
    }  # fmt: skip
    write_deltalake(tmp_path / "scores", pa.table(rows), partition_by=["as_of"])
    decisions = Decisions(approve_below=0.3, decline_from=0.6)

    assert TableReader(str(tmp_path)).score_bins_and_losses(FIRST, decisions)[1] == found


def test_a_date_that_was_taken_step_by_step_has_what_all_steps_yielded(folder) -> None:
    day = date(2026, 3, 5)
    add_runs(
        folder,
        run(10, day, "complete", command="clean", rows_accepted=8, message="one"),
        run(11, day, "complete", command="score", model_version="abc"),
        run(12, day, "complete", command="measure"),
        run(13, day, "started", command="measure"),
    )

    last = TableReader(str(folder)).last_runs()[-1]

    facts = ("status", "run_id", "rows_accepted", "model_version", "message")
    assert [last[each] for each in facts] == ["complete", "run-12", 8, "abc", None]
    assert last["ended_at"] - last["started_at"] == timedelta(minutes=5)
    assert last["newest"]["run_id"] == "run-13"


def test_figures_of_a_date_are_those_of_the_model_that_scored_it(folder) -> None:
    """Not those of the model before it, which has measured the date; until it is measured again."""
    add_runs(folder, run(10, FIRST, "complete", command="score", model_version="new"))
    own = {"dataset": "batch", "metric": "ks", "segment": "all", "label": "all"}
    metrics = [
        {**own, "model_version": "old", "as_of": FIRST, "value": 0.3},
        {**own, "model_version": "any", "as_of": SECOND, "value": 0.2},
    ]
    drift = [{"as_of": FIRST, "model_version": "old", "status": "act"}]
    write_deltalake(folder / "metrics", pa.Table.from_pylist(metrics), partition_by=["as_of"])
    write_deltalake(folder / "drift", pa.Table.from_pylist(drift), partition_by=["as_of"])

    reader = TableReader(str(folder))
    # Which model scored the second date is not known.
    assert reader.date_figures(["ks"]) == {SECOND: {"ks": 0.2}}
    assert reader.date_statuses() == {}
    write_deltalake(
        folder / "drift",
        pa.Table.from_pylist([{**drift[0], "model_version": "new"}]),
        mode="append",
    )
    assert TableReader(str(folder)).date_statuses() == {FIRST: {"act"}}


def test_a_storage_that_is_not_reached_is_told() -> None:
    reader = TableReader("hdfs://nowhere.invalid:9000/x")

    for read in (reader.last_runs, lambda: reader.fits(FIRST), lambda: reader.score("a", FIRST)):
        with pytest.raises(InputError, match="cannot be read"):
            read()
