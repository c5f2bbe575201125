"""Loans -> scores, by the night's champion."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

import polars as pl

from credit_spark.adapters.staging import Stage, Staged, blocks_of
from credit_spark.contract.errors import InputError
from credit_spark.contract.models import Loss
from credit_spark.contract.tables import DECISIONS, EXPECTED_LOSS, Table, loans, scores
from credit_spark.modelling.scoring import columns_read, scored
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.tallies import Tallier, Tally
from credit_spark.pipeline.validate import Counted, asked_of, check, check_suites


class Part(NamedTuple):
    """A file of loans, by its place among the night's."""

    nth: int
    file: str


class Scored(NamedTuple):
    """Files that a task has staged, how many loans came to each decision, and their tally."""

    staged: Sequence[Staged]
    decisions: Mapping[str, int]
    tally: Tally


def score(night: RunContext, gate: Future[None] | None = None) -> Tally:
    """Score every loan of the night, and write the scores where they pass their suite.

    Where the loans are still being judged, nothing is written before they have passed their `gate`.
    Out come the loans, counted.
    """
    champion = night.models.champion(night.as_of)
    if champion is None:
        raise InputError(
            f"no model is champion on {night.as_of}; run 'train' and 'promote', or 'nightly'"
        )
    contract = night.contract
    check_suites(night.suites, contract)
    table, files = scores(contract), night.tables.files(loans(contract), "clean")
    asked = asked_of(night, table)
    beside = ("loan_id", *contract.segments, "outcome")
    score_part = partial(
        _score_part,
        tallier=Tallier(champion, contract, night.as_of),
        beside=beside,
        loss=contract.loss,
        stage=night.tables.stage(table, asked),
    )
    parts = night.spread("score loans", score_part, [Part(*each) for each in enumerate(files)])
    staged = [file for part in parts for file in part.staged]
    written = sum(file.rows for file in staged)
    expected = night.ledger.facts.get("rows_accepted", written)
    if written != expected:
        raise RuntimeError(f"{expected} loans were accepted, and {written} were scored")
    _judged(night, table, Counted.when_staged(asked, night.tables.path(table), staged), gate)
    night.tables.replace(table, staged)
    decided = sum((Counter(part.decisions) for part in parts), Counter[str]())
    shares = {name: decided[name] / written for name in DECISIONS}
    night.ledger.facts["model_version"] = champion.version
    night.ledger.note("score", {"rows": written, "model_version": champion.version, **shares})
    return Tally.together(part.tally for part in parts)


def _score_part(
    part: Part, tallier: Tallier, beside: Sequence[str], loss: Loss | None, stage: Stage
) -> Scored:
    """Stage the scores of a file of loans."""
    decisions: Counter[str] = Counter()
    tallies = []
    exposure = [loss.exposure] if loss else []
    document = tallier.document
    needed = sorted({*columns_read(document), *tallier.columns, *beside, *exposure})
    with stage.writer(f"part-{part.nth:05d}") as file:
        for block in blocks_of(part.file, needed):
            rows = scored(block, document, *beside)
            if loss:
                rows = rows.with_columns(_expected_loss(block[loss.exposure], loss))
            decisions.update(dict(rows["decision"].value_counts().iter_rows()))
            tallies.append(tallier.tally(block, rows))
            file.write(rows)
    return Scored(file.staged(), decisions, Tally.together(tallies))


def _expected_loss(exposure: pl.Series, loss: Loss) -> pl.Expr:
    return (pl.col("pd") * exposure * loss.given_default).alias(EXPECTED_LOSS)


def _judged(night: RunContext, table: Table, counted: Counted, gate: Future[None] | None) -> None:
    """Judge scores while their loans are judged: what the loans fail is told first.

    Raises:
        GateError: the loans or the scores failed.
    """
    try:
        check(night, table, counted)
    finally:
        if gate:
            gate.result()
