"""Loans -> scores: the champion's SQL, run by Spark.

The statement is that of `credit-spark export --dialect spark`, which carries along the columns that
measuring needs: loans are read and scored once a run.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from pyspark.sql import DataFrame

from credit_spark.config.errors import InputError, listed
from credit_spark.config.expressions import expression
from credit_spark.config.models import Contract
from credit_spark.config.tables import DECISIONS, loans, scores
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.measure import challenger_of
from credit_spark.pipeline.validate import validate, validate_table
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.frames import scores_of
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import baseline_columns, check_columns, columns_read
from credit_spark.storage.session import checkpointed


class Scored(NamedTuple):
    """The run's loans with their scores, and how many they are.

    `frame` is kept for the suite, the writer and measuring. It has the columns of
    `scoring_sql`, and of `loans` all that models, segments and analyses read.
    """

    frame: DataFrame
    rows: int


def score_and_validate(run: RunContext) -> None:
    """Score every loan of a batch date; the scores are published where both suites pass."""
    validate(run)
    score(run)
    run.step("validate scores", partial(validate_table, table=scores(run.contract)))


def score(run: RunContext) -> Scored:
    """Score every loan of a batch date by its champion, and stage the scores.

    Raises:
        InputError: there is no champion, or no loan.
        RuntimeError: not every accepted loan has been scored.
    """
    champion = run.models.champion(run.as_of)
    if champion is None:
        raise InputError(
            f"no model is champion on {run.as_of}; run 'train' and 'promote', or 'nightly'"
        )
    check_champion(run.contract, champion)
    contract, policy = run.contract, run.policy
    accepted = run.tables.read(loans(contract), "clean")
    challenger = challenger_of(run, champion)
    needed = columns_needed(contract, policy, champion, challenger)
    keep = [name for name in accepted.columns if name in needed]
    # Read by the count here, the suite, the writer and every aggregation of measuring.
    scored = checkpointed(scores_of(accepted, champion, policy, contract.kinds, keep))
    decided = decisions_of(scored)
    rows = sum(decided.values())
    expected = run.summary.facts.get("rows_accepted", rows)
    if rows != expected:
        raise RuntimeError(f"{expected} loans were accepted, and {rows} were scored")
    run.tables.stage(scores(contract), scored)
    shares = {name: decided.get(name, 0) / rows if rows else 0.0 for name in DECISIONS}
    run.summary.facts |= {
        "model_version": champion.version,
        "policy_hash": policy.hash,
        "policy": policy.as_json(),
    }
    run.summary.note("score", {"rows": rows, "model_version": champion.version, **shares})
    return Scored(scored, rows)


def check_champion(contract: Contract, champion: ModelDocument) -> None:
    """Make sure that the contract still has the inputs that the champion was fitted on.

    Raises:
        InputError: with everything that differs.
    """
    if changed := champion.changed_inputs(contract):
        headline = (
            f"the contract has other inputs than the champion {champion.version} was fitted on; "
            "put them back, or train a model on the new ones (nightly --retrain)"
        )
        raise InputError(listed(headline, changed))
    check_columns(champion, contract.kinds, with_baselines=True)


def columns_needed(
    contract: Contract,
    policy: Policy,
    champion: ModelDocument,
    challenger: ModelDocument | None,
) -> frozenset[str]:
    """The columns of `loans` that scoring passes on: keys, outcome, and what measuring reads."""
    kinds = contract.kinds
    dated = [contract.observed_on] if contract.observed_on else []
    models = [champion, *([challenger] if challenger else [])]
    return frozenset({"loan_id", "outcome", *contract.segments, *dated}).union(
        *[columns_read(each, policy) for each in models],
        baseline_columns(champion),
        *[expression(each.sql, kinds).columns for each in contract.analyses.values()],
    )


def decisions_of(scored: DataFrame) -> Mapping[str, int]:
    """How many loans have each decision."""
    return {row["decision"]: row["count"] for row in scored.groupBy("decision").count().collect()}
