"""Loans -> scores, by the champion's SQL."""

from collections import Counter
from functools import partial
from typing import NamedTuple

from pyspark.sql import DataFrame

from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import DECISIONS, loans, scores
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.validate import check_suites, validate_table
from credit_spark.scoring.frames import kinds_of, scores_of


class Scored(NamedTuple):
    """The loans of a batch date beside their scores, persisted; and how many there are."""

    frame: DataFrame
    rows: int


def score(run: RunContext) -> Scored:
    """Score every loan of the batch date with its champion, and stage the scores.

    The frame has all columns of `loans` beside the scores: measuring reads it, too.

    Raises:
        InputError: no model is champion on the date, or there are no loans.
    """
    champion = run.models.champion(run.as_of)
    if champion is None:
        raise InputError(
            f"no model is champion on {run.as_of}; run 'train' and 'promote', or 'nightly'"
        )
    contract = run.contract
    found = run.tables.read(loans(contract), "clean")
    kinds = kinds_of(contract)
    scored = scores_of(found, champion, kinds, found.columns, contract.loss).persist()
    run.tables.stage(scores(contract), scored)
    decided = Counter({row[0]: row[1] for row in scored.groupBy("decision").count().collect()})
    rows = decided.total()
    expected = run.ledger.facts.get("rows_accepted", rows)
    if rows != expected:
        raise RuntimeError(f"{expected} loans were accepted, and {rows} were scored")
    run.ledger.facts["model_version"] = champion.version
    shares = {name: decided[name] / rows for name in DECISIONS}
    run.ledger.note("score", {"rows": rows, "model_version": champion.version, **shares})
    return Scored(scored, rows)


def score_and_validate(run: RunContext) -> None:
    """Score every loan of the batch date, and publish the scores where they pass their suite."""
    check_suites(run.suites, run.contract)
    score(run)
    run.step("validate scores", partial(validate_table, table=scores(run.contract)))
