"""The fits, a model's scorecard, a loan explained by it, another cut-off, and export."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from math import isnan
from typing import Any, Literal, get_args

import click
from rich.markup import escape
from rich.table import Column, Table

from credit_spark.cli.flags import AS_JSON, MODEL, date_options, portfolio_options
from credit_spark.cli.output import (
    Row,
    console,
    mature_of,
    open_portfolio,
    output_formats,
    print_rows,
)
from credit_spark.config.errors import InputError, listed
from credit_spark.config.expressions import Dialect, columns_of, translated
from credit_spark.config.models import Contract
from credit_spark.config.tables import MODELS
from credit_spark.evaluation.curves import Cutoff, curve, cutoff
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.pmml import pmml
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.scorecard import scorecard as rows_of
from credit_spark.scoring.sql import check_columns, scoring_sql
from credit_spark.serving.answers import ScoringService
from credit_spark.storage.logs import say
from credit_spark.storage.models import FACTS
from credit_spark.storage.reader import TableReader

DIALECTS = [*get_args(Dialect), "pmml"]
PARTS_BAR, SHARE_BAR = 12, 20


class _Probability(click.FloatRange):
    """A number between 0 and 1, which NaN is not."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        found: float = super().convert(value, param, ctx)
        return self.fail(f"{value} is not a number", param, ctx) if isnan(found) else found


PD = _Probability(0, 1, min_open=True, max_open=True)


@click.command
@output_formats
@portfolio_options
def models(*, as_csv: bool, as_json: bool, **where: Any) -> None:
    """List the fits: which is champion, which waits for its promotion, and who promoted it.

    Of several promotions, the last one is shown; the table models has all of them.
    """
    _, reader = open_portfolio(**where)
    rows = sorted(map(_fit, reader.rows(MODELS, columns=[*FACTS])), key=_date_and_version)
    if not rows:
        raise InputError(f"there is no model at {reader.folder} yet; run 'credit-spark train'")
    print_rows(rows, as_csv=as_csv, as_json=as_json)


def _fit(row: Row) -> Row:
    promotions: list[Row] = json.loads(row["promotions"] or "[]")
    last: Row = max(promotions, key=lambda each: each["at"], default={})
    failed = [each["name"] for each in json.loads(row["gates"]) if not each["passed"]]
    since = max(row["champion_from"], default=None)
    return {
        "model": row["model_version"],
        "fitted_as_of": str(row["fitted_as_of"]),
        "imbalance": row["imbalance"],
        "status": row["status"],
        "champion_from": since and str(since),
        "failed_gates": ", ".join(failed),
        "by": last.get("by"),
        "reason": last.get("reason"),
    }


def _date_and_version(row: Row) -> tuple[str, str]:
    return row["fitted_as_of"], row["model"]


@click.command
@MODEL
@output_formats
@date_options
def scorecard(
    *, version: str | None, as_of: date | None, as_csv: bool, as_json: bool, **where: Any
) -> None:
    """Print a model's scorecard: the points that each feature's levels add."""
    contract, reader = open_portfolio(**where)
    document = _document(reader, version, as_of)
    rows = [row._asdict() for row in rows_of(document, contract.score)]
    print_rows(rows, as_csv=as_csv, as_json=as_json)


def _document(reader: TableReader, version: str | None, as_of: date | None) -> ModelDocument:
    return reader.document(version) if version else reader.model_of(as_of or reader.latest())


@click.command
@click.option(
    "--dialect", type=click.Choice(DIALECTS), required=True, help="SQL dialect, or pmml (PMML 4.4)."
)
@MODEL
@date_options
def export(
    *, dialect: Dialect | Literal["pmml"], version: str | None, as_of: date | None, **where: Any
) -> None:
    """Print a model as one readable SELECT from a table 'loans': the same scores elsewhere.

    As PMML it has no reasons: log-odds, PD, points, band, decision and expected loss are the same.
    Where the contract has other inputs than the model was fitted on, a remark says so.
    """
    contract, reader = open_portfolio(**where)
    document, policy = _document(reader, version, as_of), Policy.of(contract)
    check_columns(document, contract.kinds, policy)
    if changed := document.changed_inputs(contract):
        headline = f"the contract has other inputs than the model {document.version} was fitted on"
        say(f"credit-spark: {listed(headline, changed)}")
    if dialect == "pmml":
        print(pmml(document, policy, contract.kinds), end="")
    else:
        print(scoring_sql(document, policy, contract.kinds, dialect), end="")


@click.command
@click.argument("loan_id")
@AS_JSON
@date_options
def explain(*, loan_id: str, as_of: date | None, as_json: bool, **where: Any) -> None:
    """Explain a loan's score: the points that each feature adds, and the reasons."""
    contract, reader = open_portfolio(**where)
    as_of = as_of or reader.latest()
    if as_of not in reader.complete_dates():
        raise InputError(f"the batch of {as_of} is not complete; see 'credit-spark status'")
    answer = ScoringService(contract, reader).loan(loan_id, as_of)
    if answer is None:
        failed = ", ".join(reader.rules_failed(loan_id, as_of))
        why = f": it is in quarantine, by {failed}" if failed else ""
        raise InputError(f"there is no loan '{loan_id}' among the scores of {as_of}{why}")
    if as_json:
        print(json.dumps(answer))
        return
    terminal = console()
    terminal.print(
        f"loan {loan_id}, batch of {as_of}: {answer['points']} points, band {answer['band']}, "
        f"PD {answer['pd']:.4f}, decision {answer['decision']}; outcome {answer['outcome']}",
        markup=False,
    )
    terminal.print(_bars(answer["parts"], answer["points"]))
    if answer["remark"]:
        terminal.print(f"  {answer['remark']}")
    for nth, reason in enumerate(answer["reasons"], start=1):
        terminal.print(f"  reason {nth}  {reason}", markup=False)


def _bars(parts: list[dict[str, Any]], points: int) -> Table:
    """Every part, its points and a bar to the left where it costs, to the right where it adds."""
    table = Table()
    table.add_column("feature", no_wrap=True)
    table.add_column("value")
    table.add_column("points", justify="right")
    table.add_column("costs".rjust(PARTS_BAR) + "|" + "adds".ljust(PARTS_BAR), no_wrap=True)
    base, *features = parts
    widest = max((abs(each["points"]) for each in features), default=0) or 1
    table.add_row(base["feature"], "", f"{base['points']:.1f}", "")
    for each in features:
        bar = "#" * round(abs(each["points"]) / widest * PARTS_BAR)
        left, right = (bar, "") if each["points"] < 0 else ("", bar)
        drawn = f"{left:>{PARTS_BAR}}|{right:<{PARTS_BAR}}"
        table.add_row(each["feature"], escape(each["value"]), f"{each['points']:+.1f}", drawn)
    table.add_row("points", "", str(points), "", style="bold")
    return table


@click.command
@click.option(
    "--approve-below", "cutoffs", type=PD, multiple=True, help="Another cut-off; may be repeated."
)
@AS_JSON
@date_options
def what_if(*, cutoffs: Sequence[float], as_of: date | None, as_json: bool, **where: Any) -> None:
    """Simulate another cut-off: loans approved, bad rate expected and observed, expected loss.

    The first row is the cut-off of the last run ("last"), with its hard rules; the second one is
    the contract's, where that differs, which acts on the next run ("next"). All other rows have
    the contract's hard rules and its share lost by default. The loss is given where the contract
    names an exposure; of another exposure than in the last run it is unknown. Only mature loans
    have an observed rate.
    """
    contract, reader = open_portfolio(**where)
    cut, steps = _simulated(contract, reader, as_of or reader.latest(), cutoffs)
    if as_json:
        labelled = [{**each._asdict(), "label": label} for label, each in cut]
        print(json.dumps({"cutoffs": labelled, "curve": [each._asdict() for each in steps]}))
    else:
        console().print(_cutoff_table(cut, steps))


def _simulated(
    contract: Contract, reader: TableReader, as_of: date, cutoffs: Sequence[float]
) -> tuple[list[tuple[str, Cutoff]], list[Cutoff]]:
    """What cut-offs do, each with its label, and the curve of all of them.

    One that is the last run's, with the same hard rules and loss, is there once.
    """
    reader.model_of(as_of)
    last, now = reader.policy_of(as_of, contract), Policy.of(contract)
    at, of_contract = (each.score.decisions.approve_below for each in (last, now))
    mature = mature_of(contract, as_of)
    before, losses_before = reader.score_bins_and_losses(as_of, last.score.decisions, None, mature)
    rules = {
        translated(each.sql, contract.kinds, "duckdb"): columns_of(each.sql)
        for each in now.refusals
    }
    score_bins, losses = reader.score_bins_and_losses(as_of, now.score.decisions, rules, mature)
    is_same = last.loss == now.loss and _rules_of(last) == _rules_of(now)
    losses = _losses_by(now, last, losses)
    found = [("last", cutoff(before, at, losses_before))]
    for each in dict.fromkeys([of_contract, *cutoffs]):
        if each != at or not is_same:
            label = "next" if each == of_contract else "requested"
            found.append((label, cutoff(score_bins, each, losses)))
    return found, curve(score_bins, losses)


def _rules_of(policy: Policy) -> set[str]:
    """The SQL of a policy's hard rules."""
    return {each.sql for each in policy.refusals}


def _losses_by(
    now: Policy, last: Policy, losses: Mapping[int, float] | None
) -> dict[int, float] | None:
    """Expected losses by score bin under a policy, of those under the last one; None: unknown."""
    if losses is None or not last.loss or not now.loss or last.loss.exposure != now.loss.exposure:
        return None
    factor = now.loss.given_default / last.loss.given_default
    return {score_bin: loss * factor for score_bin, loss in losses.items()}


def _cutoff_table(cut: Sequence[tuple[str, Cutoff]], steps: Sequence[Cutoff]) -> Table:
    """Cut-offs with their labels, then the curve with a bar for each share of loans."""
    headings = ["approve below", "approved", "share", "expected bad", "observed bad"]
    if any(each.expected_loss is not None for _, each in cut):
        headings.append("expected loss")
    rows = [[*_row(each)[: len(headings)], label] for label, each in cut]
    bars = [[*_row(each)[: len(headings)], "#" * round(each.share * SHARE_BAR)] for each in steps]
    # However narrow the terminal is: of a number too wide, a part would be another number.
    widths = [max(len(row[nth]) for row in (*rows, *bars)) for nth, _ in enumerate(headings)]
    columns = [Column(name, min_width=of) for name, of in zip(headings, widths, strict=True)]
    table = Table(*columns, Column("", overflow="crop"))
    for row in rows:
        table.add_row(*row)
    table.add_section()
    for row in bars:
        table.add_row(*row)
    return table


def _row(found: Cutoff) -> list[str]:
    rates, loss = (found.expected_rate, found.observed_rate), found.expected_loss
    return [
        f"{found.approve_below:.4f}",
        f"{found.approved:,}",
        f"{found.share:.1%}",
        *("unknown" if each is None else f"{each:.2%}" for each in rates),
        "unknown" if loss is None else f"{loss:,.0f}",
    ]
