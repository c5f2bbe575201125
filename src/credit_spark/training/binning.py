"""A binned design: pre-bins counted in Spark, merged, and the weight of evidence of each bin.

In come the same training rows as for a linear design. A binned feature is a text, the name of the
bin, so whatever scores a text scores it; its terms have a level a bin.
Source: Siddiqi, Credit Risk Scorecards, chapter 6, Initial characteristic analysis; and
Navas-Palencia (2020), Optimal binning: mathematical programming formulation.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from math import fsum, inf
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import Pipeline
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from sqlglot import exp

from credit_spark.config.errors import InputError
from credit_spark.config.expressions import expression, valued
from credit_spark.config.models import Contract, Expectation, Feature
from credit_spark.features.columns import ABSENT, LARGEST, Definition, column_of, feature_of
from credit_spark.monitoring.baselines import bucketed
from credit_spark.scoring.document import Category, Level
from credit_spark.training.imbalance import Classes, total
from credit_spark.training.regression import SIGNS, Design, Equation, assembled, sql_columns
from credit_spark.training.splits import Edges, TrainingRows

Item = TypeVar("Item")
PRE_BINS, MAX_BINS = 40, 8
SHARES = [nth / PRE_BINS for nth in range(1, PRE_BINS)]
# A bin holds at least this share of the loans whose value is neither missing nor special.
MIN_BIN_SHARE = 0.05
OTHER = "(any other)"
TRENDS: Mapping[Expectation | None, str] = {
    "increases_risk": "ascending",
    "lowers_risk": "descending",
    None: "auto_asc_desc",
}
# A blank for the value, which no text of a book can hold.
VALUE = "\0"
# As features do: what is not finite is not known.
_LARGEST = f"{LARGEST!r}".replace("e+", "e")
IS_MISSING = f"{VALUE} is null or not {VALUE} between -{_LARGEST} and {_LARGEST}"


class Bin(NamedTuple):
    """A bin of one feature: name, SQL condition, share of the training loans, weight of evidence.

    Conditions are tested in order. `condition` is SQL with a placeholder for the value; None: all
    other values. `evidence` is weight of evidence as `evaluation.evidence` has it, 0 for an empty
    bin. `texts` are the levels in a bin of texts. `begin` is the lower edge of a bin of numbers,
    minus infinity for the first.
    """

    name: str
    condition: str | None
    share: float
    evidence: float
    texts: tuple[str, ...] = ()
    begin: float | None = None


def binned(
    training: TrainingRows,
    features: Sequence[Definition],
    contract: Contract,
    means: Mapping[str, float | None],
) -> Design:
    """The design of training rows: bins and their evidence are theirs.

    `means` are of numbers, by feature: reasons are held against the bin that the mean is in.
    """
    bins = bins_by_feature(training, features, contract)
    # Less the commonest bin's: so evidence that never varies is zero, with no rounding of sums.
    commonest = {name: max(own, key=lambda each: each.share).evidence for name, own in bins.items()}
    weighing = sql_columns([
        f"{evident(own, column_of(name))} - ({commonest[name]!r}d) as `evidence_{column_of(name)}`"
        for name, own in bins.items()
    ])  # fmt: skip
    columns = [f"evidence_{column_of(name)}" for name in bins]
    stages = Pipeline(stages=[weighing, *assembled(columns)]).fit(training.rows)
    # Evidence is of risk: a negative slope would turn the bins round.
    signs = [int(contract.features[name].expect is not None) for name in bins]

    def equation(slopes: Sequence[float], intercept: float) -> Equation:
        of_features = dict(zip(bins, slopes, strict=True))
        terms = tuple(
            _category(name, of_features[name], bins[name], contract, means.get(name))
            for name in bins
        )
        # A term is zero at the mean evidence; the regression's own in the commonest bin.
        moved = fsum(
            slope * (fsum(each.share * each.evidence for each in bins[name]) - commonest[name])
            for name, slope in of_features.items()
        )
        return Equation(terms, intercept + moved)

    return Design(stages, signs, equation)


def means_without_special(rows: DataFrame, contract: Contract) -> dict[str, float | None]:
    """The mean of each feature that has special values, without them; None: there is no other."""
    plans = {name: plan for name, plan in contract.features.items() if plan.special}
    if not plans:
        return {}
    regular = (
        F.avg(F.when(~F.col(column_of(name)).isin(*plan.special), F.col(column_of(name))))
        for name, plan in plans.items()
    )
    (found,) = rows.agg(*regular).collect()
    return dict(zip(plans, found, strict=True))


def bins_by_feature(
    training: TrainingRows, features: Sequence[Definition], contract: Contract
) -> dict[str, list[Bin]]:
    """Each feature's bins on training rows, in the features' order.

    Bins of a number begin at the contract's `breaks`, where it has some.
    """
    plans = {each.name: contract.features[each.name] for each in features}
    specials = {name: plan.special for name, plan in plans.items()}
    found = training.quantiles(features, SHARES, specials)
    edges = {name: list(plans[name].breaks) or sorted({*own}) for name, own in found.items()}
    counts = pre_counted(training.rows, features, edges, specials)
    return {
        each.name: merged_texts(counts[each.name])
        if each.is_text
        else merged_numbers(counts[each.name], edges[each.name], plans[each.name])
        for each in features
    }


def pre_counted(
    training: DataFrame, features: Sequence[Definition], edges: Edges, specials: Edges
) -> Mapping[str, Mapping[str, Classes]]:
    """Good and bad training rows of every feature's pre-bins, in one aggregation.

    A pre-bin is the text; of a number how many edges it has reached, as a text, or ABSENT, or the
    text of a special value.
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
    found = F.when(F.isnull(column), ABSENT)
    for special in specials:
        found = found.when(F.col(column) == special, repr(special))
    return found


def merged_numbers(
    counts: Mapping[str, Classes], edges: Sequence[float], plan: Feature
) -> list[Bin]:
    """A number's bins, by the loans of its pre-bins, which begin at `edges`.

    Bins that the contract states are merged only where their risk does not go as `expect` says.
    """
    found = defaultdict(lambda: Classes(0, 0), counts)
    pre_bins = [found[str(place)] for place in range(len(edges) + 1)]
    begins = [*range(1, len(pre_bins))] if plan.breaks else cuts(pre_bins, TRENDS[plan.expect])
    if plan.expect:
        # Their evidence may turn where their rates do not: a bin of few loans is nearer zero.
        whole = total(counts.values())
        pooled = monotone_cuts(_merged(pre_bins, begins), whole, SIGNS[plan.expect])
        begins = [begins[each - 1] for each in pooled]
    splits = [edges[begin - 1] for begin in begins]
    special = {each: found[repr(each)] for each in plan.special}
    return bins_of_number(splits, _merged(pre_bins, begins), found[ABSENT], special)


def merged_texts(counts: Mapping[str, Classes]) -> list[Bin]:
    """A text's bins, the least risk first; of very many texts, rare ones are merged beforehand.

    The absent text is in a bin of its own, also where no training row has it.
    """
    known = counts.keys() - {ABSENT}
    absent = counts.get(ABSENT, Classes(0, 0))
    if not known:
        return bins_of_text([[ABSENT]], [absent])
    whole = total(counts.values())
    texts = sorted(known, key=lambda text: (counts[text].evidence(whole), text))
    loans = [counts[text] for text in texts]
    groups = _split(texts, _even(loans))
    pre_bins = _merged(loans, _even(loans))
    begins = cuts(pre_bins)
    together = [[text for group in own for text in group] for own in _split(groups, begins)]
    merged = _merged(pre_bins, begins)
    return bins_of_text([[ABSENT], *together], [absent, *merged])


def _even(loans: Sequence[Classes]) -> list[int]:
    """Where groups begin, but for the first, that are as many as pre-bins may be."""
    if len(loans) <= PRE_BINS:
        return list(range(1, len(loans)))
    until = np.cumsum([each.rows for each in loans])
    groups = np.minimum(until * PRE_BINS // until[-1], PRE_BINS - 1)
    return [int(nth) + 1 for nth in np.flatnonzero(np.diff(groups))]


def _merged(loans: Sequence[Classes], begins: Sequence[int]) -> list[Classes]:
    return [total(own) for own in _split(loans, begins)]


def _split(items: Sequence[Item], begins: Sequence[int]) -> list[Sequence[Item]]:
    """Items in groups, each but the first of which begins at one of `begins`."""
    return [items[low:high] for low, high in pairwise([0, *begins, len(items)])]


def monotone_cuts(bins: Sequence[Classes], whole: Classes, sign: int) -> list[int]:
    """Where bins begin, but the first, once adjacent ones are merged until their evidence rises.

    With a `sign` of -1, until it falls. An empty bin is merged with its neighbour. Evidence is
    about the `whole` of the loans.
    """
    pools: list[tuple[int, Classes]] = []
    for own in enumerate(bins):
        pools.append(own)
        while len(pools) > 1:
            (begin, before), (_, last) = pools[-2:]
            is_apart = before.rows and last.rows
            if is_apart and sign * (last.evidence(whole) - before.evidence(whole)) >= 0:
                break
            pools[-2:] = [(begin, total([before, last]))]
    return [begin for begin, _ in pools[1:]]


def cuts(pre_bins: Sequence[Classes], trend: str = TRENDS[None]) -> list[int]:
    """Where merged bins begin, but for the first: their risk follows the trend.

    Nothing where no two pre-bins differ, or all loans have one outcome.
    """
    loans = np.array(pre_bins, np.int64).reshape(-1, 2)
    if len(loans) < 2 or not loans.sum(axis=0).all():
        return []
    loans = _smoothed(loans)
    binning = optbinning().OptimalBinning(
        user_splits=np.arange(1, len(loans)) - 0.5,
        monotonic_trend=trend,
        max_n_bins=MAX_BINS,
        min_bin_size=MIN_BIN_SHARE,
    )
    is_bad, places = np.nonzero(loans.T)
    binning.fit(places.astype(float), is_bad, sample_weight=loans[places, is_bad])
    # Something was found, and it may not be the best there is.
    if binning.status == "FEASIBLE":
        raise RuntimeError("the solver ran out of time: another run could find other bins")
    begins = [round(each + 0.5) for each in binning.splits]
    neighbours = pairwise(_merged(pre_bins, begins))
    # It parts neighbours of equal risk, too.
    apart = [
        begin
        for begin, (one, other) in zip(begins, neighbours, strict=True)
        if one.good * other.bad != one.bad * other.good
    ]
    return _large_enough(pre_bins, apart)


def _large_enough(pre_bins: Sequence[Classes], begins: Sequence[int]) -> list[int]:
    """Where bins begin once each too small one is merged with its neighbour of nearest evidence.

    optbinning sees the loans that are added to each pre-bin, too.
    """
    whole, left = total(pre_bins), list(begins)
    while left:
        bins = _merged(pre_bins, left)
        smallest = min(range(len(bins)), key=lambda nth: bins[nth].rows)
        if bins[smallest].rows >= MIN_BIN_SHARE * whole.rows:
            break
        evidence = [each.evidence(whole) for each in bins]
        sides = [nth for nth in (smallest - 1, smallest) if 0 <= nth < len(left)]
        del left[min(sides, key=lambda nth: abs(evidence[nth + 1] - evidence[nth]))]
    return left


def _smoothed(loans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Twice the loans of each pre-bin that has some, and those that evidence adds to them.

    optbinning takes a pre-bin away that has no good or no bad loan, also one of a thousand loans.
    It counts whole loans: half of one, of the rarer outcome, is one of twice as many.
    """
    everyone = loans.sum(axis=0)
    added = np.rint(everyone / everyone.min()).astype(np.int64)
    return np.where(loans.any(axis=1, keepdims=True), 2 * loans + added, 0)


def optbinning() -> Any:
    """The library; an InputError where it is not installed."""
    try:
        import optbinning as library
    except ImportError:
        raise InputError(
            "a binned scorecard needs optbinning, which is not here: "
            "pip install 'credit-spark[binned]'"
        ) from None
    return library


def bins_of_number(
    splits: Sequence[float],
    counts: Sequence[Classes],
    missing: Classes,
    special: Mapping[float, Classes],
) -> list[Bin]:
    """A number's bins, those of values that stand apart first: the missing, the special.

    In come the values at which bins begin, but for the first, and the loans of each.
    """
    below = [*[f"{VALUE} < {split!r}" for split in splits], None]
    bins = _bins([
        (ABSENT, IS_MISSING, missing),
        *[(repr(value), f"{VALUE} = {value!r}", each) for value, each in special.items()],
        *zip(_names(splits), below, counts, strict=True),
    ])  # fmt: skip
    apart = 1 + len(special)
    begins = zip([-inf, *splits], bins[apart:], strict=True)
    return [*bins[:apart], *(each._replace(begin=begin) for begin, each in begins)]


def bins_of_text(groups: Sequence[Sequence[str]], counts: Sequence[Classes]) -> list[Bin]:
    """A text's bins: groups of texts; one that is in no group is in no bin."""
    known = f"coalesce({VALUE}, {_quoted(ABSENT)})"
    texts = [tuple(sorted(group)) for group in groups]
    conditions = [f"{known} in ({', '.join(map(_quoted, own))})" for own in texts]
    bins = _bins(list(zip(map(", ".join, texts), conditions, counts, strict=True)))
    return [each._replace(texts=own) for each, own in zip(bins, texts, strict=True)]


def named(bins: Sequence[Bin], value: str) -> str:
    """SQL of the name of a value's bin; OTHER where it is in none."""
    return _case(value, [(each.condition, _quoted(each.name)) for each in bins], _quoted(OTHER))


def evident(bins: Sequence[Bin], value: str) -> str:
    """SQL of the evidence of a value's bin; none where it is in none."""
    return _case(value, [(each.condition, f"{each.evidence!r}d") for each in bins], "0d")


def _case(value: str, results: Sequence[tuple[str | None, str]], other: str) -> str:
    whens = [
        f"when {condition.replace(VALUE, value)} then {result}"
        for condition, result in results
        if condition is not None
    ]
    (left,) = [result for condition, result in results if condition is None] or [other]
    return f"case {' '.join(whens)} else {left} end" if whens else left


def _bins(found: Sequence[tuple[str, str | None, Classes]]) -> list[Bin]:
    whole = total(each for _, _, each in found)
    taken = [OTHER]
    bins = []
    for name, condition, each in found:
        evidence = each.evidence(whole)
        # A number follows a name that is taken: documents find a feature by its name.
        numbered = (name if nth == 1 else f"{name} ({nth})" for nth in count(1))
        taken.append(next(each for each in numbered if each not in taken))
        bins.append(Bin(taken[-1], condition, each.rows / whole.rows, evidence))
    return bins


def _names(splits: Sequence[float]) -> list[str]:
    """Names of a number's bins; no two splits read the same."""
    if not splits:
        return ["any"]
    written = ([f"{split:.{digits}g}" for split in splits] for digits in range(4, 18))
    ends = next(each for each in written if len({*each}) == len(splits))
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [f"under {ends[0]}", *between, f"{ends[-1]} and more"]


def _quoted(text: str) -> str:
    return str(exp.Literal.string(text).sql(dialect="spark"))


def _category(
    name: str, slope: float, bins: Sequence[Bin], contract: Contract, mean: float | None
) -> Category:
    """A term of a feature's evidence as one of its bins' names: the same number, bin by bin."""
    begins = [each.begin for each in bins if each.begin is not None]
    places = {begin: place for place, begin in enumerate(begins)}
    levels = tuple(
        Level(
            text=each.name,
            mean=each.share,
            deviation=1,
            coefficient=slope * each.evidence,
            members=each.texts,
            place=None if each.begin is None else places[each.begin],
        )
        for each in bins
    )
    home = bisect(begins, mean) - 1 if begins and mean is not None else None
    kinds = contract.kinds
    sql = expression(named(bins, f"({valued(contract.features[name].sql, kinds)})"), kinds).sql
    return Category(name=name, sql=sql, levels=levels, home=home)
