"""Batches side by side, whole processes in turn: `make bench ROWS=5000000 RUNS=3`.

Every program gets the same dirty files and the same model, and writes the same tables; what they
wrote is compared before any time is believed. That first run of each is not counted. The section
`batch` of docs/benchmark.md is written.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from agreement import differences
from deltalake import DeltaTable
from judgement import Goal, Outcome, outcome
from nightly import AS_OF, night, sample
from processes import Run, run
from reports import PROJECT, machine, write_section

from credit_spark.scoring.document import ModelDocument

RUNS = int(os.environ.get("RUNS", "3"))
TRAINED_ON = 50_000
OURS, WITH_COMET = "credit-spark", "credit-spark with Comet"
COMET = PROJECT / "conf/comet.yml"
SPARK_ML, PANDAS, DUCKDB, POLARS = "plain Spark ML", "pandas", "DuckDB", "Polars"
BARE = "Spark alone: texts read and written"
PROGRAMS = {
    SPARK_ML: "spark_ml_night.py",
    PANDAS: "pandas_night.py",
    DUCKDB: "duckdb_night.py",
    POLARS: "polars_night.py",
    BARE: "bare_spark.py",
}
GOALS = (
    Goal(BARE, "seconds", 1.5),
    Goal(SPARK_ML, "seconds", 0.45),
    Goal(PANDAS, "seconds", 1),
    Goal(DUCKDB, "seconds", 3),
    Goal(POLARS, "seconds", 3),
)
GOALS_WITH_COMET = (Goal(DUCKDB, "seconds", 2), Goal(POLARS, "seconds", 2))
PROGRAMS_FOLDER = Path(__file__).parent / "programs"
Runs = Mapping[str, Sequence[Run]]


def main(rows: int) -> None:
    """Time every program on a batch of so many rows, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        commands = dict(prepared(rows, Path(name)))
        runs = timed(commands)
    write_section("batch", section(rows, runs))


def prepared(rows: int, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Each program's command, once it was seen to agree with ours."""
    for part, size in (("small", TRAINED_ON), ("large", rows)):
        run(sample(size, folder / part))
    warehouse = folder / "warehouse"
    run(night(folder / "small", warehouse))
    ours = night(folder / "large", warehouse)
    run(ours)
    yield OURS, ours
    if has_comet():
        yield WITH_COMET, [*ours, "--settings", str(COMET)]
    model = folder / "model.json"
    model.write_text(champion(warehouse), encoding="utf-8")
    for nth, (program, script) in enumerate(PROGRAMS.items()):
        out = folder / f"out-{nth}"
        arguments = [str(folder / "large" / AS_OF), str(model), AS_OF, str(out)]
        words = [sys.executable, str(PROGRAMS_FOLDER / script), *arguments]
        run(words)
        check(program, warehouse / "lending_club", out)
        # Every run writes its tables anew.
        yield program, ["sh", "-c", f'rm -rf "{out}"; exec "$@"', "sh", *words]


def has_comet() -> bool:
    """Whether `make comet` has fetched the plugin."""
    return any((PROJECT / "jars").glob("comet-spark-*.jar"))


def check(program: str, ours: Path, theirs: Path) -> None:
    """CreditSparkError where a program's tables say something else than ours."""
    if program != BARE:
        differing = differences(str(ours), str(theirs))
        assert not differing, f"{program}: {'; '.join(differing)}"
        print(f"{program}: loans, reasons, probabilities and points are equal", flush=True)


def champion(warehouse: Path) -> str:
    """The document of the model that scores, its calibration a part of its numbers."""
    fits = DeltaTable(str(warehouse / "lending_club/models")).to_pyarrow_table().to_pylist()
    text = next(str(each["document"]) for each in fits if each["status"] == "champion")
    document = ModelDocument.of(text)
    plain = {"features": document.terms, "intercept": document.constant, "offset": 0.0}
    return document.model_copy(update=plain).as_json()


def timed(commands: Mapping[str, list[str]]) -> dict[str, list[Run]]:
    """Every program's runs: all programs once, then all again."""
    runs: dict[str, list[Run]] = {program: [] for program in commands}
    for _ in range(RUNS):
        for program, command in commands.items():
            runs[program].append(run(command))
    return runs


def section(rows: int, runs: Runs) -> str:
    """What was timed, and the two tables."""
    about = f"Written by `make bench ROWS={rows} RUNS={RUNS}`: {rows:,} loans of 26 columns."
    return "\n".join([about, *tables(runs, GOALS), *comet_goals(runs)])


def tables(runs: Runs, goals: Sequence[Goal]) -> list[str]:
    """The lines of both tables, of programs and of goals, and what they were measured on."""
    return [
        "",
        "| program | seconds, median | fastest to slowest | peak memory, MB | credit-spark takes |",
        "|---|---|---|---|---|",
        *[line_of(program, runs) for program in runs],
        "",
        "| beside | credit-spark's | over theirs | goal, at most | met |",
        "|---|---|---|---|---|",
        *[line_of_goal(outcome_of(goal, runs)) for goal in goals],
        "",
        machine(),
    ]


def comet_goals(runs: Runs) -> list[str]:
    """The goals of a run with Comet, where the plugin is there."""
    if WITH_COMET not in runs:
        return []
    ours = {OURS: runs[WITH_COMET], **{name: own for name, own in runs.items() if name != OURS}}
    lines = [line_of_goal(outcome_of(goal, ours)) for goal in GOALS_WITH_COMET]
    head = "| beside | credit-spark's with Comet | over theirs | goal, at most | met |"
    return ["", head, "|---|---|---|---|---|", *lines]


def line_of(program: str, runs: Runs) -> str:
    """A program's line of the first table."""
    seconds = sorted(each.seconds for each in runs[program])
    ratio = measured("seconds", runs[OURS]) / measured("seconds", runs[program])
    times = "" if program == OURS else f"{ratio:.2f} times as long"
    peak = measured("memory", runs[program])
    spread = f"{seconds[0]:.1f} to {seconds[-1]:.1f}"
    return f"| {program} | {median(seconds):.1f} | {spread} | {peak:,.0f} | {times} |"


def outcome_of(goal: Goal, runs: Runs) -> Outcome:
    """What became of a goal."""
    ours, theirs = (measured(goal.measure, runs[each]) for each in (OURS, goal.program))
    return outcome(goal, ours, theirs)


def measured(measure: str, runs: Sequence[Run]) -> float:
    """A program's median seconds, or its peak memory in MB."""
    if measure == "seconds":
        return median(each.seconds for each in runs)
    return max(each.peak for each in runs)


def line_of_goal(reached: Outcome) -> str:
    """A goal's line of the second table."""
    program, measure, most = reached.goal
    met = "yes" if reached.is_met else "no"
    return f"| {program} | {measure} | {reached.ratio:.2f} | {most:.2f} | {met} |"


if __name__ == "__main__":
    main(int(sys.argv[1]))
