"""Monitored subjects: the edges of their bins, and how many loans are in each bin.

Bins are set once, when a model is trained, so that batch dates compare with the training data and
with each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, count
from math import floor, inf, log10, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.feature import Bucketizer, StringIndexer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from sqlglot import exp

from credit_spark.config.expressions import expression
from credit_spark.config.models import Contract
from credit_spark.evaluation.score_bins import ScoreBin
from credit_spark.features.columns import LARGEST, Definition
from credit_spark.scoring.document import Baseline, ModelDocument, Role

RANGES = 10
SHARES = [nth / RANGES for nth in range(1, RANGES)]
# Of the ends of bins, beside the distance from the first to the last.
DIGITS = 3
# Of a text's levels the most frequent; the others are one bin.
MAX_LEVELS = 40
# No feature can be named so.
SCORE = "the score"
# A row a bin of every subject, one after the other, and so many columns: good, bad, open loans, the
# PDs of all, of the known.
COUNTS = 5
# PDs are added as whole numbers of such a unit: the sum is the same in any order of the rows. There
# is room for the PDs of 2**27 loans that are certain to default, in one bin.
PD_UNITS = 2**36
Distribution = NDArray[np.float64]


def baselines_of(contract: Contract, features: Sequence[Definition]) -> list[Baseline]:
    """What a contract's model is to watch but its score: features, segments, analyses; no bins."""
    # Quoted: a column may be named as a word of SQL is.
    segments = [Definition(name, f"`{name}`", is_text=True) for name in contract.segments]
    plans, kinds = contract.analyses.items(), contract.kinds
    analyses = [(name, expression(each.sql, kinds)) for name, each in plans]
    analysed = [Definition(name, each.sql, each.is_text) for name, each in analyses]
    roles: Mapping[Role, Sequence[Definition]]
    roles = {"feature": features, "segment": segments, "analysis": analysed}
    return [
        Baseline(role=role, name=each.name, sql=each.sql, edges=None if each.is_text else ())
        for role, own in roles.items()
        for each in own
    ]


def with_bins(baselines: Sequence[Baseline], sample: DataFrame) -> list[Baseline]:
    """Monitored subjects, with bins found in a sample of loans that fits in the driver's memory.

    Of a number they are tenths of the sample, their ends rounded to a thousandth of what lies
    between them, and each value that a tenth of the sample has; or its values where they are few.
    Of a text, its most frequent levels.
    """
    numbers = [number(each.sql) for each in baselines if not each.is_text]
    named = [each.alias(f"{nth}") for nth, each in enumerate(numbers)]
    edges = (edges_of(each.drop_null().to_numpy()) for each in sample.select(*named).toArrow())
    levels = iter(_frequent([each for each in baselines if each.is_text], sample))
    return [
        each.model_copy(update={"levels": next(levels)} if each.is_text else {"edges": next(edges)})
        for each in baselines
    ]


def edges_of(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Where the bins of finite numbers begin, but the first; in order."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= RANGES:
        return tuple(distinct[1:].tolist())
    # Else a move between zero and small numbers would stay in one bin where many loans have zero.
    is_frequent = counts * RANGES >= len(values)
    begins = distinct[is_frequent | np.roll(is_frequent, 1)]
    rounded = _rounded(np.quantile(values, SHARES, method="higher"))
    # Above a frequent value there is none until the next one.
    is_apart = ~is_frequent[np.searchsorted(distinct, rounded, "right") - 1]
    edges = np.union1d(begins, rounded[is_apart])
    return tuple(edges[edges > distinct[0]].tolist())


def _rounded(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rising ends, rounded to a thousandth of the distance from the first to the last."""
    if ends[0] == ends[-1]:
        return ends
    digits = DIGITS - 1 - floor(log10(ends[-1] - ends[0]))
    # Python's own: numpy's goes by way of a power of ten, which may be infinite.
    return np.array([round(each, digits) for each in ends.tolist()])


def _frequent(texts: Sequence[Baseline], sample: DataFrame) -> list[tuple[str, ...]]:
    """The most frequent levels of each text, in order; of equally frequent ones the first."""
    columns = {f"text_{nth}": F.expr(each.sql).cast("string") for nth, each in enumerate(texts)}
    if not columns:
        return []
    rows = sample.select(*[text.alias(name) for name, text in columns.items()])
    indexer = StringIndexer(inputCols=[*columns], outputCols=[f"{each}_index" for each in columns])
    return [tuple(sorted(levels[:MAX_LEVELS])) for levels in indexer.fit(rows).labelsArray]


def score_baseline(score_bins: Sequence[ScoreBin]) -> Baseline:
    """The score as a monitored subject: tenths of the training loans, by their log-odds of bad.

    A bin begins midway between two score bins: a loan's own log-odds lie to either side of its own.
    """
    log_odds = np.array([each.log_odds for each in score_bins])
    until = np.cumsum([each.known for each in score_bins])
    places_ = np.searchsorted(until, [share * until[-1] for share in SHARES], "right")
    begins = [place for place in np.unique(places_) if 0 < place < len(score_bins)]
    edges = tuple(float(log_odds[place - 1] + log_odds[place]) / 2 for place in begins)
    bins = np.searchsorted(edges, log_odds, "right")
    counts, bads = (
        tuple(int(each) for each in np.bincount(bins, weights, minlength=len(edges) + 2))
        for weights in ([each.known for each in score_bins], [each.bad for each in score_bins])
    )
    return Baseline(role="score", name=SCORE, sql="log_odds", edges=edges, counts=counts, bads=bads)


def pairs(contract: Contract, baselines: Sequence[Baseline]) -> list[tuple[int, int]]:
    """The places of analyses that are shown against each other."""
    places = {each.name: nth for nth, each in enumerate(baselines) if each.role == "analysis"}
    return [
        (places[name], places[analysis.against])
        for name, analysis in contract.analyses.items()
        if analysis.against and {name, analysis.against} <= places.keys()
    ]


def bin_counts(
    loans: DataFrame, baselines: Sequence[Baseline], paired: Sequence[tuple[int, int]] = ()
) -> Distribution:
    """Counts and PDs of loans in each bin of every subject, then of every pair, in one aggregation.

    Args:
        loans: The columns that the subjects read, `pd`, and `outcome`, which is open where it is
            neither good nor bad.
        baselines: The subjects, with their bins.
        paired: The places of two subjects each.

    Returns:
        A row a bin, subjects and pairs one after the other, and COUNTS columns.
    """
    sizes = [len(each.labels) for each in baselines]
    bins = [F.col(bin_column(nth)) for nth in range(len(baselines))]
    for one, other in paired:
        bins.append(bins[one] * sizes[other] + bins[other])
        sizes.append(sizes[one] * sizes[other])
    begins = [*accumulate(sizes, initial=0)]
    places = [own + begin for own, begin in zip(bins, begins, strict=False)]
    outcome = F.when(F.col("outcome") == "good", 0).when(F.col("outcome") == "bad", 1).otherwise(2)
    units = (F.col("pd") * PD_UNITS).cast("bigint")
    counts = (
        binned(loans, baselines, [outcome.alias("outcome"), units.alias("pd")])
        .select("outcome", "pd", F.explode(F.array(*places)).alias("place"))
        .groupBy("place", "outcome")
        .agg(F.count("*").alias("loans"), F.sum("pd").alias("pds"))
        .toArrow()
    )
    place, of, loans_, pds = (counts[name].to_numpy() for name in counts.column_names)
    found = np.zeros((begins[-1], COUNTS), np.int64)
    found[place, of] = loans_
    np.add.at(found[:, 3], place, pds)
    np.add.at(found[:, 4], place[of < 2], pds[of < 2])
    return found / [1, 1, 1, PD_UNITS, PD_UNITS]


def binned(loans: DataFrame, baselines: Sequence[Baseline], beside: Sequence[Column]) -> DataFrame:
    """The columns `beside`, then each loan's bin of each subject, by `bin_column`.

    The bin of a number is how many edges it has reached, that of a text its level's place, then
    that of all others; last comes the bin of what is missing.
    """
    named = {bin_column(nth): each for nth, each in enumerate(baselines)}
    values = [
        (_text(each) if each.is_text else number(each.sql)).alias(name)
        for name, each in named.items()
    ]
    edges = {name: each.edges for name, each in named.items() if each.edges is not None}
    return bucketed(loans.select(*beside, *values), edges)


def bin_column(nth: int) -> str:
    """The column of the nth subject's bin; no column of a contract begins with an underscore."""
    return f"_bin_{nth}"


def bucketed(rows: DataFrame, edges: Mapping[str, Sequence[float]]) -> DataFrame:
    """Rows whose columns of numbers are replaced by how many of their `edges` they have reached.

    What is null, or NaN, counts one more than all edges. Edges are in order. Zero is one number,
    whatever its sign: Spark's Bucketizer, unlike a comparison, has -0.0 below 0.0.
    """
    split = {name: own for name, own in edges.items() if own}
    # Before the name: a feature's column may end as it likes.
    buckets = [f"bucket_{name}" for name in split]
    bins = {name: F.col(f"bucket_{name}").cast("int") for name in split}
    whole = {name: F.isnull(name).cast("int") for name in edges if name not in split}
    if split:
        # The expressions are short: a comparison with each edge makes a method too long to compile.
        bucketizer = Bucketizer(
            splitsArray=[[-inf, *(each + 0.0 for each in own), inf] for own in split.values()],
            inputCols=[*split],
            outputCols=buckets,
            handleInvalid="keep",
        )
        known = {name: F.coalesce(name, F.lit(nan)) + F.lit(0.0) for name in split}
        rows = bucketizer.transform(rows.withColumns(known))
    return rows.withColumns({**bins, **whole}).drop(*buckets) if edges else rows


def _text(baseline: Baseline) -> Column:
    """The bin of a text. As one SQL text: a call to Spark for each level takes longer."""
    others = len(baseline.levels)
    value = f"cast({baseline.sql} as string)"
    whens = "".join(
        f" when {exp.Literal.string(level).sql(dialect='spark')} then {nth}"
        for nth, level in enumerate(baseline.levels)
    )
    known = f"case {value}{whens} else {others} end" if whens else f"{others}"
    return F.expr(f"case when {value} is null then {others + 1} else {known} end")


def number(sql: str) -> Column:
    """A number as a double; null where it is not finite."""
    value = F.expr(sql).cast("double")
    return F.when(value.between(-LARGEST, LARGEST), value)


def with_counts(baselines: Sequence[Baseline], distribution: Distribution) -> list[Baseline]:
    """The monitored subjects, with the loans in each bin of a distribution."""
    rows = iter(distribution[:, :3].astype(int).tolist())
    found = []
    for each in baselines:
        own = [next(rows) for _ in each.labels]
        counts, bads = tuple(map(sum, own)), tuple(bad for _, bad, _ in own)
        found.append(each.model_copy(update={"counts": counts, "bads": bads}))
    return found


def named_bins(
    document: ModelDocument, paired: Sequence[tuple[int, int]], distribution: Distribution
) -> Iterator[dict[str, Any]]:
    """A profile as rows of the table `feature_distribution`."""
    baselines, version = document.baselines, document.version
    bins: list[tuple[Any, ...]] = [
        (each.role, each.name, *own)
        for each in baselines
        for own in zip(count(), each.labels, each.counts, each.bads)
    ]
    for one, other in ((baselines[one], baselines[other]) for one, other in paired):
        labels = [f"{a} | {b}" for a in one.labels for b in other.labels]
        name = f"{one.name} | {other.name}"
        bins += [("pair", name, nth, label, None, None) for nth, label in enumerate(labels)]
    for own, row in zip(bins, distribution.tolist(), strict=True):
        role, name, nth, label, baseline, baseline_bad = own
        good, bad, open_ = map(int, row[:3])
        yield {
            "model_version": version, "role": role, "subject": name, "bin": nth, "label": label,
            "good": good, "bad": bad, "open": open_, "pd_sum": row[3], "known_pd_sum": row[4],
            "baseline": baseline, "baseline_bad": baseline_bad,
        }  # fmt: skip
