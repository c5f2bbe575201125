"""Monitored subjects: the edges of their bins, and how many loans are in each bin.

Bins are set once, when a model is trained, so that batch dates compare with the training data and
with each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from credit_spark.contract.expressions import expression
from credit_spark.contract.models import Contract
from credit_spark.evaluation.cells import Cell
from credit_spark.modelling.features import LARGEST, Definition
from credit_spark.scoring.document import ModelDocument, Role, Watched

RANGES = 10
SHARES = [nth / RANGES for nth in range(1, RANGES)]
# Of the ends of bins, beside the distance from the first to the last.
DIGITS = 3
# Of a text's levels the most frequent; the others are one bin.
MOST_LEVELS = 40
# No feature can be named so.
SCORE = "the score"
# A row a bin of every subject, one after the other, and so many columns: good, bad, open loans, the
# PDs of all, of the known.
COUNTS = 5
# PDs are added as whole numbers of such a unit: the sum is the same in any order of the rows. There
# is room for the PDs of 2**27 loans that are certain to default, in one bin.
PD_UNITS = 2**36
Profile = NDArray[np.float64]


def watched_of(contract: Contract, features: Sequence[Definition]) -> list[Watched]:
    """What a contract's model is to watch but its score: features, segments, analyses; no bins."""
    kinds = {name: promise.kind for name, promise in contract.columns.items()}
    # Quoted: a column may be named as a word of SQL is.
    segments = [Definition(name, f"`{name}`", is_text=True) for name in contract.segments]
    analyses = {name: expression(each.sql, kinds) for name, each in contract.analyses.items()}
    analysed = [Definition(name, each.sql, each.is_text) for name, each in analyses.items()]
    roles: Mapping[Role, Sequence[Definition]] = {
        "feature": features, "segment": segments, "analysis": analysed,
    }  # fmt: skip
    return [
        Watched(role=role, name=each.name, sql=each.sql, edges=None if each.is_text else ())
        for role, own in roles.items()
        for each in own
    ]


def with_bins(watched: Sequence[Watched], sample: DataFrame) -> list[Watched]:
    """What is watched, with bins found in a sample of loans that fits in the driver's memory.

    Of a number they are tenths of the sample, their ends rounded to a thousandth of what lies
    between them, or its values where they are few; of a text, its most frequent levels.
    """
    texts = [nth for nth, each in enumerate(watched) if each.is_text]
    numbers = [nth for nth, each in enumerate(watched) if not each.is_text]
    levels = dict(zip(texts, _frequent([watched[nth] for nth in texts], sample), strict=True))
    edges = dict(zip(numbers, _tenths([watched[nth] for nth in numbers], sample), strict=True))
    return [
        each.model_copy(update={"levels": levels[nth]} if each.is_text else {"edges": edges[nth]})
        for nth, each in enumerate(watched)
    ]


def _tenths(numbers: Sequence[Watched], sample: DataFrame) -> list[tuple[float, ...]]:
    """The edges of each number's bins."""
    columns = [number(each.sql).alias(f"{nth}") for nth, each in enumerate(numbers)]
    return [edges_of(each.drop_null().to_numpy()) for each in sample.select(*columns).toArrow()]


def edges_of(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Where the bins of finite numbers begin, but the first; in order."""
    distinct = np.unique(values)
    if len(distinct) <= RANGES:
        return tuple(distinct[1:].tolist())
    ends = np.quantile(values, SHARES, method="higher")
    digits = DIGITS - 1 - floor(log10(ends[-1] - ends[0])) if ends[-1] > ends[0] else None
    rounded = sorted({float(each if digits is None else round(each, digits)) for each in ends})
    return tuple(each for each in rounded if each > distinct[0])


def _frequent(texts: Sequence[Watched], sample: DataFrame) -> list[tuple[str, ...]]:
    """The most frequent levels of each text, in order; of equally frequent ones the first."""
    if not texts:
        return []
    pairs = [
        F.struct(F.lit(nth).alias("nth"), F.expr(each.sql).cast("string").alias("text"))
        for nth, each in enumerate(texts)
    ]
    counts = sample.select(F.inline(F.array(*pairs))).dropna().groupBy("nth", "text").count()
    by_frequency = Window.partitionBy("nth").orderBy(F.desc("count"), F.asc("text"))
    ranked = counts.withColumn("place", F.row_number().over(by_frequency))
    rows = ranked.where(F.col("place") <= MOST_LEVELS).collect()
    return [
        tuple(sorted(row["text"] for row in rows if row["nth"] == nth)) for nth in range(len(texts))
    ]


def watched_score(cells: Sequence[Cell]) -> Watched:
    """The score as what is watched: tenths of the loans learnt from, by their log-odds of bad.

    A bin begins midway between two cells: a loan's own log-odds lie to either side of its cell's.
    """
    log_odds = np.array([each.log_odds for each in cells])
    until = np.cumsum([each.known for each in cells])
    places_ = np.searchsorted(until, [share * until[-1] for share in SHARES], "right")
    begins = [place for place in np.unique(places_) if 0 < place < len(cells)]
    edges = tuple(float(log_odds[place - 1] + log_odds[place]) / 2 for place in begins)
    bins = np.searchsorted(edges, log_odds, "right")
    counts, bads = (
        tuple(int(each) for each in np.bincount(bins, weights, minlength=len(edges) + 2))
        for weights in ([each.known for each in cells], [each.bad for each in cells])
    )
    return Watched(role="score", name=SCORE, sql="log_odds", edges=edges, counts=counts, bads=bads)


def pairs(contract: Contract, watched: Sequence[Watched]) -> list[tuple[int, int]]:
    """The places of analyses that are shown against each other."""
    places = {each.name: nth for nth, each in enumerate(watched) if each.role == "analysis"}
    return [
        (places[name], places[analysis.against])
        for name, analysis in contract.analyses.items()
        if analysis.against and {name, analysis.against} <= places.keys()
    ]


def profiled(
    loans: DataFrame,
    watched: Sequence[Watched],
    paired: Sequence[tuple[int, int]] = (),
) -> Profile:
    """Counts and PDs of loans in each bin of every subject, then of every pair, in one aggregation.

    Args:
        loans: The columns that the subjects read, `log_odds` for the score among them; `pd`; and
            `outcome`, which is open where it is neither good nor bad.
        watched: The subjects, with their bins.
        paired: The places of two subjects each.

    Returns:
        A row a bin, subjects and pairs one after the other, and COUNTS columns.
    """
    outcome = F.when(F.col("outcome") == "good", 0).when(F.col("outcome") == "bad", 1).otherwise(2)
    units = (F.col("pd") * PD_UNITS).cast("bigint")
    beside = [outcome.alias("outcome"), units.alias("pd")]
    sizes = [len(each.labels) for each in watched]
    sizes += [sizes[one] * sizes[other] for one, other in paired]
    found = np.zeros((sum(sizes), COUNTS), np.int64)
    for place, of, count, pds in (
        binned(loans, watched, beside)
        .select("outcome", "pd", F.explode(_places(sizes, len(watched), paired)).alias("place"))
        .groupBy("place", "outcome")
        .agg(F.count("*"), F.sum("pd"))
        .collect()
    ):
        found[place, of] = count
        found[place, 3:] += pds, pds if of < 2 else 0
    return found / [1, 1, 1, PD_UNITS, PD_UNITS]


def _places(sizes: Sequence[int], subjects: int, paired: Sequence[tuple[int, int]]) -> Column:
    """A loan's rows of the profile, from its bin of each subject."""
    bins = [F.col(bin_column(nth)) for nth in range(subjects)]
    bins += [bins[one] * sizes[other] + bins[other] for one, other in paired]
    begins = accumulate([0, *sizes[:-1]])
    return F.array(*[own + begin for own, begin in zip(bins, begins, strict=True)])


def binned(loans: DataFrame, watched: Sequence[Watched], beside: Sequence[Column]) -> DataFrame:
    """The columns `beside`, then each loan's bin of each subject, by `bin_column`.

    In two moves, so that a subject's SQL is evaluated once though its value is compared often.
    """
    valued = loans.select(
        *beside, *[_value(each).alias(bin_column(nth)) for nth, each in enumerate(watched)]
    )
    names = [bin_column(nth) for nth in range(len(watched))]
    return valued.withColumns(
        {name: bin_of(F.col(name), each) for name, each in zip(names, watched, strict=True)}
    )


def _value(watched: Watched) -> Column:
    return F.expr(watched.sql).cast("string") if watched.is_text else number(watched.sql)


def bin_column(nth: int) -> str:
    """The column of the nth subject's bin; no column of a contract begins with an underscore."""
    return f"_bin_{nth}"


def bin_of(value: Column, watched: Watched) -> Column:
    """The bin of a value: a text, or a finite number; null is missing."""
    missing = len(watched.labels) - 1
    if watched.edges is not None:
        return F.when(value.isNull(), missing).otherwise(edges_reached(value, watched.edges))
    found = F.when(value.isNull(), missing)
    for nth, level in enumerate(watched.levels):
        found = found.when(value == level, nth)
    return found.otherwise(len(watched.levels))


def edges_reached(value: Column, edges: Sequence[float]) -> Column:
    """How many of the edges, which are in order, a number has reached."""
    if not edges:
        return F.lit(0)
    first, *others = edges
    reached = F.when(value < first, 0)
    for nth, edge in enumerate(others, start=1):
        reached = reached.when(value < edge, nth)
    return reached.otherwise(len(edges))


def number(sql: str) -> Column:
    """A number as a double; null where it is not finite."""
    value = F.expr(sql).cast("double")
    return F.when(value.between(-LARGEST, LARGEST), value)


def with_counts(watched: Sequence[Watched], profile: Profile) -> list[Watched]:
    """What is watched, with the loans that a profile has in each bin."""
    found, begin = [], 0
    for each in watched:
        rows = profile[begin : begin + len(each.labels)]
        begin += len(rows)
        counts = tuple(int(count) for count in rows[:, :3].sum(axis=1))
        bads = tuple(int(count) for count in rows[:, 1])
        found.append(each.model_copy(update={"counts": counts, "bads": bads}))
    return found


def named_bins(
    document: ModelDocument, paired: Sequence[tuple[int, int]], profile: Profile
) -> Iterator[dict[str, Any]]:
    """A profile as rows of the table `profiles`."""
    watched, version = document.watched, document.version
    subjects: list[tuple[str, str, list[str], Watched | None]] = [
        (each.role, each.name, each.labels, each) for each in watched
    ]
    for one, other in paired:
        labels = [f"{a} | {b}" for a in watched[one].labels for b in watched[other].labels]
        subjects.append(("pair", f"{watched[one].name} | {watched[other].name}", labels, None))
    rows = iter(profile.tolist())
    for role, name, labels, own in subjects:
        for nth, label in enumerate(labels):
            good, bad, open_, pds, known_pds = next(rows)
            yield {
                "model_version": version, "role": role, "subject": name, "bin": nth,
                "label": label, "good": int(good), "bad": int(bad), "open": int(open_),
                "pd_sum": pds, "known_pd_sum": known_pds,
                "reference": own.counts[nth] if own else None,
                "reference_bad": own.bads[nth] if own else None,
            }  # fmt: skip
