"""Results of imbalance strategies on the real files: `make models DATA=FOLDER BOOKS="NAMES"`.

In come a folder for the warehouse and the folder of the real files; out go the tables of
docs/models.md, from the `metrics` table and nothing else, but for the plain fit of scikit-learn
that the bootcamp's published figures come from.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pandas as pd
from deltalake import DeltaTable
from imblearn.over_sampling import RandomOverSampler
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import train_test_split
from write_docs import PROJECT, filled

from credit_spark.config.models import ImbalanceStrategy
from credit_spark.pipeline.benchmarks import BENCHMARKS

sys.path.append(str(PROJECT))
from tests.projects import closed_book

DOCUMENT = Path(__file__).parents[1] / "docs/models.md"
EVEN = 0.5
UNKNOWN = ""
# The imbalanced report's columns, as imbalanced-learn has them, and their metrics.
REPORT = {
    "pre": "precision", "rec": "recall", "spe": "specificity", "f1": "f1",
    "geo": "geometric_mean", "iba": "iba",
}  # fmt: skip
COUNTS = ("true_positive", "false_positive", "true_negative", "false_negative")


class Book(NamedTuple):
    """A real file, the batch that it is trained on, and the benchmarks beside it.

    The suite of a closed one does not ask for new loans.
    """

    file: str
    as_of: str
    benchmarks: str
    is_closed: bool = False


BOOKS = {
    "lending_club": Book(
        "lendingclub_2007_2011/loans.csv", "2012-12-31", "free,boosted_trees", is_closed=True
    ),
    "bootcamp": Book("bootcamp_lending/lending_data.csv", "2026-01-31", "free,boosted_trees"),
    "german_credit": Book("german_credit/german.data", "2026-01-31", "all"),
    "taiwan_credit_card": Book(
        "taiwan_credit_card/UCI_Credit_Card.csv", "2026-01-31", "free,boosted_trees"
    ),
}
BOOTCAMP = "bootcamp"


def commands(portfolio: str, data: str, warehouse: str, project: str) -> Iterator[list[str]]:
    """The commands that train every imbalance strategy of a book."""
    book = BOOKS[portfolio]
    flags = [
        "--portfolio", portfolio, "--as-of", book.as_of, "--landing", f"{data}/{book.file}",
        "--warehouse", warehouse, *(["--project", project] if book.is_closed else []),
    ]  # fmt: skip
    yield ["credit-spark", "clean", *flags]
    asked = ["--imbalance", "all", "--benchmarks", book.benchmarks, "--random-split"]
    yield ["credit-spark", "train", *flags, *asked]


class Figures:
    """The figures of one portfolio's trainings."""

    def __init__(self, warehouse: Path, portfolio: str) -> None:
        table = DeltaTable(warehouse / portfolio / "metrics").to_pyarrow_table()
        self._rows = [row for row in table.to_pylist() if row["fold"] is None]

    def models(self) -> list[tuple[str, str]]:
        """Name and version of each model: imbalance strategies first, then benchmarks."""
        found = {(row["model_version"], row["imbalance"]) for row in self._rows}
        names = {
            version: version if version in BENCHMARKS else imbalance for version, imbalance in found
        }
        order = [*get_args(ImbalanceStrategy), *BENCHMARKS]
        return sorted(
            ((name, version) for version, name in names.items()),
            key=lambda each: order.index(each[0]),
        )

    def value(self, version: str, dataset: str, metric: str, **where: Any) -> float | None:
        """One figure: of all loans and no threshold, where nothing else is asked."""
        asked = {
            "model_version": version, "dataset": dataset, "metric": metric, "segment": "all",
            "label": "all", "threshold": None, **where,
        }  # fmt: skip
        rows = (row for row in self._rows if all(row[key] == each for key, each in asked.items()))
        return next((row["value"] for row in rows), None)

    def thresholds(self, version: str) -> list[float]:
        """The PDs from which a model's loans were called bad in the folds."""
        own = (row for row in self._rows if row["model_version"] == version)
        found = {row["threshold"] for row in own if row["dataset"] == "cv"}
        return sorted(each for each in found if each is not None)

    def rows(self, version: str, dataset: str) -> int:
        """Loans with a known outcome in a data set."""
        own = (row for row in self._rows if row["model_version"] == version)
        return max(row["rows"] for row in own if row["dataset"] == dataset)


def shown(value: float | None, digits: int = 3) -> str:
    """A figure, or nothing where there is none."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def section(portfolio: str, figures: Figures) -> str:
    """A portfolio's commands and its tables."""
    typed = "\n".join(
        " ".join(each) for each in commands(portfolio, "DATA", "WAREHOUSE", "PROJECT")
    )
    parts = [f"```\n{typed}\n```", counts(figures), "Ranking:"]
    parts.append(ranking(figures))
    parts.append(
        "Calibration, of later loans where there are any, else in the folds, before > after:"
    )
    parts.append(calibration(figures))
    parts.append("Calls at even odds in the folds; in brackets, on the training loans:")
    parts.append(calls(figures))
    summary = "Every class, at every threshold: the imbalanced reports and confusion matrices"
    parts.append(f"<details><summary>{summary}</summary>\n\n{reports(figures)}\n\n</details>")
    return "\n\n".join(parts)


def counts(figures: Figures) -> str:
    """How many loans were learnt from and tested on, and how many of them are bad."""
    _, version = figures.models()[0]
    said = []
    for dataset, words in (("cv", "in the folds"), ("out_of_time", "later")):
        share = figures.value(version, dataset, "observed_rate")
        if share is not None:
            rows = figures.rows(version, dataset)
            said.append(f"{rows:,} loans {words}, {share:.1%} of them bad")
    return "; ".join(said) + "."


def ranking(figures: Figures) -> str:
    """KS and AUC in the folds, out of time, on a random quarter and on what was learnt."""
    rows = []
    for name, version in figures.models():
        cells = [
            " ± ".join(shown(figures.value(version, "cv", f"{each}_{of}")) for of in ("mean", "sd"))
            for each in ("ks", "auc")
        ]
        for dataset in ("out_of_time", "random_split", "train"):
            pair = [shown(figures.value(version, dataset, each)) for each in ("ks", "auc")]
            cells.append(" / ".join(pair) if any(pair) else UNKNOWN)
        rows.append([name, *cells])
    heads = [
        "",
        "KS in five folds",
        "AUC in five folds",
        "later: KS / AUC",
        "random quarter",
        "own loans",
    ]
    told = [nth for nth in range(len(heads)) if any(row[nth] != UNKNOWN for row in rows)]
    return table([heads[nth] for nth in told], [[row[nth] for nth in told] for row in rows])


def calibration(figures: Figures) -> str:
    """What calibration did, out of time or in the folds."""
    names = ("mean_pd_over_observed", "calibration_slope", "brier", "log_loss", "ece")
    rows = []
    for name, version in figures.models():
        later = figures.value(version, "out_of_time", "auc") is not None
        dataset = "out_of_time" if later else "cv"
        cells = [
            f"{shown(figures.value(version, dataset, f'{each}_before'))} > "
            f"{shown(figures.value(version, dataset, each))}"
            for each in names
        ]
        rows.append([name, *cells])
    return table(["", "mean PD / observed", "slope", "Brier", "log loss", "ECE"], rows)


def calls(figures: Figures) -> str:
    """The imbalanced report of bad loans at even odds, and accuracy held out and learnt."""
    rows = []
    for name, version in figures.models():
        bad = [
            shown(figures.value(version, "cv", each, label="bad", threshold=EVEN))
            for each in REPORT.values()
        ]
        both = [
            f"{shown(figures.value(version, 'cv', each, threshold=EVEN))} "
            f"({shown(figures.value(version, 'train', each, threshold=EVEN))})"
            for each in ("accuracy", "balanced_accuracy")
        ]
        rows.append([name, *bad, *both])
    return table(["", *REPORT, "accuracy", "balanced accuracy"], rows)


def reports(figures: Figures) -> str:
    """The imbalanced report of the folds, a line a class and one for both, at each threshold."""
    rows = []
    for name, version in figures.models():
        for at in figures.thresholds(version):
            for label in ("good", "bad", "all"):
                about = {"label": label, "threshold": at}
                bound = f"{shown(at, 4)}, {why(figures, version, at)}"
                rows.append([name, bound, label, *_of_label(figures, version, about)])
    heads = ["", "bad from a PD of", "class", *REPORT, "sup", "TP, FP, TN, FN"]
    return table([*heads, "accuracy", "balanced accuracy"], rows)


def why(figures: Figures, version: str, at: float) -> str:
    """What a threshold of the folds is."""
    known = {
        figures.value(version, "cv", "balanced_even_odds"): "even odds as balanced",
        figures.value(version, "cv", "ks_threshold"): "KS",
        EVEN: "even odds",
    }
    return known.get(at, "decision")


def _of_label(figures: Figures, version: str, about: dict[str, Any]) -> list[str]:
    """A line of a report: of both classes the averages, accuracy and balanced accuracy."""
    ratios = [shown(figures.value(version, "cv", each, **about)) for each in REPORT.values()]
    both = ("accuracy", "balanced_accuracy")
    whole = [shown(figures.value(version, "cv", each, **about)) for each in both]
    counts = [shown(figures.value(version, "cv", each, **about), 0) for each in COUNTS]
    support = shown(figures.value(version, "cv", "support", **about), 0)
    return [*ratios, support, ", ".join(filter(None, counts)), *whole]


def published(figures: Figures, data: str) -> str:
    """The bootcamp file's usual figures beside ours: precision and recall of bad loans."""
    rows = [
        ["usually published, plain", "0.85", "0.91", ""],
        ["usually published, oversampled", "0.84", "0.99", ""],
    ]
    for name, pair in plainly(data):
        rows.append([f"scikit-learn, unscaled, {name}", *map(shown, pair), ""])
    for name, version in figures.models():
        for dataset, words in (("random_split", "random quarter"), ("cv", "folds by content")):
            # As a notebook calls them: at odds that were even before calibration.
            at = figures.value(version, "train", "balanced_even_odds") or EVEN
            pair = [
                shown(figures.value(version, dataset, each, label="bad", threshold=at))
                for each in ("precision", "recall")
            ]
            auc = figures.value(version, dataset, "auc")
            if auc is None:
                continue
            rows.append([f"credit-spark, {words}, {name}", *pair, shown(auc, 4)])
    return table(["", "precision", "recall", "AUC"], rows)


def plainly(data: str) -> Iterator[tuple[str, tuple[float, float]]]:
    """Precision and recall of a default fit on unscaled columns, which stops before its end."""
    rows = pd.read_csv(Path(data) / BOOKS[BOOTCAMP].file)
    features, label = rows.drop(columns="loan_status"), rows["loan_status"]
    learnt, tested, outcome, held_out = train_test_split(features, label, random_state=1)
    again = RandomOverSampler(random_state=1).fit_resample(learnt, outcome)
    for name, (given, known) in {"plain": (learnt, outcome), "oversampled": again}.items():
        called = LogisticRegression(random_state=1).fit(given, known).predict(tested)
        yield name, (precision_score(held_out, called), recall_score(held_out, called))


def main(warehouse: str, data: str, *asked: str) -> None:
    """Train on the books that are asked for, or on all, and fill their marks of the document."""
    portfolios = asked or tuple(BOOKS)
    project = closed_book(Path(warehouse))
    for portfolio in portfolios:
        for command in commands(portfolio, data, warehouse, str(project)):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    document = DOCUMENT.read_text(encoding="utf-8")
    for portfolio in portfolios:
        figures = Figures(Path(warehouse), portfolio)
        document = filled(document, portfolio, section(portfolio, figures))
        if portfolio == BOOTCAMP:
            document = filled(document, "published", published(figures, data))
    DOCUMENT.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
