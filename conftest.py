"""One Spark session for the whole suite; a small lender; the real files."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import date
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from filelock import FileLock
from pyspark.sql import SparkSession

from credit_spark.cli import main
from credit_spark.cli.sample import write_sample
from credit_spark.config.loading import load_contract
from credit_spark.config.models import Contract
from credit_spark.config.settings import resolve
from credit_spark.storage.session import spark_session
from tests.batches import AS_OF, LATER, REAL_BOOKS, ROWS, RealBatch, SecondBatch, Told, run
from tests.jpmml import Evaluate, evaluation
from tests.postgres import Server, server
from tests.projects import closed_book

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# A folder by its name, and what makes it.
Once = Callable[[str, Callable[[Path], object]], Path]
PROJECT = Path(__file__).parent
REAL_DATA = Path(os.environ.get("CREDIT_SPARK_DATA", PROJECT.parent / "shared/data")).resolve()
SMALL = {
    "spark.master": "local[2]",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.ui.enabled": "false",
    # VACUUM lists files in so many tasks: 10,000 by default.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.driver.memory": "4g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.sql.codegen.hugeMethodLimit": "8000",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--comet", action="store_true", help="Run on DataFusion Comet (make comet).")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a session, so that `make test-unit` can leave it out."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker("spark")


def _comet() -> dict[str, str]:
    """What conf/comet.yml adds, with its JAR's whole path."""
    settings = resolve(PROJECT / "conf/base.yml", PROJECT / "conf/comet.yml", {})
    options = {key: value for key, value in settings.spark.options().items() if key not in SMALL}
    jar = f"{PROJECT}/{options['spark.jars']}"
    return options | dict.fromkeys(("spark.jars", "spark.driver.extraClassPath"), jar)


@pytest.fixture(scope="session")
def spark(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkSession]:
    """A session for all tests; with --comet, on Comet."""
    folder = tmp_path_factory.mktemp("spark")
    options = SMALL | {"spark.sql.warehouse.dir": str(folder / "tables")}
    options |= _comet() if request.config.getoption("--comet") else {}
    with spark_session(options, folder / "java.log") as session:
        yield session


@pytest.fixture(scope="session")
def contract() -> Contract:
    """A small lender, with a column of each kind."""
    return load_contract(PROJECT / "tests/small_lender.yml")


@pytest.fixture(scope="session")
def lending_club() -> Contract:
    return load_contract(PROJECT / "conf/portfolios/lending_club.yml")


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of the test's own: on the one that all share, an answer half read stops the next."""
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; where it is absent, what needs it is skipped, but never in CI."""
    if not REAL_DATA.is_dir():
        assert not os.environ.get("CI"), f"the real files must be there in CI: {REAL_DATA}"
        pytest.skip(f"no real files at {REAL_DATA}; name their folder in CREDIT_SPARK_DATA")
    return REAL_DATA


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Has a folder made once for all processes that run tests; each of them reads it."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, is_made = shared / name, shared / f"{name}.made"
        with FileLock(f"{folder}.lock"):
            if not is_made.is_file():
                # What another process has left half made.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                is_made.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def landing(once: Once) -> Path:
    """Two batches of sample loans."""

    def make(folder: Path) -> None:
        write_sample(folder, date.fromisoformat(AS_OF), ROWS, seed=1)
        write_sample(folder, date.fromisoformat(LATER), ROWS, seed=2)

    return once("landing", make)


@pytest.fixture
def run_command(capfd: pytest.CaptureFixture[str], landing: Path) -> Callable[..., Told]:
    """Runs a command on the sample's batch, into a given warehouse."""

    def command(step: str, warehouse: Path, *more: object, as_of: str = AS_OF) -> Told:
        flags = ("--portfolio", "lending_club", "--as-of", as_of, "--landing", landing)
        return run(capfd, step, *flags, "--warehouse", warehouse, *more)

    return command


@pytest.fixture(scope="session")
def done(spark: SparkSession, landing: Path, once: Once) -> Path:
    """The warehouse after a first batch; read, not written, by the tests that share it."""

    def make(warehouse: Path) -> None:
        assert main(_nightly(AS_OF, landing, warehouse)) == 0

    return once("warehouse", make) / "lending_club"


@pytest.fixture(scope="session")
def second(spark: SparkSession, landing: Path, done: Path, once: Once) -> SecondBatch:
    """A second batch in a copy of the first one's warehouse; read, not written, by its tests."""

    def make(warehouse: Path) -> None:
        shutil.copytree(done, warehouse / "lending_club")
        tracker = spark.sparkContext.statusTracker()
        jobs = len(tracker.getJobIdsForGroup())
        with redirect_stdout(StringIO()) as told:
            assert main([*_nightly(LATER, landing, warehouse), "--json"]) == 0
        jobs = len(tracker.getJobIdsForGroup()) - jobs
        summary = {"summary": json.loads(told.getvalue()), "jobs": jobs}
        warehouse.with_suffix(".json").write_text(json.dumps(summary), encoding="utf-8")

    warehouse = once("second", make)
    found = json.loads(warehouse.with_suffix(".json").read_text(encoding="utf-8"))
    return SecondBatch(found["summary"], warehouse, found["jobs"])


def _nightly(as_of: str, landing: Path, warehouse: Path) -> list[str]:
    """The command of a batch, whose logs stand beside its warehouse."""
    settings = warehouse.with_suffix(".yml")
    settings.write_text(f"storage: {{logs: '{warehouse}.logs'}}\n", encoding="utf-8")
    flags = ["--portfolio", "lending_club", "--as-of", as_of, "--landing", str(landing)]
    return ["nightly", *flags, "--warehouse", str(warehouse), "--settings", str(settings)]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own folder is the working directory: logs are written there."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def again(done: Path, tmp_path: Path) -> Path:
    """A warehouse of the test's own, as the first batch left it."""
    shutil.copytree(done, tmp_path / "again/lending_club")
    return tmp_path / "again"


@pytest.fixture(scope="session")
def real_batch(
    spark: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], RealBatch]:
    """Runs the batch of a portfolio's real book, once; its tables are read, not written."""

    @lru_cache
    def ran(portfolio: str) -> RealBatch:
        folder, (file, as_of) = tmp_path_factory.mktemp(portfolio), REAL_BOOKS[portfolio]
        settings = folder / "settings.yml"
        settings.write_text(f"storage: {{logs: '{folder}/logs'}}\n", encoding="utf-8")
        flags = ["--portfolio", portfolio, "--as-of", as_of, "--landing", str(real_data / file)]
        more = ["--warehouse", str(folder), "--settings", str(settings), "--json"]
        more += ["--project", str(closed_book(folder))]
        with redirect_stdout(StringIO()) as told:
            assert main(["nightly", *flags, *more]) == 0
        return RealBatch(json.loads(told.getvalue()), folder / portfolio)

    return ran


@pytest.fixture(scope="session")
def browser() -> Iterator["Chrome"]:
    """A real browser, without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(each)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as chrome:
        yield chrome


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server of our own, for as long as the tests need it."""
    with server(tmp_path_factory.mktemp("postgres")) as address:
        yield address


@pytest.fixture(scope="session")
def evaluated() -> Iterator[Evaluate]:
    """Evaluates PMML of loans by JPMML, in a JVM of its own."""
    with evaluation() as evaluate:
        yield evaluate


@pytest.fixture
def landed(tmp_path: Path) -> Callable[..., Path]:
    """Writes the text of files into a batch's landing folder."""

    def write(**files: str) -> Path:
        folder = tmp_path / "landing" / "2026-03-02"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.csv").write_bytes(text.encode())
        return tmp_path / "landing"

    return write
