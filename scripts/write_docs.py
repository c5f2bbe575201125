"""Write what the code knows into the documents: `make docs`.

Between `<!-- begin NAME -->` and `<!-- end NAME -->` of README.md and docs/*.md stands what this
script says; a test holds the documents against it. Examples are taken from a run on sample loans:
its landing folder, its warehouse, and a folder with what its commands printed may be given.
"""

import csv
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from deltalake import DeltaTable
from pydantic import BaseModel

from credit_spark.cli.commands import LOOKUPS, STEPS, cli
from credit_spark.config.loading import load_contract
from credit_spark.config.models import Contract
from credit_spark.config.tables import AS_OF, RUN_ID, Table, tables
from credit_spark.evaluation.classification import FIGURES
from credit_spark.evaluation.metrics import METRICS

PROJECT = Path(__file__).parents[1]
DOCUMENTS = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
SHOWN = ("pd", "points", "band", "decision", "reason_1", "reason_2", "reason_3", "reason_4")
BY_HAND = {
    "accuracy": "Share of loans whose predicted class is the observed one.",
    "balanced_accuracy": "Mean of the recalls of good and bad.",
    "support": "Loans that have the label.",
    "approval_rate": "Share of loans with a PD below `approve_below`, whatever a hard rule says.",
    "loans": "Loans, whatever their outcome: of a vintage, or of a part of the swap set.",
    "true_positive": "Bad loans that were called bad.",
    "false_positive": "Good loans that were called bad.",
    "true_negative": "Good loans that were called good.",
    "false_negative": "Bad loans that were called good.",
    "balanced_even_odds": (
        "Calibrated PD of a loan whose PD was 0.5 before calibration; also a threshold."
    ),
    "variance_inflation": (
        "Generalised variance inflation factor (segment `feature=a`): 1, not collinear; 10 or "
        "more, strongly collinear; infinite, an exact linear combination of other features."
    ),
    "*_before": "A figure of calibration of the same loans before they were calibrated.",
    "*_mean, *_sd": "The mean of a figure over the folds, and its standard deviation.",
    "correlation": "Pearson's, of two numeric features (segment `features=a,b`).",
}


def declared() -> tuple[Table, ...]:
    """The tables of the first portfolio, whose own columns stand for any contract's."""
    return tables(load_contract(PROJECT / "conf/portfolios/lending_club.yml"))


def tables_in_short() -> str:
    """A line a table: name, grain, columns."""
    lines = ["| table | one row is | columns |", "|---|---|---|"]
    for table in declared():
        names = ", ".join(f"`{name}`" for name in in_full(table))
        lines.append(f"| `{table.name}` | {table.grain} | {names} |")
    return "\n".join(lines)


def tables_in_full() -> str:
    """A section a table: each column with its type and meaning."""
    return "\n\n".join("\n".join(section(table)) for table in declared())


def section(table: Table) -> Iterator[str]:
    """One table's heading, its promise, its columns."""
    kept = (
        "partitioned by `as_of`; a rerun replaces the batch's rows" if table.is_partitioned else ""
    )
    yield f"## {table.name}"
    yield f"One row is {table.grain}{'; ' if kept else '.'}{kept}{'.' if kept else ''}"
    if table.checks:
        yield "Delta keeps: " + ", ".join(f"`{condition}`" for condition in table.checks.values())
    yield ""
    yield "| column | type | holds |"
    yield "|---|---|---|"
    for name, field in in_full(table).items():
        never_null = " (never null)" if name in (*table.keys, "as_of", "run_id") else ""
        yield f"| `{name}` | {field.type} | {field.meaning}{never_null} |"


def in_full(table: Table) -> dict:
    """A table's columns with those that the adapter adds."""
    stamps = {"as_of": AS_OF} if table.is_partitioned else {}
    return {**table.columns, **stamps, "run_id": RUN_ID}


def metrics() -> str:
    """A line a metric: name and definition, from the docstrings of what computes it."""
    said = {name: definition(metric) for name, metric in METRICS.items()}
    lines = [f"| `{name}` | {words} |" for name, words in (said | FIGURES | BY_HAND).items()]
    return "\n".join(["| metric | is |", "|---|---|", *lines])


def commands() -> str:
    """A line a command: its name, and the first sentence of its help."""
    lines = []
    for name, command in sorted(cli.commands.items()):
        kind = "step" if name in STEPS else "without Spark" if command in LOOKUPS else ""
        sentence = (command.help or "").split("\n\n")[0].replace("\n", " ").strip()
        lines.append(f"| `{name}` | {kind} | {sentence} |")
    return "\n".join(["| command | | what it does |", "|---|---|---|", *lines])


def contract_keys() -> str:
    """A line a key of the contract: its choices, and its default."""
    lines = [
        f"| `{path}` | {choices} | {default} |" for path, choices, default in keys_of(Contract)
    ]
    return "\n".join(["| key | choices | default |", "|---|---|---|", *lines])


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """The keys of a model and of the models in it, in their order; `NAME` is the lender's own."""
    for name, field in model.model_fields.items():
        parts = [field.annotation, *parts_of(field.annotation)]
        path = f"{prefix}{field.alias or name}"
        below = next(
            (each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)), None
        )
        if below:
            yield from keys_of(
                below, f"{path}.NAME." if dict in map(get_origin, parts) else f"{path}."
            )
            continue
        choices = ", ".join(
            f"`{each}`" for part in parts if get_origin(part) is Literal for each in get_args(part)
        )
        yield path, choices, "required" if field.is_required() else default_of(field.get_default())


def parts_of(annotation: object) -> Iterator[object]:
    """The types that a type is made of."""
    for each in get_args(annotation):
        yield each
        if get_origin(each) is not Literal:
            yield from parts_of(each)


def default_of(value: object) -> str:
    """A default as YAML has it; empty: there is none."""
    return f"`{json.dumps(value)}`" if value not in (None, (), {}) else ""


def printed(path: Path) -> str:
    """What a command printed, without the folders that it ran in."""
    text = path.read_text(encoding="utf-8").replace(f"{PROJECT}/", "").replace(".docs/", "")
    return f"```\n{text.rstrip()}\n```"


def definition(function: Callable[..., object]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def example(landing: Path, warehouse: Path) -> str:
    """A line of the sample batch as it was delivered, and as it was scored."""
    path = sorted(landing.glob("*/loans-*.csv"))[0]
    with path.open(encoding="utf-8", newline="") as file:
        next(file)
        line = next(row for row in csv.DictReader(file) if "%" in row["int_rate"])
    scores = DeltaTable(warehouse / "lending_club/scores").to_pyarrow_table().to_pylist()
    scored = next(row for row in scores if row["loan_id"] == line["id"])
    given = [f"{name}={value!r}" for name, value in line.items() if name != "desc"]
    told = [f"{name:<10}{scored[name]}" for name in SHOWN if scored[name] is not None]
    return "\n".join(["```", *wrapped(given), "", "      |  clean, score", "", *told, "```"])


def wrapped(words: list[str], width: int = 96) -> Iterator[str]:
    """Words on lines of at most so many letters."""
    line = ""
    for word in words:
        if line and len(line) + len(word) + 2 > width:
            yield line
            line = ""
        line += ("  " if line else "") + word
    yield line


GENERATED: dict[str, Callable[[], str]] = {
    "tables in short": tables_in_short,
    "tables in full": tables_in_full,
    "metrics": metrics,
    "commands": commands,
    "keys": contract_keys,
}


def filled(document: str, name: str, text: str) -> str:
    """The document with a text between the marks of its name."""
    marks = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    return re.sub(marks, lambda match: f"{match[1]}{text}\n{match[2]}", document, flags=re.DOTALL)


def refilled(path: Path, name: str, text: str) -> None:
    """Fill a document's marks of a name, which must be there."""
    old = path.read_text(encoding="utf-8")
    assert f"<!-- begin {name} -->" in old, f"{path} has no place for {name}"
    path.write_text(filled(old, name, text), encoding="utf-8")


def examples(landing: Path, warehouse: Path, said: Path) -> dict[str, str]:
    """What a run on sample loans printed, and one of its loans."""
    shown = {name: printed(said / f"{name}.txt") for name in ("nightly", "explain")}
    return {**shown, "example": example(landing, warehouse)}


def main(*folders: str) -> None:
    """Fill every mark of every document; examples only where their folders are given."""
    texts = {name: write() for name, write in GENERATED.items()}
    texts |= examples(*map(Path, folders)) if folders else {}
    for path in DOCUMENTS:
        document = path.read_text(encoding="utf-8")
        for name, text in texts.items():
            document = filled(document, name, text)
        path.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
