"""A binned design: pre-bins counted in Spark, merged, and the weight of evidence of each bin.

In come the same training rows as for a linear design; its terms are texts, a level a bin.
Source: Navas-Palencia (2020), Optimal binning: mathematical programming formulation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import fsum
from typing import Any, TypeVar

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from credit_spark.contract.errors import InputError
from credit_spark.contract.expressions import expression, valued
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import MISSING
from credit_spark.features.columns import Definition, column_of, feature_of
from credit_spark.modelling.bins import Bin, Classes, bins_of_number, bins_of_text, evident, named
from credit_spark.modelling.pipeline import ASSEMBLED, sql_columns
from credit_spark.modelling.quantiles import quantiles
from credit_spark.modelling.regression import Design, Equation
from credit_spark.modelling.watching import bucketed
from credit_spark.scoring.document import Category, Level

Item = TypeVar("Item")
PRE_BINS, MOST_BINS = 40, 8
SHARES = [nth / PRE_BINS for nth in range(1, PRE_BINS)]
# Of the loans, at least so large a share stands in a bin.
SMALLEST_BIN = 0.05
Edges = Mapping[str, Sequence[float]]
PreBins = Mapping[str, Mapping[str, Classes]]


def binned(training: DataFrame, features: Sequence[Definition], contract: Contract) -> Design:
    """The design of training rows, features and `label`: bins and their evidence are theirs."""
    bins = bins_by_feature(training, features, contract)
    # Less the commonest bin's: so evidence that never varies is zero, with no rounding of sums.
    commonest = {name: max(own, key=lambda each: each.share).evidence for name, own in bins.items()}
    weighing = sql_columns([
        f"{evident(own, column_of(name))} - ({commonest[name]!r}d) as `evidence_{column_of(name)}`"
        for name, own in bins.items()
    ])  # fmt: skip
    columns = [f"evidence_{column_of(name)}" for name in bins]
    assembler = VectorAssembler(inputCols=columns, outputCol=ASSEMBLED)

    def told(slopes: Sequence[float], intercept: float) -> Equation:
        of_features = dict(zip(bins, slopes, strict=True))
        terms = tuple(_category(name, of_features[name], bins[name], contract) for name in bins)
        # A term is zero at the mean evidence; the regression's own in the commonest bin.
        moved = fsum(
            slope * (fsum(each.share * each.evidence for each in bins[name]) - commonest[name])
            for name, slope in of_features.items()
        )
        return Equation(terms, intercept + moved)

    return Design(PipelineModel([weighing, assembler]), told)


def bins_by_feature(
    training: DataFrame, features: Sequence[Definition], contract: Contract
) -> dict[str, list[Bin]]:
    """Each feature's bins on training rows, in the features' order."""
    specials = {each.name: contract.features[each.name].special for each in features}
    edges = edges_of(training, features, SHARES)
    counts = pre_counted(training, features, edges, specials)
    return {
        each.name: merged_texts(counts[each.name])
        if each.is_text
        else merged_numbers(counts[each.name], edges[each.name], specials[each.name])
        for each in features
    }


def edges_of(
    training: DataFrame, features: Sequence[Definition], shares: Sequence[float]
) -> dict[str, list[float]]:
    """Of each number the distinct values below which such shares of the rows lie, in order."""
    found = quantiles(training, features, shares)
    return {name: sorted(set(values)) for name, values in found.items()}


def pre_counted(
    training: DataFrame,
    features: Sequence[Definition],
    edges: Edges,
    specials: Mapping[str, Sequence[float]],
) -> PreBins:
    """Good and bad training rows of every feature's pre-bins, in one aggregation.

    Returns:
        By feature, then by pre-bin: the text; of a number how many edges it has reached, as a
        text, or MISSING, or the text of a special value.
    """
    apart, places = {}, {}
    for own in map(column_of, edges):
        apart[f"apart_{own}"] = _apart(own, specials.get(feature_of(own), ()))
        places[own] = F.coalesce(f"apart_{own}", F.col(own).cast("string"))
    edges_by_column = {column_of(name): own for name, own in edges.items()}
    rows = bucketed(training.withColumns(apart), edges_by_column)
    bins = [
        F.struct(F.lit(each.name).alias("feature"), F.col(column_of(each.name)).alias("bin"))
        for each in features
    ]
    counts = (
        rows.withColumns(places)
        .select("label", F.inline(F.array(*bins)))
        .groupBy("feature", "bin")
        .agg(F.count_if(F.col("label") == 0), F.count_if(F.col("label") == 1))
    )
    counted: dict[str, dict[str, Classes]] = defaultdict(dict)
    for name, place, good, bad in counts.collect():
        counted[name][place] = Classes(good, bad)
    return counted


def _apart(column: str, specials: Sequence[float]) -> Column:
    """The pre-bin of a number that is missing or special; null for any other."""
    found = F.when(F.isnull(column), MISSING)
    for special in specials:
        found = found.when(F.col(column) == special, repr(special))
    return found


def merged_numbers(
    counts: Mapping[str, Classes], edges: Sequence[float], specials: Sequence[float]
) -> list[Bin]:
    """A number's bins, by the loans of its pre-bins, which begin at `edges`."""
    found = defaultdict(lambda: Classes(0, 0), counts)
    pre_bins = [found[str(place)] for place in range(len(edges) + 1)]
    begins = cuts(pre_bins)
    splits = [edges[begin - 1] for begin in begins]
    special = {each: found[repr(each)] for each in specials}
    return bins_of_number(splits, _merged(pre_bins, begins), found[MISSING], special)


def merged_texts(counts: Mapping[str, Classes]) -> list[Bin]:
    """A text's bins, the least risk first; of very many texts, rare ones are merged beforehand."""
    texts = sorted(counts, key=lambda text: (counts[text].log_odds, text))
    loans = [counts[text] for text in texts]
    groups = _split(texts, _even(loans))
    pre_bins = _merged(loans, _even(loans))
    begins = cuts(pre_bins)
    together = [[text for group in own for text in group] for own in _split(groups, begins)]
    return bins_of_text(together, _merged(pre_bins, begins))


def _even(loans: Sequence[Classes]) -> list[int]:
    """Where groups begin, but for the first, that are as many as pre-bins may be."""
    if len(loans) <= PRE_BINS:
        return list(range(1, len(loans)))
    until = np.cumsum([each.rows for each in loans])
    groups = np.minimum(until * PRE_BINS // until[-1], PRE_BINS - 1)
    return [int(nth) + 1 for nth in np.flatnonzero(np.diff(groups))]


def _merged(loans: Sequence[Classes], begins: Sequence[int]) -> list[Classes]:
    return [Classes(*map(sum, zip(*own, strict=True))) for own in _split(loans, begins)]


def _split(items: Sequence[Item], begins: Sequence[int]) -> list[Sequence[Item]]:
    """Items in groups, each but the first of which begins at one of `begins`."""
    return [items[low:high] for low, high in pairwise([0, *begins, len(items)])]


def cuts(pre_bins: Sequence[Classes]) -> list[int]:
    """Where merged bins begin, but for the first: their risk rises, or falls, from one to the next.

    Nothing where no two of the pre-bins, in their order, can be told apart.
    """
    loans = np.array(pre_bins, np.int64).reshape(-1, 2)
    if len(loans) < 2 or not loans.sum(axis=0).all():
        return []
    binning = optbinning().OptimalBinning(
        user_splits=np.arange(1, len(loans)) - 0.5,
        monotonic_trend="auto_asc_desc",
        max_n_bins=MOST_BINS,
        min_bin_size=SMALLEST_BIN,
    )
    is_bad, places = np.nonzero(loans.T)
    binning.fit(places.astype(float), is_bad, sample_weight=loans[places, is_bad])
    # Something was found, and it may not be the best there is.
    if binning.status == "FEASIBLE":
        raise RuntimeError("the solver ran out of time: another run could find other bins")
    return [round(each + 0.5) for each in binning.splits]


def optbinning() -> Any:
    """The library.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optbinning as library
    except ImportError:
        raise InputError(
            "a binned scorecard needs optbinning, which is not here: "
            "pip install 'credit-spark[binned]'"
        ) from None
    return library


def _category(name: str, slope: float, bins: Sequence[Bin], contract: Contract) -> Category:
    """A term of a feature's evidence as one of its bins' names: the same number, bin by bin."""
    kinds = {name: promise.kind for name, promise in contract.columns.items()}
    feature = contract.features[name]
    sql = expression(named(bins, f"({valued(feature.sql, kinds)})"), kinds).sql
    levels = tuple(
        Level(
            text=each.name,
            mean=each.share,
            deviation=1,
            coefficient=slope * each.evidence,
            members=each.texts,
        )
        for each in bins
    )
    return Category(name=name, sql=sql, reason=feature.reason, levels=levels)
