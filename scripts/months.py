"""LendingClub's book month by month: `make months DATA=FOLDER`.

Every month end is a batch with the loans issued by then, and the outcomes that they have come to.
The first batch trains, the others score: what a model of 2010 says a year on. Out go the table of
docs/monitoring.md, and each batch's report.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable
from rich.progress import track
from write_docs import refilled

DOCUMENT = Path(__file__).parents[1] / "docs/monitoring.md"
FILE = "lendingclub_2007_2011/loans.csv"
BATCHES = pd.date_range("2010-12-31", "2011-12-31", freq="ME")
FIGURES = ("auc", "ks", "mean_pd", "observed_rate")
HEAD = (
    "batch", "loans", "mature outcomes", "AUC", "KS", "mean PD", "bad", "watch", "act",
    "what is to be acted on",
)  # fmt: skip


def main(folder: str, data: str) -> None:
    """Run every batch in a folder, and write what came of them."""
    book = pd.read_csv(f"{data}/{FILE}", dtype=str, keep_default_na=False)
    warehouse = Path(folder) / "warehouse"
    for as_of in track(BATCHES, description="batches", transient=True):
        file = Path(folder) / f"{as_of.date()}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        issued_by(book, as_of).to_csv(file, index=False)
        run(file, as_of.date(), warehouse)
        file.unlink()
    tables = warehouse / "lending_club"
    text = "\n".join([*lines(tables)])
    refilled(DOCUMENT, "months", text)


def issued_by(book: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The loans issued by a batch date."""
    return book[pd.to_datetime(book["issue_d"]) <= as_of]


def run(file: Path, as_of: date, warehouse: Path) -> None:
    """One batch, to its end; a first model that fails a gate is promoted by overruling it."""
    flags = [
        "--portfolio", "lending_club", "--as-of", f"{as_of}", "--landing", f"{file}",
        "--warehouse", f"{warehouse}",
    ]  # fmt: skip
    ended = told("nightly", *flags)
    failed = [line.split()[0] for line in ended.stderr.splitlines() if line.startswith("  out_of")]
    if failed:
        overruled = [word for gate in failed for word in ("--overrule", gate)]
        decision = ["--by", "make months", "--reason", "to see what the batches after it say"]
        told("promote", *flags, *overruled, *decision)
        ended = told("nightly", *flags)
    if ended.returncode:
        sys.exit(ended.stderr)


def told(*words: str) -> subprocess.CompletedProcess[str]:
    """Give a command."""
    command = ["credit-spark", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lines(tables: Path) -> Iterator[str]:
    """A line a batch."""
    yield f"Written by `make months`: {len(BATCHES)} batches of the book.\n"
    yield f"| {' | '.join(HEAD)} |"
    yield f"|{'---|' * len(HEAD)}"
    metrics = frame(tables / "metrics")
    drift = frame(tables / "drift")
    for as_of in BATCHES:
        own = metrics[(metrics["as_of"] == as_of.date()) & (metrics["dataset"] == "batch")]
        is_whole = (own["segment"] == "all") & (own["label"] == "all") & own["threshold"].isna()
        whole = own[is_whole].set_index("metric")
        changes = drift[drift["as_of"] == as_of.date()]
        acting = changes[changes["status"] == "act"]
        named = ", ".join(f"{row.measure} of {row.subject}" for row in acting.itertuples())
        figures = (f"{whole.loc[name, 'value']:.3f}" for name in FIGURES)
        cells = [
            f"{as_of.date()}", f"{whole.loc['approval_rate', 'rows']:,}",
            f"{whole.loc['auc', 'rows']:,}", *figures,
            f"{(changes['status'] == 'watch').sum()}", f"{len(acting)}", named,
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def frame(table: Path) -> pd.DataFrame:
    """A table, whole."""
    return DeltaTable(table).to_pandas()


if __name__ == "__main__":
    main(*sys.argv[1:])
