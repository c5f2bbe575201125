"""Nights side by side, whole processes in turn: `make bench ROWS=5000000` writes docs/benchmark.md.

Every program gets the same dirty files and the same model, and writes the same tables; what they
wrote is compared before any time is believed. A first run of each is not counted.
"""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from agreement import differences
from deltalake import DeltaTable
from processes import Run, run

AS_OF = "2012-01-31"
RUNS = 3
TRAINED_ON = 50_000
PROGRAMS = {
    "DuckDB": "duckdb_night.py",
    "Spark alone: texts read and written": "bare_spark.py",
}
OURS = "credit-spark"
HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "docs/benchmark.md"
PACKAGES = ("pyspark", "delta-spark", "duckdb", "deltalake", "pyarrow")


def main(rows: int) -> None:
    """Time every program on a night of so many rows, and write the report."""
    with tempfile.TemporaryDirectory() as name:
        commands = dict(prepared(rows, Path(name)))
        runs = timed(commands)
    REPORT.write_text(report(rows, runs), encoding="utf-8")
    print(REPORT.read_text(encoding="utf-8"))


def prepared(rows: int, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Each program's command, once it was seen to agree with ours."""
    for part, size in (("small", TRAINED_ON), ("large", rows)):
        sample = ["sample", "--rows", str(size), "--as-of", AS_OF, "--out", str(folder / part)]
        run([credit_spark(), *sample])
    warehouse = folder / "warehouse"
    run(night(folder / "small", warehouse))
    ours = night(folder / "large", warehouse)
    run(ours)
    yield OURS, ours
    model = folder / "model.json"
    model.write_text(champion(warehouse), encoding="utf-8")
    for nth, (program, script) in enumerate(PROGRAMS.items()):
        out = folder / f"out-{nth}"
        arguments = [str(folder / "large" / AS_OF), str(model), AS_OF, str(out)]
        words = [sys.executable, str(HERE / "programs" / script), *arguments]
        run(words)
        if (out / "scores").exists():
            differing = differences(str(warehouse / "lending_club"), str(out))
            assert not differing, f"{program}: {'; '.join(differing)}"
        # Every run writes its tables anew.
        yield program, ["sh", "-c", f'rm -rf "{out}"; exec "$@"', "sh", *words]


def credit_spark() -> str:
    """The command of this project."""
    return str(Path(sys.executable).parent / OURS)


def night(landing: Path, warehouse: Path) -> list[str]:
    """A night of credit-spark: it trains where there is no champion yet."""
    flags = ["--landing", str(landing), "--warehouse", str(warehouse)]
    return [credit_spark(), "nightly", "--portfolio", "lending_club", "--as-of", AS_OF, *flags]


def champion(warehouse: Path) -> str:
    """The document of the model that scores."""
    fits = DeltaTable(str(warehouse / "lending_club/models")).to_pyarrow_table().to_pylist()
    return next(str(each["document"]) for each in fits if each["status"] == "champion")


def timed(commands: dict[str, list[str]]) -> dict[str, list[Run]]:
    """Every program's runs: all programs once, then all again."""
    runs: dict[str, list[Run]] = {program: [] for program in commands}
    for _ in range(RUNS):
        for program, command in commands.items():
            runs[program].append(run(command))
    return runs


def report(rows: int, runs: dict[str, list[Run]]) -> str:
    """The document: what was compared, the table, the machine."""
    ours = median(each.seconds for each in runs[OURS])
    lines = [line_of(program, of_it, ours) for program, of_it in runs.items()]
    return "\n".join([
        "# Benchmark",
        f"Written by `make bench ROWS={rows}`: a night of {rows:,} sample loans of 26 columns, from",
        "dirty files to Delta tables, by credit-spark and by programs that do the same",
        "(tests/bench/programs), with the same model. Loans, reasons, probabilities and points were",
        f"compared first and are equal. Whole processes, {RUNS} runs of each in turn; only ratios",
        "within one run say much. credit-spark also judges two suites of expectations, measures the",
        "scores and keeps the account.",
        "",
        "| program | seconds, median | fastest to slowest | peak memory, MB | credit-spark takes |",
        "|---|---|---|---|---|",
        *lines,
        "",
        f"{os.cpu_count()} processors ({processor()}), {memory():.0f} GB; Python "
        f"{platform.python_version()}, " + ", ".join(f"{p} {version(p)}" for p in PACKAGES) + ".",
        "",
    ])  # fmt: skip


def line_of(program: str, runs: Sequence[Run], ours: float) -> str:
    """A program's line of the table."""
    seconds = sorted(each.seconds for each in runs)
    peak = max(each.peak for each in runs)
    times = "" if program == OURS else f"{ours / median(seconds):.1f} times as long"
    spread = f"{seconds[0]:.1f} to {seconds[-1]:.1f}"
    return f"| {program} | {median(seconds):.1f} | {spread} | {peak:,.0f} | {times} |"


def processor() -> str:
    """The processor's name."""
    words = ["sh", "-c", "grep -m1 'model name' /proc/cpuinfo | cut -d: -f2"]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return told or platform.machine()


def memory() -> float:
    """The machine's memory in GB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


if __name__ == "__main__":
    main(int(sys.argv[1]))
