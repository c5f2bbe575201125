"""Training data: a batch date's mature loans with a known outcome, as features, split, and checked.

What is not mature by the contract's `performance_months` is in neither training nor test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.config.errors import GateError, InputError, listed
from credit_spark.config.guards import is_known_late
from credit_spark.config.loading import contract_hash
from credit_spark.config.models import Contract
from credit_spark.config.tables import QUARANTINE, loans
from credit_spark.features.columns import ABSENT, Definition, column_of, definitions, featured
from credit_spark.ingest.rules import OUTCOME_RULE
from credit_spark.monitoring.baselines import baselines_of, bin_counts, with_bins, with_counts
from credit_spark.monitoring.vintages import is_mature
from credit_spark.pipeline.context import RunContext
from credit_spark.scoring.document import Baseline, LeftOut, Number
from credit_spark.storage.runs import CLEANING, newest_complete
from credit_spark.storage.session import checkpointed
from credit_spark.training.binning import means_without_special
from credit_spark.training.diagnostics import (
    counted_bins,
    inflations,
    presence,
    presence_leaks,
    presence_weighs,
    single_auc,
)
from credit_spark.training.imbalance import Classes
from credit_spark.training.regression import (
    Columns,
    Design,
    indexer_of,
    linear,
    terms_of,
    vectors,
)
from credit_spark.training.splits import (
    FOLD,
    QUARTER,
    Edges,
    TrainingRows,
    fold,
    out_of_time_from,
    random_quarter,
    sample_of,
)

# Of training vectors: what imbalance strategies draw and weigh by.
BESIDE = ("loan_id", "label")
# With fewer, neither a fold's KS nor a calibration says anything.
MIN_OF_A_CLASS = 50
# Names and free texts would be memorised: so many texts at most, and so many loans a text.
MAX_TEXTS, MIN_OF_A_TEXT = 1000, 5
# Above, the square of a number is none, and so there is no deviation.
MAX_SQUARABLE = 1e150
MIN_VALUES = 50
MIN_PARTITIONS = 2
# What a feature attains lies between these shares of its values: outliers would be no reference.
ATTAINED = (0.05, 0.95)
# From them on, a feature is remarked.
MUCH_MISSING = 0.95
COLLINEAR = 10.0


class MatureLoans(NamedTuple):
    """Mature loans with a known outcome: `development_rows` to train on, later ones to test on.

    `cutoff` is the day from which they are tested on. `immature` counts loans with a known outcome
    that are not old enough.
    """

    development: DataFrame
    development_rows: int
    out_of_time: DataFrame | None
    out_of_time_rows: int
    cutoff: date | None
    immature: int


@dataclass(frozen=True)
class TrainingData:
    """Mature loans with a known outcome: training loans and those of the out-of-time test.

    `design` and `vectors` are linear, of all training rows; `means` are of its numbers but for
    special values, and `ends` the values that reasons may be held against. `inflations` are
    variance inflations by feature; `remarks` are sentences for the modeller; `baselines` counts the
    training loans by bin. `immature` counts loans with a known outcome that are not mature.
    """

    training: TrainingRows
    out_of_time: DataFrame | None
    cutoff: date | None
    immature: int
    columns: Columns
    left_out: tuple[LeftOut, ...]
    ends: Edges
    design: Design
    vectors: DataFrame
    means: Mapping[str, float | None]
    inflations: Mapping[str, float]
    baselines: tuple[Baseline, ...]
    remarks: tuple[str, ...]


def read_training_data(run: RunContext) -> TrainingData:
    """The batch date's mature loans with a known outcome, as features, split by time.

    Raises:
        GateError: too few are good or bad, or no feature is usable.
        InputError: a feature gives the outcome away, and the contract does not accept it.
    """
    contract, mature = run.contract, mature_loans(run)
    rows = prepared(run, mature)
    training = TrainingRows.of(rows, definitions(contract))
    _check_classes(run, training, _where(run, mature))
    features, left_out, missing = usable(rows, contract)
    if not features:
        raise GateError(
            "no feature of the contract has enough values that differ: there is nothing to train "
            f"on. {'; '.join(f'{each.name}: {each.why}' for each in left_out)}"
        )
    bins = counted_bins(training, features)
    leaks = accepted_leaks(contract, bins)
    numbers = {each.name: bins[each.name] for each in features if not each.is_text}
    columns = Columns(features, indexer_of(rows, features), indicated(contract, numbers))
    found = training.quantiles(features, ATTAINED)
    ends = {name: (low, high) for name, (low, high) in found.items()}
    design = linear(training, columns, contract, ends)
    made = vectors(design, rows, *BESIDE)
    terms = terms_of(design.stages, columns, ends)
    inflated = inflations(made, terms)
    means = {each.name: each.mean for each in terms if isinstance(each, Number)}
    changed = contract_changed_since_clean(run)
    return TrainingData(
        training=training,
        out_of_time=mature.out_of_time,
        cutoff=mature.cutoff,
        immature=mature.immature,
        columns=columns,
        left_out=left_out,
        ends=ends,
        design=design,
        vectors=made,
        means=means | means_without_special(rows, contract),
        inflations=inflated,
        baselines=counted_baselines(contract, features, training),
        remarks=(
            *changed,
            *_untested(mature),
            *leaks,
            *_sparse(missing),
            *_collinear(inflated),
        ),
    )


def mature_loans(run: RunContext) -> MatureLoans:
    """The date's mature loans with a known outcome, split by time and counted in one pass."""
    contract = run.contract
    cutoff = out_of_time_from(contract, run.as_of)
    known = run.tables.read(loans(contract), "clean").where(F.col("outcome").isin("good", "bad"))
    is_old_enough = is_mature(contract.observed_on, run.as_of, contract.performance_months)
    is_later = F.lit(False)
    if cutoff:
        is_later = F.coalesce(F.col(contract.observed_on or "") >= F.lit(cutoff), is_later)
    is_development = is_old_enough & ~is_later
    ((rows, tested, immature),) = known.agg(
        F.count_if(is_development),
        F.count_if(is_old_enough & is_later),
        F.count_if(~is_old_enough),
    ).collect()
    later = known.where(is_old_enough & is_later) if cutoff else None
    return MatureLoans(known.where(is_development), rows, later, tested, cutoff, immature)


def counted_baselines(
    contract: Contract, features: Sequence[Definition], training: TrainingRows
) -> tuple[Baseline, ...]:
    """What batches are compared with: the training loans by bin of each subject."""
    own = training.rows.select("loan.*")
    bins = with_bins(baselines_of(contract, features), sample_of(own, training.classes.rows))
    return tuple(with_counts(bins, bin_counts(own.withColumn("pd", F.lit(0.0)), bins)))


def contract_changed_since_clean(run: RunContext) -> list[str]:
    """A remark where the loans are those of an earlier run, by another contract than now."""
    if "clean" in run.summary.steps:
        return []
    newest = newest_complete(run.tables, ["contract_hash"], f"command in {CLEANING}")
    if newest is None or newest["contract_hash"] == contract_hash(run.contract):
        return []
    return [
        f"the contract has changed since the loans of {run.as_of} were cleaned; where its columns "
        "or layouts did, run 'clean' again"
    ]


def _untested(mature: MatureLoans) -> Iterator[str]:
    if mature.cutoff and not mature.out_of_time_rows:
        yield (
            f"no mature loan with a known outcome is dated on {mature.cutoff} or later: the test "
            "out of time is empty, and its gates fail. Set model.out_of_time_from to an earlier day"
        )


def _sparse(missing: Mapping[str, float]) -> Iterator[str]:
    for name, share in missing.items():
        if share > MUCH_MISSING:
            yield f"{name}: it is null for {share:.1%} of the loans"


def _collinear(inflated: Mapping[str, float]) -> Iterator[str]:
    for name, inflation in inflated.items():
        if inflation >= COLLINEAR:
            yield (
                f"{name}: collinear with the other features (variance inflation {inflation:.1f}), "
                "so its coefficient and its reasons are unstable"
            )


def indicated(contract: Contract, bins: Mapping[str, Mapping[str, Classes]]) -> frozenset[str]:
    """Numbers with an indicator of a missing value: by the contract, or where it carries weight."""
    plans = contract.features
    return frozenset(
        name
        for name, own in bins.items()
        if plans[name].missing == "indicator"
        or (plans[name].missing is None and presence_weighs(own))
    )


def prepared(run: RunContext, mature: MatureLoans) -> DataFrame:
    """Features, `label`, what tests hold out, and the loan's own columns, kept in memory.

    Partitions and the order in them depend on the loans alone: so sums over two partitions, and
    the coefficients, are the same on every run, to the last bit. Of more, Spark adds in any order.
    """
    rows = mature.development.select("loan_id", "outcome", *run.contract.columns)
    partitions = partitions_of(run, mature.development_rows)
    beside = {
        "loan_id": F.col("loan_id"),
        "label": F.when(F.col("outcome") == "bad", 1.0).otherwise(0.0),
        FOLD: fold(run.contract),
        QUARTER: random_quarter(run.contract).cast("int"),
        "loan": F.struct(*rows.columns),
    }
    frame = featured(rows, definitions(run.contract), beside)
    return checkpointed(frame.repartition(partitions, "loan_id").sortWithinPartitions("loan_id"))


def partitions_of(run: RunContext, rows: int) -> int:
    """In how many partitions so many training rows are kept."""
    return max(MIN_PARTITIONS, -(-rows // run.settings.training.rows_per_partition))


def usable(
    development: DataFrame, contract: Contract
) -> tuple[tuple[Definition, ...], tuple[LeftOut, ...], dict[str, float]]:
    """Features that vary, those left out, and the share of loans where each of the first is null.

    With too few values, a fold could have none at all.
    """
    features, spans = definitions(contract), []
    for each in features:
        column = column_of(each.name)
        known = F.when(F.col(column) != ABSENT, 1) if each.is_text else F.col(column)
        texts = F.approx_count_distinct(column) if each.is_text else F.lit(0)
        spans.append(F.struct(F.min(column), F.max(column), F.count(known), texts))
    *found, rows = development.agg(*spans, F.count("*")).collect()[0]
    kept, left_out, missing = [], [], {}
    for each, (low, high, values, texts) in zip(features, found, strict=True):
        is_missing_informative = values < rows and contract.features[each.name].missing != "median"
        if why := _useless(low, high, values, texts, is_missing_informative=is_missing_informative):
            left_out.append(LeftOut(name=each.name, why=why))
        else:
            kept.append(each)
            missing[each.name] = 1 - values / rows
    return tuple(kept), tuple(left_out), missing


def _useless(
    low: float | str, high: float | str, values: int, texts: int, *, is_missing_informative: bool
) -> str:
    """Why a feature is not usable; empty: it is.

    Where it `is_missing_informative`, a model tells a missing value from a known one.
    """
    if values < MIN_VALUES:
        return f"only {values} loans have a value"
    if low == high and not is_missing_informative:
        return "every loan has the same value"
    if texts > min(MAX_TEXTS, values / MIN_OF_A_TEXT):
        return f"it has about {texts:,} different texts, too many to train on; group them"
    if any(isinstance(end, float) and abs(end) > MAX_SQUARABLE for end in (low, high)):
        return f"it has values beyond {MAX_SQUARABLE:g}; give its columns a range"
    return ""


def accepted_leaks(contract: Contract, bins: Mapping[str, Mapping[str, Classes]]) -> list[str]:
    """Remarks on features that give the outcome away; an error names those not accepted."""
    features = contract.features
    found = {
        name: f"it separates good from bad almost alone (AUC {value:.3f})"
        for name, value in ((name, single_auc(own)) for name, own in sorted(bins.items()))
        if value > contract.model.gates.single_feature_auc
    }
    found |= {
        name: _of_presence(own)
        for name, own in sorted(bins.items())
        if name not in found and presence_leaks(own)
    }
    refused = [
        f"features.{name}: {why}" for name, why in found.items() if not features[name].accepted_leak
    ]
    if refused:
        headline = (
            "the model would learn its own answer; take these features out of the contract, or "
            "say in accepted_leak why they are none"
        )
        raise InputError(listed(headline, refused))
    late = [name for name in features if is_known_late(contract, name)]
    found |= dict.fromkeys(late, "it is known only after a loan is scored")
    return [
        f"{name}: {why}, and these figures are no forecast where it leaks; accepted: "
        f"{features[name].accepted_leak}"
        for name, why in found.items()
    ]


def _of_presence(bins: Mapping[str, Classes]) -> str:
    absent, known = presence(bins)
    return (
        f"whether the value is missing almost determines the outcome: {known.bad:,} of "
        f"{known.rows:,} loans with a value are bad, {absent.bad:,} of {absent.rows:,} without one"
    )


def _check_classes(run: RunContext, training: TrainingRows, where: str) -> None:
    """Refuse training rows with too few of a class, or with all of a class in one fold."""
    counts = training.classes
    if min(counts) < MIN_OF_A_CLASS:
        unnamed = unnamed_outcomes(run)
        advice = (
            f", or name the outcomes of {unnamed:,} lines in quarantine (see its reasons) in the "
            "contract, and run 'clean' again"
        )
        raise GateError(
            f"there are {counts.good:,} good and {counts.bad:,} bad loans {where}: too few to "
            f"train on, at least {MIN_OF_A_CLASS} of each are needed. Train on a date with more "
            f"known outcomes{advice if unnamed else ''}; nothing was scored"
        )
    by_label = training.counts.group_by("label").aggregate([(FOLD, "count_distinct")])
    for row in by_label.to_pylist():
        if row[f"{FOLD}_count_distinct"] >= 2:
            continue
        raise GateError(
            f"all {'bad' if row['label'] else 'good'} loans have identical application data, or "
            "belong to one borrower, so they are all in one fold: the other folds have no loan of "
            "that class to train on"
        )


def _where(run: RunContext, mature: MatureLoans) -> str:
    """Which loans were to be trained on, and how many more could not be."""
    where = f"before {mature.cutoff}" if mature.cutoff else "in the book"
    if not mature.immature:
        return where
    age = f"not {run.contract.performance_months} months old by {run.as_of}, or of no date"
    return f"{where}, and {mature.immature:,} more are immature ({age})"


def unnamed_outcomes(run: RunContext) -> int:
    """Lines in quarantine whose outcome is in no list of the contract."""
    try:
        quarantine = run.tables.read(QUARANTINE, "clean")
    except InputError:
        return 0
    is_unnamed = F.exists("reasons", lambda reason: F.split(reason, ": ")[0] == OUTCOME_RULE)
    return quarantine.where(is_unnamed).count()
