"""What each table promises: its grain, its columns, the checks that Delta keeps.

Other modules map these types to those of Arrow, PMML and SQL dialects. `run_id` is in every table
and is added by the writer; so is `as_of`, by which all tables but `models`, `runs` and
`validations` are partitioned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from credit_spark.config.models import Contract, Kind

# What a column of whole numbers can hold.
LARGEST_INT = 2**31 - 1
TYPES: Mapping[Kind, str] = {
    "text": "string",
    "category": "string",
    "count": "int",
    "number": "double",
    # Not decimal: each engine rounds a quotient of decimals in its own way.
    "money": "double",
    "rate": "double",
    "months": "int",
    "years": "int",
    "date": "date",
    "range": "double",
    "flag": "boolean",
}
# Beyond it a PD is 0 or 1 to ten digits. Log-odds are bounded by it, so no PD is quite 0 or 1.
WIDEST_LOG_ODDS = 25.0
MAX_POINTS = 10_000


class ColumnSpec(NamedTuple):
    """A column: its Spark type and what it holds, units included.

    `kind` is that of a contract's column whose values would mean something else under another
    kind, such as a rate. An existing column keeps its type and its kind.
    """

    type: str
    meaning: str
    kind: Kind | None = None


@dataclass(frozen=True)
class Renames:
    """What an earlier version called a table, its columns and some of its texts: old to new.

    `texts` are by the column's new name. `credit-spark migrate` renames them.
    """

    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One Delta table: what a row is, its columns, the constraints that Delta keeps.

    Every column of `keys` is never null. Where `is_partitioned`, a rerun replaces the batch's rows.
    Delta keeps the bounds of the columns of `filtered_by` for each file, so that a reader who
    filters by them skips files; where it is empty, those of the keys.
    """

    name: str
    grain: str
    columns: Mapping[str, ColumnSpec]
    keys: tuple[str, ...]
    checks: Mapping[str, str] = field(default_factory=dict)
    is_partitioned: bool = True
    filtered_by: tuple[str, ...] = ()
    renames: Renames = Renames()


AS_OF = ColumnSpec("date", "the batch date")
RUN_ID = ColumnSpec("string", "the run that wrote the row, as in `runs`")
LOAN_ID = ColumnSpec("string", "the lender's key, or a hash of the row's content and its ordinal")
SOURCE_FILE = ColumnSpec("string", "name of the landing file that the line stood in")
OUTCOME = ColumnSpec("string", "'good', 'bad', 'open' (not known yet), null: the file has none")
MODEL_VERSION = ColumnSpec("string", "hash of the model's document, as in `models`; or a benchmark")
POLICY_HASH = ColumnSpec("string", "hash of the policy in force; `runs.policy` has it whole")
DATASETS = (
    "cv", "train", "out_of_time", "random_split", "validation", "penalties", "batch", "shadow"
)  # fmt: skip
DATASET = ColumnSpec("string", f"one of {', '.join(map(repr, DATASETS))}")
IMBALANCE = ColumnSpec(
    "string", "imbalance strategy: 'none', 'class_weight', 'oversample' or 'smote'"
)
RENAMED_IMBALANCE: Mapping[str, str] = {"treatment": "imbalance"}
RENAMED_DATASET: Mapping[str, Mapping[str, str]] = {"dataset": {"night": "batch"}}
FOLD = ColumnSpec("int", "fold of the cross-validation; null: all folds, or not of folds")
REASONS = ("reason_1", "reason_2", "reason_3", "reason_4")
ROLES = ("score", "feature", "segment", "analysis", "pair")
# What bins and levels are called that hold null, or any text that has none of its own.
MISSING, OTHER = "(missing)", "(other)"
STATUSES = ("stable", "watch", "act")
RUN_STATUSES = ("started", "complete", "refused", "stopped", "failed", "abandoned")
DECISIONS = ("approve", "review", "decline")
EXPECTED_LOSS = "expected_loss"
EXPECTED_LOSS_OF_A_LOAN = ColumnSpec(
    "double", "PD times exposure times loss given default, in the book's currency; null: unknown"
)
OUTCOME_IS_KNOWN = "outcome is null or outcome in ('good', 'bad', 'open')"


def loans(contract: Contract) -> Table:
    """The table of a portfolio's accepted loans, with the contract's columns."""
    specs = {
        name: _field(each.kind, f"{each.kind}, known at the {each.known} stage")
        for name, each in contract.columns.items()
    }
    return Table(
        name="loans",
        grain="an accepted loan of a batch",
        columns={"loan_id": LOAN_ID, **specs, "outcome": OUTCOME, "source_file": SOURCE_FILE},
        keys=("loan_id",),
        checks={"outcome_is_known": OUTCOME_IS_KNOWN},
        filtered_by=("loan_id", "outcome", "source_file"),
    )


def scores(contract: Contract) -> Table:
    """The table of a portfolio's scored loans, with the contract's segments."""
    segments = {
        name: _field(contract.columns[name].kind, "a segment of the contract")
        for name in contract.segments
    }
    nth = ("first", "second", "third", "fourth")
    against = "the mean" if contract.score.reference == "mean" else "the best attainable"
    return Table(
        name="scores",
        grain="a scored loan of a batch",
        columns={
            "loan_id": LOAN_ID,
            "pd": ColumnSpec("double", "calibrated probability of default, 0 to 1"),
            "points": ColumnSpec("int", "score on the contract's scale; more points, less risk"),
            "band": ColumnSpec("string", "the contract's band of the PD"),
            "decision": ColumnSpec("string", "'approve', 'review' or 'decline'"),
            **{
                name: ColumnSpec(
                    "string",
                    f"{which} reason, ordered by points lost against {against}; reasons of hard "
                    "rules come first; null: no further reason",
                )
                for name, which in zip(REASONS, nth, strict=True)
            },
            **({EXPECTED_LOSS: EXPECTED_LOSS_OF_A_LOAN} if contract.loss else {}),
            "model_version": MODEL_VERSION,
            "policy_hash": POLICY_HASH,
            **segments,
            "outcome": OUTCOME,
        },
        keys=("loan_id", "pd", "points", "band", "decision", "model_version"),
        checks={
            "pd_is_a_share": "pd between 0 and 1",
            "points_are_on_the_scale": f"points between -{MAX_POINTS} and {MAX_POINTS}",
            "decision_is_known": f"decision in {DECISIONS}",
            "outcome_is_known": OUTCOME_IS_KNOWN,
        },
        filtered_by=("loan_id", "pd", "points", "band", "decision", "model_version", "outcome"),
    )


def _field(kind: Kind, meaning: str) -> ColumnSpec:
    return ColumnSpec(TYPES[kind], meaning, None if TYPES[kind] == "string" else kind)


QUARANTINE = Table(
    name="quarantine",
    grain="a record that breaks a rule",
    columns={
        "loan_id": ColumnSpec("string", "as in `loans`, where the record has one"),
        "reasons": ColumnSpec("array<string>", "every rule that it breaks, and the text to blame"),
        "raw": ColumnSpec(
            "string", "the record's fields by header name, or its whole text, as JSON"
        ),
        "source_file": SOURCE_FILE,
        "status": ColumnSpec("string", "'open'; users may set 'replayed' once it is resolved"),
    },
    keys=("reasons", "raw", "source_file", "status"),
    filtered_by=("loan_id", "source_file", "status"),
    checks={"status_is_known": "status in ('open', 'replayed')"},
)

METRICS = Table(
    name="metrics",
    grain="a figure",
    columns={
        "model_version": MODEL_VERSION,
        "dataset": DATASET,
        "fold": FOLD,
        "imbalance": IMBALANCE,
        "segment": ColumnSpec("string", "'all', or a part of the loans, such as 'pd_tenth=3'"),
        "label": ColumnSpec(
            "string", "'all', or the outcome that counts as positive: 'good', 'bad'"
        ),
        "threshold": ColumnSpec("double", "PD from which a loan is called bad; null: needs none"),
        "metric": ColumnSpec("string", "name, as defined in docs/metrics.md"),
        "value": ColumnSpec("double", "the figure; null: undefined, as with one outcome only"),
        "rows": ColumnSpec(
            "bigint",
            "loans that it is computed from: those with a known outcome; of `approval_rate` and "
            "`correlation` all",
        ),
    },
    keys=("model_version", "dataset", "imbalance", "segment", "label", "metric", "rows"),
    checks={
        "dataset_is_known": f"dataset in {DATASETS}",
        "label_is_known": "label in ('all', 'good', 'bad')",
    },
    renames=Renames(
        columns=RENAMED_IMBALANCE,
        texts={**RENAMED_DATASET, "metric": {"treated_even_odds": "balanced_even_odds"}},
    ),
)

SCORE_DISTRIBUTION = Table(
    name="score_distribution",
    grain="a score bin",
    columns={
        "model_version": MODEL_VERSION,
        "dataset": DATASET,
        "fold": FOLD,
        "imbalance": IMBALANCE,
        "score_bin": ColumnSpec("int", "log-odds of bad in thousandths, rounded"),
        "points": ColumnSpec("int", "points of the loans in the score bin"),
        "good": ColumnSpec("bigint", "loans that turned out good"),
        "bad": ColumnSpec("bigint", "loans that turned out bad"),
        "open": ColumnSpec("bigint", "loans with no outcome yet, or none in the file"),
    },
    keys=("model_version", "dataset", "imbalance", "score_bin", "points", "good", "bad", "open"),
    renames=Renames(
        "score_counts", {**RENAMED_IMBALANCE, "cell": "score_bin"}, texts=RENAMED_DATASET
    ),
)

FEATURE_DISTRIBUTION = Table(
    name="feature_distribution",
    grain="a bin of a monitored feature, segment or score",
    columns={
        "model_version": MODEL_VERSION,
        "role": ColumnSpec("string", f"one of {', '.join(map(repr, ROLES))}"),
        "subject": ColumnSpec(
            "string", "the feature, segment, analysis; 'the score'; of a pair, both"
        ),
        "bin": ColumnSpec("int", "its place among the subject's bins"),
        "label": ColumnSpec(
            "string",
            "its range or text; '(missing)': null; '(other)': a text without a bin of its own; a "
            "text that reads like one of these is in double quotes",
        ),
        "good": ColumnSpec("bigint", "loans that turned out good, mature"),
        "bad": ColumnSpec("bigint", "loans that turned out bad, mature"),
        "open": ColumnSpec("bigint", "all other loans"),
        "pd_sum": ColumnSpec("double", "PDs of all loans, added up"),
        "known_pd_sum": ColumnSpec("double", "PDs of the good and the bad ones, added up"),
        "baseline": ColumnSpec("bigint", "training loans in the bin"),
        "baseline_bad": ColumnSpec("bigint", "bad training loans in the bin"),
    },
    keys=("model_version", "role", "subject", "bin", "label", "good", "bad", "open"),
    checks={"role_is_known": f"role in {ROLES}"},
    renames=Renames("profiles", {"reference": "baseline", "reference_bad": "baseline_bad"}),
)

DRIFT = Table(
    name="drift",
    grain="a monitored figure of a batch",
    columns={
        "model_version": MODEL_VERSION,
        "subject": ColumnSpec(
            "string", "'the score', 'loans', 'outcomes', a feature, segment, vintage"
        ),
        "measure": ColumnSpec(
            "string",
            "one of 'psi', 'missing_share', 'unseen_share', 'approval_rate', 'volume', 'auc', "
            "'calibration'",
        ),
        "psi": ColumnSpec("double", "population stability index; null: another measure"),
        "value": ColumnSpec("double", "the batch's figure"),
        "baseline": ColumnSpec(
            "double",
            "what it is compared with, such as the training data's figure",
        ),
        "critical_value": ColumnSpec("double", "how far from the baseline it may be by chance"),
        "rows": ColumnSpec("bigint", "loans behind it"),
        "status": ColumnSpec("string", "'stable', 'watch' or 'act'"),
    },
    keys=("model_version", "subject", "measure", "rows", "status"),
    checks={"status_is_known": f"status in {STATUSES}"},
    renames=Renames(columns={"reference": "baseline", "chance": "critical_value"}),
)

SCORE_CHANGES = Table(
    name="score_changes",
    grain="a part of the mean score change since the previous batch: all, a feature, a segment",
    columns={
        "model_version": MODEL_VERSION,
        "previous_as_of": ColumnSpec("date", "the previous batch"),
        "previous_model_version": ColumnSpec("string", "the model that scored them then"),
        "part": ColumnSpec("string", "'all', a feature ('feature=income'), part of a segment"),
        "loans": ColumnSpec(
            "bigint", "loans of both batches that are compared, half a million at most"
        ),
        "by_inputs": ColumnSpec(
            "double", "mean change of points, by their data under the old model"
        ),
        "by_model": ColumnSpec(
            "double", "mean change of points, by the new model on the same data"
        ),
    },
    keys=(
        "model_version",
        "previous_as_of",
        "previous_model_version",
        "part",
        "loans",
        "by_inputs",
        "by_model",
    ),
    renames=Renames(
        "movements",
        {"since": "previous_as_of", "last_model_version": "previous_model_version"},
    ),
)

MODELS = Table(
    name="models",
    grain="a fit",
    columns={
        "model_version": MODEL_VERSION,
        "fitted_as_of": ColumnSpec("date", "the batch whose loans it is fitted on"),
        "imbalance": IMBALANCE,
        "status": ColumnSpec("string", "'challenger', 'champion' or 'retired'"),
        "champion_from": ColumnSpec("array<date>", "the batch dates from which it is champion"),
        "document": ColumnSpec("string", "the model as JSON: all that scoring needs"),
        "gates": ColumnSpec(
            "string", "each gate: bounds, what was seen, passed, overruled, why, as JSON"
        ),
        "promotions": ColumnSpec(
            "string",
            "each promotion: from which batch date, by whom, when (UTC), why, gates overruled, "
            "whether it was a rollback, and from which model, as JSON",
        ),
    },
    keys=("model_version", "fitted_as_of", "status", "champion_from", "document"),
    checks={"status_is_known": "status in ('challenger', 'champion', 'retired')"},
    is_partitioned=False,
    filtered_by=("model_version", "fitted_as_of", "status"),
    renames=Renames(columns=RENAMED_IMBALANCE),
)

RUNS = Table(
    name="runs",
    grain="a run of a batch date, from its start",
    columns={
        "as_of": AS_OF,
        "command": ColumnSpec("string", "the step, or 'nightly'"),
        "status": ColumnSpec(
            "string",
            "'started'; 'complete'; 'refused': the landing files break the contract; 'stopped' by "
            "a gate or a known error; 'failed' by another one; 'abandoned': killed or overtaken",
        ),
        "started_at": ColumnSpec("timestamp", "UTC"),
        "ended_at": ColumnSpec("timestamp", "UTC; null: the run is under way or was abandoned"),
        "rows_read": ColumnSpec("bigint", "records of loans in the batch's files"),
        "rows_accepted": ColumnSpec("bigint", "records that became loans"),
        "rows_quarantined": ColumnSpec("bigint", "records quarantined"),
        "rows_superseded": ColumnSpec("bigint", "records superseded by a newer one with their key"),
        "files": ColumnSpec(
            "string", "each file: bytes, content hash, layout, lines by status, as JSON"
        ),
        "replaced": ColumnSpec("string", "values turned null or clipped, by column, as JSON"),
        "contract_hash": ColumnSpec("string", "SHA-256 of what the contract says"),
        "suite_hash": ColumnSpec("string", "SHA-256 of the suites that were run"),
        "settings": ColumnSpec(
            "string", "resolved settings, secrets hidden, and their SHA-256 (JSON)"
        ),
        "model_version": MODEL_VERSION,
        "policy_hash": POLICY_HASH,
        "policy": ColumnSpec(
            "string", "bands, cut-offs, hard rules, points scale, reason texts and loss, as JSON"
        ),
        "code_version": ColumnSpec("string", "version of credit-spark"),
        "table_versions": ColumnSpec("string", "Delta version of each table written, as JSON"),
        "message": ColumnSpec(
            "string", "why it ended early, or what has changed; null: nothing to say"
        ),
    },
    keys=("as_of", "command", "status", "started_at"),
    checks={"status_is_known": f"status in {RUN_STATUSES}"},
    is_partitioned=False,
)


VALIDATIONS = Table(
    name="validations",
    grain="an expectation of a suite, as a run found it",
    columns={
        "as_of": AS_OF,
        "suite": ColumnSpec("string", "name of the suite, as in its file"),
        "table_name": ColumnSpec("string", "the table that was validated: 'loans' or 'scores'"),
        "expectation": ColumnSpec(
            "string", "type of the expectation, as Great Expectations names it"
        ),
        "column": ColumnSpec("string", "the column, or columns with commas; null: the whole table"),
        "kwargs": ColumnSpec(
            "string", "the expectation's kwargs as its suite states them, as JSON"
        ),
        "success": ColumnSpec(
            "boolean", "whether it holds; null: not evaluated, no row has a value"
        ),
        "observed_value": ColumnSpec(
            "double",
            "the aggregate that was computed; null: a row-level expectation, or a value withheld "
            "because it is one row's (minimum, maximum, median)",
        ),
        "element_count": ColumnSpec(
            "bigint", "rows that were evaluated; null: it holds, or has no rows"
        ),
        "unexpected_count": ColumnSpec("bigint", "of those, the rows that fail it"),
        "error": ColumnSpec("string", "Spark's error condition where it could not be computed"),
    },
    keys=("as_of", "suite", "table_name", "expectation", "kwargs"),
    is_partitioned=False,
)


def tables(contract: Contract) -> tuple[Table, ...]:
    """Every table of a portfolio, in the order in which a batch writes them."""
    return (
        loans(contract), QUARANTINE, VALIDATIONS, scores(contract), METRICS, SCORE_DISTRIBUTION,
        FEATURE_DISTRIBUTION, DRIFT, SCORE_CHANGES, MODELS, RUNS,
    )  # fmt: skip


# Those that an earlier version called something else.
RENAMED_TABLES = (SCORE_DISTRIBUTION, FEATURE_DISTRIBUTION, SCORE_CHANGES)
