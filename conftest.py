"""One Spark session for the whole suite; a small lender; the real files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from credit_spark.adapters.session import spark_session
from credit_spark.contract.loading import load_contract
from credit_spark.contract.models import Contract

PROJECT = Path(__file__).parent
REAL_DATA = Path(os.environ.get("CREDIT_SPARK_DATA", PROJECT.parent / "shared/data")).resolve()
SMALL = {
    "spark.master": "local[2]",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.ui.enabled": "false",
    "spark.driver.memory": "4g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC -XX:-DontCompileHugeMethods",
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("spark")
    options = SMALL | {"spark.sql.warehouse.dir": str(folder / "tables")}
    with spark_session(options, folder / "java.log") as session:
        yield session


@pytest.fixture(scope="session")
def contract() -> Contract:
    """A small lender, with a column of each kind."""
    return load_contract(PROJECT / "tests/small_lender.yml")


@pytest.fixture(scope="session")
def lending_club() -> Contract:
    return load_contract(PROJECT / "conf/portfolios/lending_club.yml")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; where it is absent, what needs it is skipped, but never in CI."""
    if not REAL_DATA.is_dir():
        assert not os.environ.get("CI"), f"the real files must be there in CI: {REAL_DATA}"
        pytest.skip(f"no real files at {REAL_DATA}; name their folder in CREDIT_SPARK_DATA")
    return REAL_DATA


@pytest.fixture
def landed(tmp_path: Path) -> Callable[..., Path]:
    """Writes the text of files into a night's landing folder."""

    def write(**files: str) -> Path:
        folder = tmp_path / "landing" / "2026-03-02"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.csv").write_bytes(text.encode())
        return tmp_path / "landing"

    return write
