"""Books with known change, watched batch by batch, into docs/monitoring.md: `make monitoring`.

Loans are drawn from a known truth, from which each book has a fit of its own; they are scored,
counted and judged by the code that a batch runs. What changes, and when, is known, so that every
call can be told right or wrong.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from write_docs import PROJECT, refilled

from credit_spark.config.models import ScorePlan
from credit_spark.config.settings import resolve
from credit_spark.evaluation.curves import cutoff
from credit_spark.evaluation.metrics import auc
from credit_spark.evaluation.score_bins import ScoreBin, collected, counted
from credit_spark.monitoring.baselines import (
    bin_counts,
    named_bins,
    score_baseline,
    with_bins,
    with_counts,
)
from credit_spark.monitoring.drift import (
    BatchFigures,
    ComparedBin,
    Drift,
    ExpectedFigures,
    by_subject,
    drifts,
    worst,
)
from credit_spark.scoring.document import Baseline, Category, Facts, Level, ModelDocument, Number
from credit_spark.scoring.frames import scores_of
from credit_spark.scoring.policy import Policy
from credit_spark.storage.session import checkpointed, spark_session

BATCHES, CHANGE = 12, 6
LEARNT = 20_000
SIZES = (300, 3_000, 30_000)
GRADES, RISKS = ("A", "B", "C", "D", "E"), (-0.6, 0.0, 0.5, 0.9, 1.0)
SHARES = (0.4, 0.3, 0.198, 0.1, 0.002)
# By their number: of a number with few values each is a bin.
INQUIRIES = (0.548, 0.3, 0.15, 0.002)
SLOPES = {"income": -0.4, "debt": 0.3, "age": -0.25, "inquiries": 0.35, "utilisation": 0.3}
BASE = -2.2
PLAN = ScorePlan(
    bands={"A": 0.05, "B": 0.1, "C": 0.2, "D": 1.0},
    decisions={"approve_below": 0.12, "decline_from": 0.25},
)
KINDS = {**dict.fromkeys(SLOPES, "number"), "grade": "category"}
SETTINGS = resolve(PROJECT / "conf/base.yml", None, {})


class Change(NamedTuple):
    """What changes, by the number of batches since: a loan's data, or its log-odds of bad.

    `recoded` is data that the lender only writes otherwise: the outcomes are those of before.
    """

    words: str
    data: Callable[[dict, int], dict] = lambda loans, nights: {}
    log_odds: Callable[[dict, int], np.ndarray | float] = lambda loans, nights: 0.0
    recoded: Callable[[dict], dict] = lambda loans: {}


def every_fifth_missing(loans: dict, nights: int) -> dict:
    """Debts of which a fifth are not told."""
    is_missing = np.arange(len(loans["debt"])) % 5 == 0
    return {"debt": np.where(is_missing, np.nan, loans["debt"])}


def grade_d(text: str) -> Callable[[dict], dict]:
    """Grades where D is written as such a text."""
    return lambda loans: {"grade": np.where(loans["grade"] == "D", text, loans["grade"])}


def third_inquiry(loans: dict) -> dict:
    """Inquiries where three are told of loans that had two."""
    return {"inquiries": np.where(loans["inquiries"] == 2, 3.0, loans["inquiries"])}


CHANGES = {
    "none": Change("nothing changes"),
    "sudden": Change(
        "from one batch to the next, odds of bad double",
        log_odds=lambda loans, nights: np.log(2),
    ),
    "slow": Change(
        "odds of bad rise by a tenth each batch",
        log_odds=lambda loans, nights: nights * np.log(1.1),
    ),
    "segment": Change(
        "in grade D, a tenth of the loans, odds of bad treble",
        log_odds=lambda loans, nights: np.where(loans["grade"] == "D", np.log(3), 0.0),
    ),
    "feature": Change(
        "one feature falls by 0.8 standard deviations",
        data=lambda loans, nights: {"income": loans["income"] - 0.8},
    ),
    "missing": Change("one feature is missing for a fifth of the loans", data=every_fifth_missing),
    "rare text": Change(
        "grade D, a tenth of the loans, is written as E, which one of 500 loans had",
        recoded=grade_d("E"),
    ),
    "new text": Change(
        "grade D, a tenth of the loans, is written as a text that no loan had",
        recoded=grade_d("D1"),
    ),
    "rare number": Change(
        "two inquiries, of 15 of 100 loans, are written as three, which one of 500 loans had",
        recoded=third_inquiry,
    ),
}
HEAD = (
    "change", "loans a batch", "batches with `act` before it", "portfolios with `act` after it",
    "batches until then, median", "portfolios with `watch` or `act`",
)  # fmt: skip
FACTS = {
    "as_of": date(2026, 1, 1), "imbalance": "none", "rows": LEARNT, "out_of_time_from": None,
    "folds": 5, "seed": 1, "regularisation": 0.0, "elastic_net": 0.0,
}  # fmt: skip


def main(seeds: int, document: Path) -> None:
    """Watch every book with each seed, and write what came of it."""
    with spark_session(SETTINGS.spark.options(), Path("logs/java.log")) as spark:
        lines = [*rows(spark, seeds)]
    head = (
        f"Written by `make monitoring SEEDS={seeds}`: {seeds} portfolios of {BATCHES} batches "
        f"each; what changes does so on batch {CHANGE + 1}.\n"
    )
    said = [f"- `{name}`: {each.words}." for name, each in CHANGES.items()]
    refilled(document, "simulated", "\n".join([head, *said, "", *lines]))


def rows(spark: SparkSession, seeds: int) -> Iterator[str]:
    """The rows of the table."""
    models = [learnt(spark, seed) for seed in track(range(seeds), "fit", transient=True)]
    yield row(HEAD)
    yield row(["---"] * len(HEAD))
    jobs = [(name, size) for name in CHANGES for size in SIZES]
    for name, size in track(jobs, "simulate", transient=True):
        books = [
            [*baselines(spark, *model, CHANGES[name], size, seed)]
            for seed, model in enumerate(models)
        ]
        yield line(name, size, books)


def line(name: str, size: int, books: list[list[str]]) -> str:
    """A row of the table."""
    begin = BATCHES if name == "none" else CHANGE
    before = [status for book in books for status in book[:begin]]
    called = f"{before.count('act')} of {len(before)}"
    if name == "none":
        return row([name, f"{size:,}", called, "", "", ""])
    after = [book[CHANGE:] for book in books]
    first = sorted(book.index("act") + 1 for book in after if "act" in book)
    seen = sum(any(status != "stable" for status in book) for book in after)
    return row([
        name, f"{size:,}", called, f"{len(first)} of {len(books)}",
        f"{median_low(first)}" if first else "", f"{seen} of {len(books)}",
    ])  # fmt: skip


def row(cells: Iterable[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def learnt(spark: SparkSession, seed: int) -> tuple[ModelDocument, ExpectedFigures]:
    """A model fitted on a book of its own, and what its figures should be on another."""
    rng = np.random.default_rng([1, seed])
    book, held_out = (drawn(rng, LEARNT, CHANGES["none"], 0) for _ in range(2))
    model = fitted(book)
    scored = with_scores(spark, book, model)
    unseen = [
        *(Baseline(role="feature", name=name, sql=name, edges=()) for name in SLOPES),
        Baseline(role="feature", name="grade", sql="grade"),
        Baseline(role="segment", name="grade", sql="grade"),
    ]
    binned = with_bins(unseen, scored)
    score = score_baseline(collected(counted(scored)))
    subjects = (score, *with_counts(binned, bin_counts(scored, binned)))
    held = collected(counted(with_scores(spark, held_out, model)))
    expected = ExpectedFigures(
        auc(held),
        model.facts.good,
        model.facts.bad,
        cutoff(held, PLAN.decisions.approve_below).share,
    )
    return model.model_copy(update={"baselines": subjects}), expected


def fitted(book: dict) -> ModelDocument:
    """A logistic regression of a book, as a model's document."""
    values = {name: book[name] for name in SLOPES}
    values |= {each: (book["grade"] == each).astype(float) for each in GRADES}
    is_bad = book["outcome"] == "bad"
    line = LogisticRegression(C=1e4, max_iter=1000).fit(np.column_stack([*values.values()]), is_bad)
    slopes = dict(zip(values, line.coef_[0].tolist(), strict=True))
    numbers = [
        Number(
            name=name, sql=name, imputed=0.0, mean=0.0, deviation=1.0,
            coefficient=slopes[name],
        )
        for name in SLOPES
    ]  # fmt: skip
    levels = tuple(
        Level(text=text, mean=0.0, deviation=1.0, coefficient=slopes[text]) for text in GRADES
    )
    bad = int(is_bad.sum())
    return ModelDocument(
        portfolio="simulated", contract_hash="", left_out=(), offset=0.0,
        features=(*numbers, Category(name="grade", sql="grade", levels=levels)),
        intercept=float(line.intercept_[0]), facts=Facts(**FACTS, good=LEARNT - bad, bad=bad),
    )  # fmt: skip


def baselines(
    spark: SparkSession, model: ModelDocument, expected: ExpectedFigures, change: Change, size: int,
    seed: int,
) -> Iterator[str]:  # fmt: skip
    """The status of each batch of a book."""
    rng = np.random.default_rng([3, seed, size])
    for batch in range(BATCHES):
        loans = drawn(rng, size, change, max(batch - CHANGE + 1, 0))
        yield worst(validated(model, with_scores(spark, loans, model), expected))


def validated(model: ModelDocument, scored: DataFrame, expected: ExpectedFigures) -> list[Drift]:
    """A batch's figures, judged as `monitor` does, with the bounds of conf/base.yml."""
    score_bins: Sequence[ScoreBin] = collected(counted(scored))
    bins = by_subject(
        ComparedBin.of(each) for each in named_bins(model, (), bin_counts(scored, model.baselines))
    )
    seen = BatchFigures(
        bins, auc(score_bins), cutoff(score_bins, PLAN.decisions.approve_below).share
    )
    return drifts(seen, expected, SETTINGS.monitor)


def with_scores(spark: SparkSession, loans: dict, model: ModelDocument) -> DataFrame:
    """Loans with what they are scored."""
    columns = {
        name: pa.array(values, from_pandas=True) if name in SLOPES else pa.array(values)
        for name, values in loans.items()
    }
    frame = spark.createDataFrame(pa.table(columns)).withColumn("loan_id", F.lit(""))
    return checkpointed(scores_of(frame, model, Policy(score=PLAN, reasons={}), KINDS, [*loans]))


def drawn(rng: np.random.Generator, size: int, change: Change, t: int) -> dict:
    """Loans of a batch, `t` batches after the change (0: before it), with outcomes by the truth."""
    loans: dict = {name: rng.normal(size=size) for name in SLOPES}
    loans["inquiries"] = rng.choice(len(INQUIRIES), size, p=INQUIRIES).astype(float)
    loans["grade"] = rng.choice(GRADES, size, p=SHARES)
    if t:
        loans |= change.data(loans, t)
    log_odds = BASE + sum(slope * np.nan_to_num(loans[name]) for name, slope in SLOPES.items())
    log_odds = log_odds + np.select([loans["grade"] == each for each in GRADES], RISKS)
    if t:
        log_odds = log_odds + change.log_odds(loans, t)
    is_bad = rng.random(size) < 1 / (1 + np.exp(-log_odds))
    written = change.recoded(loans) if t else {}
    return {**loans, **written, "outcome": np.where(is_bad, "bad", "good")}


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
