"""What has changed, and whether by more than chance: a batch's figures against what they should be.

A metric has drifted if its distance from the baseline exceeds both a configured bound and its
critical value. Critical values are Bonferroni-corrected: of batches without drift, at most the
share `false_alarms` has any metric beyond its critical value.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from math import ceil, exp, hypot, inf, log, sqrt
from statistics import median
from typing import Any, Literal, NamedTuple, Self

from scipy.special import bdtrik, chdtri, ndtri, stdtrit

from credit_spark.config.settings import MIN_DATES, Monitor
from credit_spark.config.tables import MISSING, OTHER, STATUSES

Status = Literal["stable", "watch", "act"]
Bounds = tuple[float, float]
# How far chance goes, of how seldom it may go further.
Critical = Callable[[float], float]
# With fewer loans expected in a bin, it is rare: its part of a PSI is no part of a chi-squared,
# and its share is not about normal.
MIN_EXPECTED = 10.0
MIN_OF_A_CLASS = 20
ROUNDING = 1e-12
# Shares below it are rare where few such loans are expected; others are about normal.
RARE_SHARE = 0.25
# A median absolute deviation of so much is a standard deviation, where values are normal; it knows
# it as well as a standard deviation of so many times fewer values does.
NORMAL, EFFICIENCY = 1.4826, 0.37
# Bins of every subject by their labels: no text's own level is called so.
FEED = {"missing_share": MISSING, "unseen_share": OTHER}
PSI = "psi"
CAUSES = {
    "look at the lender's files first: more or fewer values are missing or new": tuple(FEED),
    "outcomes are not what the model says": ("auc", "calibration"),
    "loans differ from the training data": (PSI, "approval_rate"),
    "many more or fewer loans came than usual": ("volume",),
}


class ComparedBin(NamedTuple):
    """A bin of a subject, a row of `feature_distribution`, and a batch's loans in it.

    `baseline` are the model's training loans, `baseline_bad` the bad ones. Good and bad
    are only those loans that are mature.
    """

    role: str
    subject: str
    bin: int
    label: str
    good: int
    bad: int
    open: int
    pd_sum: float
    known_pd_sum: float
    baseline: int | None
    baseline_bad: int | None

    @property
    def loans(self) -> int:
        """All loans in it."""
        return self.good + self.bad + self.open

    @property
    def known(self) -> int:
        """Mature loans with a known outcome."""
        return self.good + self.bad

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """A bin from a row of the table."""
        return cls(*[row[name] for name in cls._fields])


Distributions = Mapping[tuple[str, str], list[ComparedBin]]


class ExpectedFigures(NamedTuple):
    """What a model's figures should be: AUC on held-out loans, of so many good and bad."""

    auc: float | None
    good: int
    bad: int
    approval_rate: float | None


class Outcomes(NamedTuple):
    """Mature loans, `of` a month or another part: all, the bad ones, PDs added up."""

    of: str
    known: int
    bad: int
    pds: float


class BatchFigures(NamedTuple):
    """A batch: its bins, AUC of the mature loans, approval rate, and earlier batches' loans.

    `fresh` are months of loans that are not among the model's training loans.
    """

    distributions: Distributions
    auc: float | None
    approval_rate: float | None
    earlier: Sequence[int] = ()
    fresh: Sequence[Outcomes] = ()

    @property
    def score(self) -> Sequence[ComparedBin]:
        """The bins of the score; none where nothing was scored."""
        return next((own for (role, _), own in self.distributions.items() if role == "score"), [])

    @property
    def loans(self) -> int:
        """The loans of the batch."""
        return sum(each.loans for each in self.score)


class Advice(NamedTuple):
    """Whether to retrain, and why."""

    retrain: bool
    why: str


class Drift(NamedTuple):
    """A row of `drift`; `critical_value` is how far `value` may lie from `baseline` by chance."""

    subject: str
    measure: str
    psi: float | None
    value: float
    baseline: float
    critical_value: float
    rows: int
    status: Status


class Change(NamedTuple):
    """A figure before chance is shared out.

    `critical` is its critical distance; `off` says what a distance is on the value's own scale.
    """

    subject: str
    measure: str
    value: float
    baseline: float
    distance: float
    bounds: Bounds
    critical: Critical
    rows: int
    off: Callable[[float], float] = float

    def with_status(self, level: float) -> Drift:
        """The figure with its status, where chance goes beyond it as seldom as `level`."""
        critical_value = self.critical(level)
        watch, act = self.bounds
        # A rare share that lies at its critical value differs from it by rounding only.
        is_changed = self.distance - critical_value > ROUNDING and self.distance >= watch
        psi = self.value if self.measure == PSI else None
        return Drift(
            self.subject, self.measure, psi, self.value, self.baseline, self.off(critical_value),
            self.rows, "stable" if not is_changed else "act" if self.distance >= act else "watch",
        )  # fmt: skip


def by_subject(bins: Iterable[ComparedBin]) -> Distributions:
    """The bins of each role's subjects, in order; subjects by their names."""
    ordered = sorted(bins, key=lambda each: each[:3])
    return {key: list(own) for key, own in groupby(ordered, key=lambda each: each[:2])}


def drifts(seen: BatchFigures, expected: ExpectedFigures, bounds: Monitor) -> list[Drift]:
    """Every figure of a batch that can be computed; what there is too little of is left out."""
    changes = [
        *_distributions(seen.distributions, bounds),
        *_approval(seen, expected, bounds.share),
        *_volume(seen, bounds),
        *_ranking(seen, expected, bounds.auc),
        *_calibrations(seen, expected, bounds.calibration),
    ]
    level = bounds.false_alarms / max(len(changes), 1)
    return [each.with_status(level) for each in changes]


def worst(found: Sequence[Drift]) -> Status:
    """The gravest status among figures."""
    return max((each.status for each in found), key=STATUSES.index, default="stable")


def psi(current: Sequence[int], baseline: Sequence[int]) -> float:
    """Population stability index of counts in the same bins, half a loan added to each.

    The sum of (p - q) ln(p / q) over bins, p and q being the shares. Source: Kullback's
    J-divergence; its use in scoring is Siddiqi's, "Credit Risk Scorecards".

    >>> round(psi([10, 90], [50, 50]), 3)
    0.853
    """
    return sum(_parts(current, baseline))


def _parts(current: Sequence[int], baseline: Sequence[int]) -> list[float]:
    """What each bin adds to a PSI."""
    size = len(current)
    p = [(each + 0.5) / (sum(current) + 0.5 * size) for each in current]
    q = [(each + 0.5) / (sum(baseline) + 0.5 * size) for each in baseline]
    return [(a - b) * log(a / b) for a, b in zip(p, q, strict=True)]


def auc_error(auc: float, good: int, bad: int) -> float:
    """The standard error of an AUC. Source: Hanley and McNeil, 1982.

    >>> round(auc_error(0.7, 900, 100), 4)
    0.0303
    """
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    standard_error = auc * (1 - auc) + (bad - 1) * (q1 - auc**2) + (good - 1) * (q2 - auc**2)
    return sqrt(standard_error / (good * bad))


def _distributions(distributions: Distributions, bounds: Monitor) -> Iterator[Change]:
    for (role, subject), bins in distributions.items():
        loans = sum(each.loans for each in bins), sum(map(_baseline_loans, bins))
        if role in ("score", "feature") and all(loans):
            yield from _stability(subject, bins, loans, bounds.psi)
            if role == "feature":
                yield from _feed(subject, bins, loans, bounds.share)


def _stability(
    subject: str, bins: Sequence[ComparedBin], loans: tuple[int, int], bounds: Bounds
) -> Iterator[Change]:
    """The PSI of bins with so many loans now and in the baseline, if there are two to compare.

    Without drift the PSI is about (1/N + 1/M) times a chi-squared variable (Yurdakul, 2018). An
    empty pool of few expected loans is more likely than chi-squared implies, so what it would add
    to the PSI is added to the critical value.
    """
    current, baseline = loans
    times = current / baseline
    pairs = _compared(bins, times)
    if len(pairs) < 2:
        return
    value = psi(*zip(*pairs, strict=True))
    added = _if_empty(pairs) if pairs[-1][1] * times < MIN_EXPECTED else 0.0
    scale = 1 / current + 1 / baseline
    critical = partial(_chi_squared, scale, len(pairs) - 1, added)
    yield Change(subject, PSI, value, 0.0, value, bounds, critical, current)


def _normal(standard_error: float, level: float) -> float:
    return standard_error * float(-ndtri(level / 2))


def _chi_squared(scale: float, freedom: int, added: float, level: float) -> float:
    return scale * float(chdtri(freedom, level)) + added


def _student(standard_error: float, freedom: float, level: float) -> float:
    return standard_error * float(-stdtrit(freedom, level / 2))


def _compared(bins: Sequence[ComparedBin], times: float) -> list[tuple[int, int]]:
    """Loans of this batch and of the baseline in each bin, rare ones in pools, which come last.

    A common bin stays by itself, so that no pool hides what moves into it or out of it. All rare
    levels of a text are one pool: their order says nothing. Those of a number are put together in
    order until enough loans are expected; in the last pool there may be fewer.
    """
    enough = MIN_EXPECTED / times
    pairs = [(each.loans, _baseline_loans(each)) for each in bins]
    common = [pair for pair in pairs if pair[1] >= enough]
    rare = [pair for pair in pairs if pair[1] < enough]
    is_text = any(each.label == OTHER for each in bins)
    return [*common, *_pools(rare, inf if is_text else enough)]


def _pools(pairs: Iterable[tuple[int, int]], enough: float) -> Iterator[tuple[int, int]]:
    """Pairs added up in order until the baseline has enough; the last sum is what is left."""
    current = baseline = 0
    for loans, expected in pairs:
        current, baseline = current + loans, baseline + expected
        if baseline >= enough:
            yield current, baseline
            current = baseline = 0
    if current or baseline:
        yield current, baseline


def _if_empty(pairs: Sequence[tuple[int, int]]) -> float:
    """What the last bin adds to a PSI where none of its loans come, but to another bin."""
    (first, *others, last), baseline = zip(*pairs, strict=True)
    return _parts([first + last, *others, 0], baseline)[-1]


def _feed(
    subject: str, bins: Sequence[ComparedBin], loans: tuple[int, int], bounds: Bounds
) -> Iterator[Change]:
    """The shares of missing and of unseen values."""
    for measure, label in FEED.items():
        for each in bins:
            if each.label == label:
                pair = (each.loans / loans[0], _baseline_loans(each) / loans[1])
                yield _share(subject, measure, pair, loans, bounds)


def _baseline_loans(each: ComparedBin) -> int:
    return each.baseline or 0


def _share(
    subject: str, measure: str, shares: Bounds, loans: tuple[int, int], bounds: Bounds
) -> Change:
    """A share in this batch and in the baseline, of so many loans each.

    Its critical value is a normal one, or that of rare cases: of the share itself, or of the rest.
    """
    together = sum(share * each for share, each in zip(shares, loans, strict=True)) / sum(loans)
    standard_error = sqrt(together * (1 - together) * sum(1 / each for each in loans))
    critical = partial(_normal, standard_error)
    rarer = min(together, 1 - together)
    if rarer < RARE_SHARE and rarer * min(loans) < MIN_EXPECTED:
        has_risen = (shares[0] > shares[1]) == (rarer == together)
        critical = partial(_of_rare, round(rarer * sum(loans)), loans, has_risen)
    distance = abs(shares[0] - shares[1])
    return Change(subject, measure, *shares, distance, bounds, critical, loans[0])


def _of_rare(cases: int, loans: tuple[int, int], has_risen: bool, level: float) -> float:
    """How far two shares of rare cases may lie apart: each case is in the batch or the baseline.

    Of the cases of both, those on the side with the larger share are a binomial variable. Source:
    Przyborowski and Wilenski, 1940.
    """
    if not cases:
        return 0.0
    larger, smaller = loans if has_risen else loans[::-1]
    most = min(cases, ceil(float(bdtrik(1 - level / 2, cases, larger / sum(loans)))))
    return max(0.0, most / larger - (cases - most) / smaller)


def _approval(seen: BatchFigures, expected: ExpectedFigures, bounds: Bounds) -> Iterator[Change]:
    if seen.approval_rate is not None and expected.approval_rate is not None and seen.loans:
        pair, loans = (seen.approval_rate, expected.approval_rate), expected.good + expected.bad
        yield _share("loans", "approval_rate", pair, (seen.loans, loans), bounds)


def _volume(seen: BatchFigures, bounds: Monitor) -> Iterator[Change]:
    """The current loans against the median of earlier batches: on a scale of logarithms."""
    loans = seen.loans
    if len(seen.earlier) < MIN_DATES or not loans or not all(seen.earlier):
        return
    usual = median(seen.earlier)
    # One batch far off does not widen it: an outage is seen on its second day, too.
    spread = NORMAL * median(abs(log(each / usual)) for each in seen.earlier) + sqrt(1 / usual)
    critical = partial(_student, spread, EFFICIENCY * (len(seen.earlier) - 1))
    ratios = (log(bounds.volume[0]), log(bounds.volume[1]))
    yield Change(
        "loans", "volume", loans, usual, abs(log(loans / usual)), ratios, critical, loans,
        off=lambda distance: usual * abs(exp(distance if loans >= usual else -distance) - 1),
    )  # fmt: skip


def _ranking(seen: BatchFigures, expected: ExpectedFigures, bounds: Bounds) -> Iterator[Change]:
    good, bad = sum(each.good for each in seen.score), sum(each.bad for each in seen.score)
    if seen.auc is None or expected.auc is None or min(good, bad) < MIN_OF_A_CLASS:
        return
    held_out_error = auc_error(expected.auc, expected.good, expected.bad)
    critical = partial(_normal, hypot(auc_error(seen.auc, good, bad), held_out_error))
    drop = max(expected.auc - seen.auc, 0.0)
    yield Change("outcomes", "auc", seen.auc, expected.auc, drop, bounds, critical, good + bad)


def _calibrations(
    seen: BatchFigures, expected: ExpectedFigures, bounds: Bounds
) -> Iterator[Change]:
    """Observed bads over expected ones, of all mature loans and of each part of them.

    The model's own PDs rest on the bad loans that it was trained on: all of them, or a part's.
    """
    parts = [
        (_outcomes(f"{name}={each.label}", [each]), each.baseline_bad or 0)
        for (role, name), bins in seen.distributions.items()
        if role == "segment"
        for each in bins
    ]
    of_all = [(each, expected.bad) for each in (_outcomes("outcomes", seen.score), *seen.fresh)]
    for found, training_bad in (of_all[0], *parts, *of_all[1:]):
        # A part that should have few bad loans, and has many, is judged, too.
        if max(found.pds, found.bad) >= MIN_OF_A_CLASS:
            yield _calibration(found, training_bad, bounds)


def _outcomes(of: str, bins: Sequence[ComparedBin]) -> Outcomes:
    known, bad = sum(each.known for each in bins), sum(each.bad for each in bins)
    return Outcomes(of, known, bad, sum(each.known_pd_sum for each in bins))


def _calibration(found: Outcomes, training_bad: int, bounds: Bounds) -> Change:
    """Roots of counts are about normal, however few; counts and their logarithms are skewed."""
    ratio = found.bad / found.pds
    # Of bads given their PDs, and of the PDs.
    standard_error = sqrt((1 - found.pds / found.known) / found.pds + 1 / max(training_bad, 1))
    watch, act = (abs(_root(bound if ratio > 1 else 1 / bound)) for bound in bounds)

    def off(distance: float) -> float:
        root = 1 + (distance if ratio >= 1 else -distance) / 2
        return abs(max(0.0, root) ** 2 - 1)

    about = (found.of, "calibration", ratio, 1.0, abs(_root(ratio)))
    return Change(*about, (watch, act), partial(_normal, standard_error), found.known, off)


def _root(ratio: float) -> float:
    """How far a ratio is from one, on a scale of roots: near one, about the ratio less one."""
    return 2 * (sqrt(ratio) - 1)


def advice(found: Sequence[Drift]) -> Advice:
    """Whether to retrain, and why; where the data feed has changed, check it first."""
    acting = [each for each in found if each.status == "act"]
    named = {
        words: ", ".join(
            f"{each.measure} of {each.subject}" for each in acting if each.measure in own
        )
        for words, own in CAUSES.items()
    }
    causes = [f"{words} ({subjects})" for words, subjects in named.items() if subjects]
    measures = {each.measure for each in acting}
    retrain = measures.isdisjoint(FEED) and bool(measures - {"volume"})
    return Advice(retrain, "; ".join(causes) or "nothing is to be acted on")
