"""Loans -> a fitted model that was tested on loans it has not seen."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from credit_spark.adapters.models import Gate
from credit_spark.adapters.session import kept
from credit_spark.contract.errors import GateError, InputError, listed
from credit_spark.contract.loading import contract_hash
from credit_spark.contract.models import Treatment
from credit_spark.contract.tables import loans
from credit_spark.evaluation.cells import Cell, by_risk, counted
from credit_spark.evaluation.classification import printed
from credit_spark.evaluation.figures import Figure, figures, fold_figures, pooled
from credit_spark.evaluation.metrics import ks_threshold
from credit_spark.modelling.document import Facts, LeftOut, ModelDocument
from credit_spark.modelling.features import Definition, column_of, definitions, featured
from credit_spark.modelling.imbalance import Classes, classes, offset, treated, weights
from credit_spark.modelling.leaks import single_aucs
from credit_spark.modelling.pipeline import fit
from credit_spark.modelling.scoring import scored
from credit_spark.modelling.smote import SmotePlan
from credit_spark.modelling.splits import fold, out_of_time_from
from credit_spark.steps import Night
from credit_spark.steps.measure import ANY_BAD_AT, NIGHT, Measured, thresholds_of, write_measured

# With fewer, neither a fold's KS nor a calibration says anything.
FEWEST_OF_A_CLASS = 50
FEWEST_VALUES = 50
FEWEST_PARTITIONS = 2


@dataclass(frozen=True)
class Book:
    """Loans with a known outcome: those to learn from and those of the out-of-time test."""

    development: DataFrame
    out_of_time: DataFrame | None
    cutoff: date | None
    seen: Classes
    features: tuple[Definition, ...]
    left_out: tuple[LeftOut, ...]


def train(
    night: Night, treatments: Sequence[Treatment] = (), *, report: bool = False
) -> ModelDocument:
    """Fit models on tonight's loans with a known outcome, and test them on folds and out of time.

    One a treatment of the imbalance, all on the same features and folds; the contract's where none
    is named. The first one's document is given back. `report` adds the imbalanced classification
    reports to what is told.
    """
    book = read_book(night)
    try:
        models = [
            tested(night, book, each) for each in treatments or [night.contract.model.imbalance]
        ]
    finally:
        book.development.unpersist()
    treated_so = ", ".join(f"'{each.document.facts.treatment}'" for each in models)
    write_measured(night, models, f"dataset <> '{NIGHT}' and treatment in ({treated_so})")
    gates = [judged(night, each.figures) for each in models]
    for each, its_gates in zip(models, gates, strict=True):
        night.models.save(each.document, its_gates)
    told = [summary(*each) for each in zip(models, gates, strict=True)]
    if report:
        told = [fit | {"reports": reports(each)} for fit, each in zip(told, models, strict=True)]
    night.ledger.facts["model_version"] = models[0].document.version
    night.ledger.note("train", {**told[0], "treatments": told})
    return models[0].document


def tested(night: Night, book: Book, treatment: Treatment) -> Measured:
    """A fit with one treatment, measured on every data set."""
    document = fitted(night, book, book.development, book.seen, treatment)
    folds = cross_validated(night, book, treatment)
    cells = {"cv": folds, **without_folds(book, document)}
    thresholds = thresholds_of(document)
    measured = {"cv": fold_figures(folds, thresholds)} | {
        name: figures(cells[name][None], thresholds) for name in cells if name != "cv"
    }
    return Measured(document, cells, measured)


def read_book(night: Night) -> Book:
    """Tonight's loans with a known outcome, as features, split by time.

    Raises:
        GateError: too few are good or bad, or a feature gives the outcome away.
    """
    contract = night.contract
    cutoff = out_of_time_from(contract, night.as_of)
    known = night.tables.tonight(loans(contract), "clean").where(
        F.col("outcome").isin("good", "bad")
    )
    columns = set(contract.columns)
    later = (
        F.coalesce(F.col(contract.observed_on or "") >= F.lit(cutoff), F.lit(False))
        if cutoff
        else F.lit(False)
    )
    learnt, held_out = known.where(~later), known.where(later)
    everything = definitions(contract)
    development = prepared(night, learnt.select("loan_id", "outcome", *columns), everything)
    seen = classes(development)
    _enough(seen, f"before {cutoff}" if cutoff else "in the book")
    features, left_out = usable(development, everything)
    _no_leak(night, development, features)
    return Book(development, held_out if cutoff else None, cutoff, seen, features, left_out)


def prepared(night: Night, rows: DataFrame, features: Sequence[Definition]) -> DataFrame:
    """Features, `label`, `fold` and the loan's own columns, kept for every fold's fit.

    The partitions and the order in them hang on the loans alone, and a sum of two partitions'
    sums is the same in either order: so the coefficients are the same on every run, to the last
    bit. Of more than two partitions, Spark adds in the order in which they happen to be done.
    """
    partitions = _partitions(night, rows.count())
    beside = {
        "loan_id": F.col("loan_id"),
        "label": F.when(F.col("outcome") == "bad", 1.0).otherwise(0.0),
        "fold": fold(night.contract),
        "loan": F.struct(*rows.columns),
    }
    frame = featured(rows, features, beside)
    return frame.repartition(partitions, "loan_id").sortWithinPartitions("loan_id").persist()


def _partitions(night: Night, rows: int) -> int:
    return max(FEWEST_PARTITIONS, -(-rows // night.settings.training.rows_per_partition))


def usable(
    development: DataFrame, features: Sequence[Definition]
) -> tuple[tuple[Definition, ...], tuple[LeftOut, ...]]:
    """Features that vary, and those left out: too few values, or one for every loan.

    With too few, a fold could be left with none at all.
    """
    spans = [
        F.struct(F.min(column), F.max(column), F.count(column)).alias(column)
        for column in (column_of(each.name) for each in features)
    ]
    row = development.agg(*spans).first()
    assert row is not None
    kept, left_out = [], []
    for each in features:
        low, high, values = row[column_of(each.name)]
        if values < FEWEST_VALUES:
            left_out.append(LeftOut(name=each.name, why=f"only {values} loans have a value"))
        elif low == high:
            left_out.append(LeftOut(name=each.name, why="every loan has the same value"))
        else:
            kept.append(each)
    return tuple(kept), tuple(left_out)


def fitted(
    night: Night, book: Book, rows: DataFrame, seen: Classes, treatment: Treatment
) -> ModelDocument:
    """Fit on treated rows, and take the treatment's shift of the odds off again."""
    contract = night.contract
    after_smote = _partitions(night, int(2 * max(seen)))
    smote = SmotePlan(book.features, night.settings.training.smote_rows, after_smote)
    reasons = {name: each.reason for name, each in contract.features.items()}
    # What is made up is dear to make again; the others are a move of what was kept.
    keep = kept if treatment == "smote" else nullcontext
    with keep(treated(rows, treatment, seen, contract.model.seed, smote)) as training:
        fit_ = fit(training, book.features, reasons, contract.model.regularisation)
        after = weights(training)
    return ModelDocument(
        portfolio=contract.portfolio,
        contract_hash=contract_hash(contract),
        features=fit_.terms,
        left_out=book.left_out,
        intercept=fit_.intercept,
        offset=offset(seen, after),
        score=contract.score,
        facts=Facts(
            as_of=night.as_of,
            treatment=treatment,
            rows=int(seen.good + seen.bad),
            good=int(seen.good),
            bad=int(seen.bad),
            out_of_time_from=book.cutoff,
            folds=contract.model.folds,
            seed=contract.model.seed,
            regularisation=contract.model.regularisation,
        ),
    )


def cross_validated(night: Night, book: Book, treatment: Treatment) -> dict[int | None, list[Cell]]:
    """The cells of each fold, scored by a model that was fitted, and treated, on the others."""

    def held_out(number: int) -> list[Cell]:
        others = book.development.where(F.col("fold") != number)
        document = fitted(night, book, others, classes(others), treatment)
        return cells_of(book.development.where(F.col("fold") == number).select("loan.*"), document)

    folds = range(night.contract.model.folds)
    inheritable = inheritable_thread_target(book.development.sparkSession)
    with ThreadPoolExecutor(night.settings.training.parallel_fits) as pool:
        found = pool.map(inheritable(held_out), folds)
        return dict(zip(folds, found, strict=True))


def without_folds(book: Book, document: ModelDocument) -> dict[str, dict[int | None, list[Cell]]]:
    """The cells of the training rows, and of the out-of-time test."""
    train_cells = cells_of(book.development.select("loan.*"), document)
    if book.out_of_time is None:
        return {"train": {None: train_cells}}
    return {
        "train": {None: train_cells},
        "out_of_time": {None: cells_of(book.out_of_time, document)},
    }


def cells_of(rows: DataFrame, document: ModelDocument) -> list[Cell]:
    """Score loans and count them: as many cells as the scale has, not the book."""
    counts = counted(scored(rows, document, "outcome"))
    return sorted(Cell(*row) for row in counts.collect())


def judged(night: Night, measured: Mapping[str, Sequence[Figure]]) -> list[Gate]:
    """The fit against its gates: out of time where there is such a test, else in the folds."""
    dataset = "out_of_time" if "out_of_time" in measured else "cv"
    plan = night.contract.model.gates
    bounds = {"mean_pd_over_observed": plan.mean_pd_over_observed, "auc": plan.auc}
    return [
        Gate(f"{dataset}.{name}", *pair, pooled(measured[dataset], name))
        for name, pair in bounds.items()
    ]


def summary(model: Measured, gates: Sequence[Gate]) -> dict[str, Any]:
    """What a person wants to know of a fit."""
    document, measured = model.document, model.figures
    facts = document.facts
    shown = {
        "cv": ("ks_mean", "ks_sd", "auc_mean", "auc_sd", "mean_pd_over_observed"),
        "out_of_time": ("ks", "auc", "mean_pd_over_observed"),
    }
    return {
        "model_version": document.version,
        "treatment": facts.treatment,
        "rows": facts.rows,
        "bad": facts.bad,
        "left_out": [each.name for each in document.left_out],
        **{
            dataset: {name: pooled(measured[dataset], name) for name in names}
            for dataset, names in shown.items()
            if dataset in measured
        },
        "failed_gates": [str(each) for each in gates if not each.is_passed],
    }


def reports(model: Measured) -> list[dict[str, str]]:
    """The imbalanced classification report of the held-out folds, at each threshold of PD."""
    cells = by_risk(cell for fold in model.cells["cv"].values() for cell in fold)
    decisions = model.document.score.decisions
    thresholds = {
        "even odds": ANY_BAD_AT,
        "the widest gap of good and bad (KS)": ks_threshold(cells),
        "approve_below": decisions.approve_below,
        "decline_from": decisions.decline_from,
    }
    return [
        {"threshold": f"called bad from a PD of {at:.4f} on: {why}", "report": printed(cells, at)}
        for why, at in thresholds.items()
        if at is not None
    ]


def _enough(seen: Classes, where: str) -> None:
    if min(seen) < FEWEST_OF_A_CLASS:
        raise GateError(
            f"there are {seen.good:,} good and {seen.bad:,} bad loans {where}: too few to train "
            f"on, at least {FEWEST_OF_A_CLASS} of each are needed. Train on a night with more "
            "known outcomes; nothing was scored"
        )


def _no_leak(night: Night, development: DataFrame, features: Sequence[Definition]) -> None:
    """Refuse a feature that gives the outcome away.

    Raises:
        InputError: with every such feature that the contract does not accept.
    """
    bound = night.contract.model.gates.single_feature_auc
    aucs = single_aucs(development, features)
    leaks = [
        f"features.{name}: it separates good from bad almost alone (AUC {value:.3f})"
        for name, value in aucs.items()
        if value > bound and not night.contract.features[name].accepted_leak
    ]
    if leaks:
        headline = (
            "the model would learn its own answer; take these features out of the contract, or "
            "say in accepted_leak why they are none"
        )
        raise InputError(listed(headline, leaks))
