"""spark-submit: every job, and a batch on a standalone master and worker from docker-compose.yml."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from credit_spark.cli.sample import write_sample
from tests.batches import arrow, contents
from tests.batches import run as run_here
from tests.projects import changed_project

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
AS_OF = "2012-01-31"
STEPS = ("clean", "validate", "train", "promote", "score", "measure")
SECONDS = 90


@pytest.fixture(scope="module")
def compose() -> dict:
    return YAML(typ="safe").load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def landing(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_sample(folder, date(2012, 1, 31), 3000, seed=3)
    return folder


def environment() -> dict[str, str]:
    """The container's: commands of the virtual environment first on the path.

    Executors have no Python at all.
    """
    return os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": "/nowhere/python",
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def command(service: dict, **values: object) -> list[str]:
    """A service's command, with the variables that Compose would put in."""

    def value(match: re.Match) -> str:
        name, _, default = match[1].partition(":-")
        return str(values.get(name, default))

    return shlex.split(re.sub(r"\$\{([^}]+)\}", value, service["command"]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(said: str, log: Path) -> None:
    """Wait until a service has said something."""
    end = time.monotonic() + SECONDS
    while said not in log.read_text(encoding="utf-8", errors="replace"):
        assert time.monotonic() < end, log.read_text(encoding="utf-8", errors="replace")[-2000:]
        time.sleep(0.2)


@pytest.fixture
def cluster(compose, tmp_path) -> Iterator[dict[str, object]]:
    """A master and two workers, started by their services' own commands."""
    names = ("SPARK_MASTER_PORT", "SPARK_MASTER_UI_PORT", "SPARK_WORKER_UI_PORT")
    values: dict[str, object] = {
        "SPARK_MASTER_HOST": "127.0.0.1",
        **{name: free_port() for name in names},
    }
    processes = []
    for name, service, said in (
        ("master", "master", "I have been elected leader"),
        ("worker 1", "worker", "Successfully registered"),
        ("worker 2", "worker", "Successfully registered"),
    ):
        log = tmp_path / f"{name}.log"
        with log.open("w") as file:
            ports = {"SPARK_WORKER_UI_PORT": free_port(), "WORKER_CORES": 1}
            words = command(compose["services"][service], **values | ports)
            processes.append(
                subprocess.Popen(words, cwd=tmp_path, env=environment(), stdout=file, stderr=file)
            )
        until(said, log)
    yield values
    for process in processes:
        process.terminate()
        process.wait()


def test_the_compose_file_keeps_to_the_schema() -> None:
    checker = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]

    done = subprocess.run(
        [*checker, str(PROJECT / "docker-compose.yml")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def test_images_are_pinned(compose) -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text(encoding="utf-8")

    assert re.search(r"^FROM python:\d+\.\d+\.\d+-\S+$", dockerfile, re.MULTILINE)
    assert all(
        re.search(r":\d+\.\d+\.\d+$", each["image"]) for each in compose["services"].values()
    )


@pytest.mark.release
def test_the_batch_on_a_cluster_scores_every_loan(
    spark, capfd, compose, cluster, landing, tmp_path
) -> None:
    # Two folds: a training of five runs the same jobs again.
    project = ["--project", str(changed_project(tmp_path, "folds: 5", "folds: 2"))]
    words = command(
        compose["services"]["nightly"], **cluster, DRIVER_MEMORY="1g", EXECUTOR_MEMORY="1g",
        AS_OF=AS_OF, LANDING=landing, WAREHOUSE=tmp_path / "warehouse",
    )  # fmt: skip

    done = subprocess.run(
        [*words, *project],
        cwd=PROJECT,
        env=environment() | {"CREDIT_SPARK__STORAGE__LOGS": str(tmp_path / "logs")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert "records read" in done.stdout
    (run,) = arrow(tmp_path / "warehouse/lending_club/runs").to_pylist()
    assert run["status"] == "complete"
    assert arrow(tmp_path / "warehouse/lending_club/scores").num_rows == run["rows_accepted"]
    master = (tmp_path / "master.log").read_text(encoding="utf-8")
    assert "Registered app" in master
    assert "Launching executor app" in master
    assert len(set(re.findall(r"Launching executor app\S+/\d+ on worker (\S+)", master))) == 2
    local = tmp_path / "local"
    flags = ["--portfolio", "lending_club", "--as-of", AS_OF, "--landing", landing, *project]
    assert run_here(capfd, "clean", *flags, "--warehouse", local).code == 0
    on_cluster, here = (contents(each / "lending_club") for each in (tmp_path / "warehouse", local))
    for name in ("loans", "quarantine"):
        assert on_cluster[name] == here[name]


@pytest.mark.release
def test_every_job_runs_under_spark_submit(landing, tmp_path) -> None:
    flags = ["--portfolio", "lending_club", "--as-of", AS_OF, "--landing", str(landing)]
    for step in STEPS:
        job = str(PROJECT / f"jobs/{step}.py")
        who = ["--by", "A. Head", "--reason", "a try"] if step == "promote" else []
        words = ["spark-submit", "--driver-memory", "2g", job, *flags, *who]
        done = subprocess.run(
            [*words, "--warehouse", str(tmp_path / "w"), "--json"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (step, done.stderr[-3000:])
        assert json.loads(done.stdout)["command"] == step

    assert {"loans", "quarantine", "models", "scores", "metrics", "score_distribution"} <= contents(
        tmp_path / "w/lending_club"
    ).keys()


@pytest.fixture
def abroad(landing, tmp_path) -> list[str]:
    """The flags of a batch that has a file whose name is not ASCII."""
    folder = tmp_path / "landing" / AS_OF
    folder.mkdir(parents=True)
    for name in ("zürich.csv", "basel.csv"):
        shutil.copy(landing / AS_OF / "loans-000.csv", folder / name)
    where = ["--landing", str(tmp_path / "landing"), "--warehouse", str(tmp_path / "w")]
    return ["--portfolio", "lending_club", "--as-of", AS_OF, *where]


def test_a_refusal_is_spark_submits_exit_code(abroad, tmp_path) -> None:
    """In no locale Java leaves out one of the files without a word: it is named."""
    done = subprocess.run(
        ["spark-submit", str(PROJECT / "jobs/nightly.py"), *abroad],
        cwd=tmp_path,
        env=environment() | {"LC_ALL": "C"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 2
    # spark-submit sends both of its program's outputs to its own standard output.
    assert "Java's encoding of file names is" in done.stdout
    assert "zürich.csv" in done.stdout
    assert "basel.csv" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "\tat " not in done.stdout + done.stderr


@pytest.mark.release
def test_a_spark_of_our_own_reads_files_of_any_name_in_any_locale(abroad, tmp_path) -> None:
    done = subprocess.run(
        [str(BIN / "credit-spark"), "clean", *abroad, "--json"],
        cwd=tmp_path,
        env=environment() | {"LC_ALL": "C"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = arrow(tmp_path / "w/lending_club/runs").to_pylist()
    names = [each["name"] for each in json.loads(run["files"])]
    assert names == ["basel.csv", "zürich.csv"]
