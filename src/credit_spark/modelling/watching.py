"""What is watched from night to night: where its bins lie, and what loans come to in each.

Bins are found once, when a model is fitted, so that nights can be held against it and each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import floor, log10
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from credit_spark.contract.columns import column
from credit_spark.contract.evaluation import columns_of
from credit_spark.contract.expressions import expression
from credit_spark.contract.models import Contract
from credit_spark.evaluation.cells import Cell
from credit_spark.modelling.features import Definition
from credit_spark.scoring.document import ModelDocument, Role, Watched

RANGES = 10
SHARES = [nth / RANGES for nth in range(1, RANGES)]
# Of the ends of bins, beside the distance from the first to the last.
DIGITS = 3
# Of a text's levels the most frequent; the others are one bin.
MOST_LEVELS = 40
# No feature can be named so.
SCORE = "the score"
# Those that are known stand first.
OUTCOMES = ("good", "bad", "open")
# A row a bin of every subject, one after the other, and so many columns: good, bad, open loans, the
# PDs of all, of the known.
COUNTS = 5
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


def with_bins(watched: Sequence[Watched], sample: pl.DataFrame) -> list[Watched]:
    """What is watched, with bins found in a sample of loans.

    Of a number they are tenths of the sample, their ends rounded to a thousandth of what lies
    between them, or its values where they are few; of a text, its most frequent levels.
    """
    return [_with_bins(each, sample) for each in watched]


def _with_bins(watched: Watched, sample: pl.DataFrame) -> Watched:
    if watched.is_text:
        texts = _values(sample, watched.sql).cast(pl.String).alias("text").drop_nulls()
        frequent = texts.value_counts().sort("count", "text", descending=[True, False])
        levels = tuple(sorted(frequent["text"].head(MOST_LEVELS)))
        return watched.model_copy(update={"levels": levels})
    numbers = numbers_of(sample, watched.sql)
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return watched
    values = np.unique(known)
    if len(values) <= RANGES:
        return watched.model_copy(update={"edges": tuple(values[1:].tolist())})
    ends = np.quantile(known, SHARES, method="higher")
    digits = DIGITS - 1 - floor(log10(ends[-1] - ends[0])) if ends[-1] > ends[0] else None
    rounded = sorted({float(each if digits is None else round(each, digits)) for each in ends})
    edges = tuple(each for each in rounded if each > known.min())
    return watched.model_copy(update={"edges": edges})


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


def columns_watched(watched: Sequence[Watched]) -> list[str]:
    """The columns of `loans` that are read, in order of name."""
    needed = frozenset[str]().union(*[columns_of(each.sql) for each in watched])
    return sorted(needed - {"log_odds"})


def pairs(contract: Contract, watched: Sequence[Watched]) -> list[tuple[int, int]]:
    """The places of analyses that are shown against each other."""
    places = {each.name: nth for nth, each in enumerate(watched) if each.role == "analysis"}
    return [
        (places[name], places[analysis.against])
        for name, analysis in contract.analyses.items()
        if analysis.against and {name, analysis.against} <= places.keys()
    ]


def profiled(
    loans: pl.DataFrame,
    watched: Sequence[Watched],
    paired: Sequence[tuple[int, int]] = (),
) -> Profile:
    """What loans come to in each bin of every subject, then of every pair.

    In come `columns_watched`, `log_odds`, `pd`, and `outcome`: open where nothing hangs on it.
    """
    pd = loans["pd"].to_numpy()
    outcome = loans["outcome"].replace_strict(
        dict(zip(OUTCOMES, range(3), strict=True)), default=2, return_dtype=pl.Int64
    )
    codes = outcome.to_numpy()
    # At once: what several subjects have in common is computed once.
    values = loans.select(column(each.sql).alias(f"{nth}") for nth, each in enumerate(watched))
    bins = [placed(values[f"{nth}"], each) for nth, each in enumerate(watched)]
    sizes = [len(each.labels) for each in watched]
    for one, other in paired:
        bins.append(bins[one] * sizes[other] + bins[other])
        sizes.append(sizes[one] * sizes[other])
    return np.concatenate(
        [_counts(own, size, codes, pd) for own, size in zip(bins, sizes, strict=True)]
    )


def _counts(
    bins: NDArray[np.int64], size: int, codes: NDArray[np.int64], pd: NDArray[np.float64]
) -> Profile:
    of_outcomes = len(OUTCOMES)
    each = bins * of_outcomes + codes
    loans, pds = (
        np.bincount(each, weights, minlength=size * of_outcomes).reshape(size, of_outcomes)
        for weights in (None, pd)
    )
    return np.column_stack([loans, pds.sum(axis=1), pds[:, :-1].sum(axis=1)])


def places(loans: pl.DataFrame, watched: Watched) -> NDArray[np.int64]:
    """Each loan's bin."""
    return placed(_values(loans, watched.sql), watched)


def placed(values: pl.Series, watched: Watched) -> NDArray[np.int64]:
    """Each value's bin."""
    if watched.is_text:
        found = {text: nth for nth, text in enumerate(watched.levels)}
        texts = values.cast(pl.String)
        other = len(watched.levels)
        numbered = texts.replace_strict(found, default=other, return_dtype=pl.Int64)
        return numbered.set(texts.is_null(), other + 1).to_numpy()
    assert watched.edges is not None
    numbers = _as_numbers(values)
    # Edges are few: to count those that are reached takes a tenth of a search's time.
    reached = np.zeros(len(numbers), np.int16)
    for edge in watched.edges:
        reached += numbers >= edge
    return np.where(np.isfinite(numbers), reached, len(watched.edges) + 1).astype(np.int64)


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


def _values(loans: pl.DataFrame, sql: str) -> pl.Series:
    return loans.with_columns(column(sql).alias("value"))["value"]


def numbers_of(loans: pl.DataFrame, sql: str) -> NDArray[np.float64]:
    """A number of each loan; NaN where it is missing."""
    return _as_numbers(_values(loans, sql))


def _as_numbers(values: pl.Series) -> NDArray[np.float64]:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()
