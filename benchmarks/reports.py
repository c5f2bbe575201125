"""The sections of docs/benchmark.md: each command writes its own and leaves the others."""

import importlib.util
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).parents[1]
REPORT = PROJECT / "docs/benchmark.md"
PACKAGES = (
    "pyspark", "delta-spark", "duckdb", "polars", "pandas", "numpy", "scikit-learn", "deltalake",
    "pyarrow",
)  # fmt: skip


def write_section(name: str, text: str) -> None:
    """Put a text between the marks of its name, and print it."""
    document = REPORT.read_text(encoding="utf-8")
    filled = _writer().filled(document, name, text)
    REPORT.write_text(filled, encoding="utf-8")
    print(text)


def machine() -> str:
    """The machine and the versions, in a sentence."""
    versions = ", ".join(f"{each} {version(each)}" for each in PACKAGES)
    return (
        f"{os.cpu_count()} processors ({processor()}), {memory():.0f} GB; Java {java()}, Python "
        f"{platform.python_version()}, {versions}."
    )


def processor() -> str:
    """The processor's name."""
    words = ["sh", "-c", "grep -m1 'model name' /proc/cpuinfo | cut -d: -f2"]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return told or platform.machine()


def memory() -> float:
    """The machine's memory in GB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def java() -> str:
    """The version of the Java that Spark runs on."""
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home) / "bin/java") if home else "java"
    told = subprocess.run([command, "-version"], capture_output=True, text=True, check=True).stderr
    return told.split('"')[1]


def _writer() -> ModuleType:
    """What writes the documents: scripts/write_docs.py, which is no package's."""
    spec = importlib.util.spec_from_file_location("write", PROJECT / "scripts/write_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
