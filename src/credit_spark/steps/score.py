"""Loans -> scores, by the night's champion."""

from pyspark.sql import Column, Observation
from pyspark.sql import functions as F

from credit_spark.contract.errors import InputError
from credit_spark.contract.tables import DECISIONS, loans, scores
from credit_spark.modelling.scoring import scored
from credit_spark.steps import Night
from credit_spark.steps.validate import check, check_suites


def score(night: Night) -> None:
    """Score every loan of the night, and write the scores where they pass their suite."""
    champion = night.models.champion(night.as_of)
    if champion is None:
        raise InputError(
            f"no model is champion on {night.as_of}; run 'train' and 'promote', or 'nightly'"
        )
    contract = night.contract
    check_suites(night.suites, contract)
    beside = ("loan_id", *contract.segments, "outcome", *_observed_on(night))
    rows = scored(night.tables.tonight(loans(contract), "clean"), champion, *beside)
    # Scores that fail their suite are never written. Scoring twice is cheaper than keeping what
    # was scored: the suite asks for no reasons, which are the dear half.
    check(night, scores(contract).name, rows)
    decided = Observation("decisions")
    written = night.tables.write(scores(contract), rows.observe(decided, *_decisions()))
    expected = night.ledger.facts.get("rows_accepted", written)
    if written != expected:
        raise RuntimeError(f"{expected} loans were accepted, and {written} were scored")
    shares = {name: decided.get[name] / written for name in DECISIONS}
    night.ledger.facts["model_version"] = champion.version
    night.ledger.note("score", {"rows": written, "model_version": champion.version, **shares})


def _decisions() -> list[Column]:
    return [F.count_if(F.col("decision") == name).alias(name) for name in DECISIONS]


def _observed_on(night: Night) -> list[str]:
    """The date, which the suite asks for; it is not among the table's columns."""
    observed_on = night.contract.observed_on
    return [observed_on] if observed_on and observed_on not in night.contract.segments else []
