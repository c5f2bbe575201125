"""Every key of the contract and of the settings acts, or is refused: none is silently ignored.

TABLE has an entry for each key of each model: a change of a sound text, and what then differs; or
the words by which it is refused; or a test that shows how it acts where only Spark can. A key
without an entry makes `test_every_key_has_an_entry` fail.
"""

import ast
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, get_args

import pytest
from pydantic import BaseModel

from credit_spark.config.errors import GateError, InputError
from credit_spark.config.loading import load_contract
from credit_spark.config.models import Contract
from credit_spark.config.settings import Settings, resolve
from credit_spark.config.tables import tables
from credit_spark.evaluation.figures import Figure
from credit_spark.features.columns import ABSENT, definitions
from credit_spark.ingest.layouts import LayoutError, key_of, shape_of
from credit_spark.ingest.lines import grammar_of
from credit_spark.monitoring.baselines import baselines_of, pairs
from credit_spark.monitoring.drift import (
    BatchFigures,
    ComparedBin,
    ExpectedFigures,
    by_subject,
    drifts,
)
from credit_spark.pipeline.monitor import earlier_batches
from credit_spark.pipeline.nightly import promote_or_wait
from credit_spark.pipeline.train import gates_of
from credit_spark.pipeline.training_data import accepted_leaks, indicated, partitions_of
from credit_spark.reporting.portfolio import portfolio
from credit_spark.reporting.sections import ReportFacts
from credit_spark.scoring.document import Category, Facts, Level, ModelDocument, Number
from credit_spark.scoring.inputs import inputs_of
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import scoring_sql
from credit_spark.serving.answers import ScoringService
from credit_spark.storage.reader import TableReader
from credit_spark.training.binning import merged_numbers
from credit_spark.training.imbalance import Classes
from credit_spark.training.splits import out_of_time_from

PROJECT = Path(__file__).parents[2]
SMALL = (PROJECT / "tests/small_lender.yml").read_text(encoding="utf-8")
Change = tuple[str, str]


class Acts(NamedTuple):
    """What is made of a sound text differs after some changes of it."""

    seen: Callable[[Any], Any]
    changes: tuple[Change, ...]
    given: tuple[Change, ...] = ()


class Refused(NamedTuple):
    """A text with the changes cannot be used; without them it can."""

    words: str
    changes: tuple[Change, ...]


class Shown(NamedTuple):
    """Some test shows how it acts."""

    by: str


def acts(seen: Callable[[Any], Any], *changes: Change, given: tuple[Change, ...] = ()) -> Acts:
    return Acts(seen, changes, given)


def refused(words: str, *changes: Change) -> Refused:
    return Refused(words, changes)


# What is made of a contract.


def scored(contract: Contract) -> str:
    """The SQL of a model with a term for each feature, without the hashes that stand in it."""
    terms = [_term(name, sql, is_text) for name, sql, is_text in definitions(contract)]
    facts = Facts(
        as_of="2026-03-02", imbalance="none", rows=1, good=1, bad=1, out_of_time_from=None,
        folds=2, seed=1, regularisation=0, elastic_net=0,
    )  # fmt: skip
    document = ModelDocument(
        portfolio="p", contract_hash="h", features=tuple(terms), left_out=(), intercept=0,
        offset=0, facts=facts,
    )  # fmt: skip
    policy = Policy.of(contract)
    sql = scoring_sql(document, policy, contract.kinds, "duckdb")
    return sql.replace(policy.hash, "").replace(document.version, "")


def _term(name: str, sql: str, is_text: bool) -> Number | Category:
    def level(text: str, coefficient: float) -> Level:
        return Level(text=text, mean=0.3, deviation=1, coefficient=coefficient)

    if is_text:
        levels = (level("OWN", -1.0), level("RENT", 1.0), level(ABSENT, 2.0))
        return Category(name=name, sql=sql, levels=levels)
    return Number(
        name=name, sql=sql, imputed=0.2, mean=0.2, deviation=1, coefficient=1, low=0.1, high=0.9,
        missing=level("missing", 2.0),
    )  # fmt: skip


def shape(*lines: str) -> Callable[[Contract], Any]:
    """How a file with such lines is laid out, or why it is not read."""

    def seen(contract: Contract) -> Any:
        try:
            found = shape_of(lines, contract)
        except LayoutError as error:
            return str(error)
        grammar = grammar_of(found, contract.source.layouts[found.layout])
        return found, grammar

    return seen


def declared(contract: Contract) -> Any:
    return tables(contract)


def decimals(contract: Contract) -> list[str]:
    return [contract.source.decimal_of(each) for each in contract.source.layouts.values()]


def record_keys(contract: Contract) -> list[Any]:
    return [key_of(each, contract) for each in contract.source.layouts.values()]


def split(contract: Contract) -> date | None:
    return out_of_time_from(contract, date(2026, 3, 31))


def baselines(contract: Contract) -> Any:
    found = baselines_of(contract, definitions(contract))
    return found, pairs(contract, found)


def reported(contract: Contract) -> Any:
    """The report's section on the loans, of a batch with none."""
    facts = SimpleNamespace(as_of=date(2026, 1, 31), facts=SimpleNamespace(
        rows=10, bad=5, good=5, imbalance="none", out_of_time_from=None))  # fmt: skip
    as_of = ReportFacts(
        contract, facts.as_of, facts, Policy.of(contract), {}, [], [], {}, [], [], [], {}, None, {}
    )  # fmt: skip
    return portfolio(as_of)


def titled(contract: Contract) -> str:
    return ScoringService(contract, TableReader("nowhere")).title


def promoted(contract: Contract) -> Any:
    """Whether a fit that passes its gates becomes champion."""
    chosen: list[str] = []
    models = SimpleNamespace(
        champion=lambda _: None,
        gates=lambda _: [],
        promote=lambda version, *_: chosen.append(version),
    )
    summary = SimpleNamespace(facts={}, note=lambda *_: None)
    run = SimpleNamespace(contract=contract, models=models, summary=summary, as_of=None)
    try:
        promote_or_wait(run, "abc")
    except GateError as error:
        return str(error)
    return chosen


def gates(contract: Contract) -> list[str]:
    """The gates that a fit fails that is good, but neither perfect nor exact."""
    names = {"mean_pd_over_observed": 1.1, "calibration_slope": 1.2, "auc": 0.8}
    measured = {"cv": [Figure(name, value, 100) for name, value in names.items()]}
    return [str(each) for each in gates_of(SimpleNamespace(contract=contract), measured) if not each.is_passed]  # fmt: skip


def leaks(contract: Contract) -> Any:
    """What is said of a feature that alone reaches an AUC of 0.9."""
    bins = {"rate": {"low": Classes(90, 10), "high": Classes(10, 90)}}
    try:
        return accepted_leaks(contract, bins)
    except InputError as error:
        return str(error)


def indicators(contract: Contract) -> frozenset[str]:
    """Numbers with an indicator of a missing value that hardly differs from a known one."""
    return indicated(contract, {"rate": {ABSENT: Classes(100, 10), "low": Classes(1000, 101)}})


def bins(contract: Contract) -> Any:
    """The bins of a number whose risk rises, then falls."""
    plan = contract.features["rate"]
    begins = [*plan.breaks] or [0.25, 0.5, 0.75]
    good = [900, 500, 700, 800][: len(begins) + 1]
    counts = {str(nth): Classes(each, 1000 - each) for nth, each in enumerate(good)}
    counts |= {repr(each): Classes(50, 5) for each in plan.special} | {ABSENT: Classes(10, 1)}
    return merged_numbers(counts, begins, plan)


# What is made of settings.


def drifted(settings: Settings) -> list[str]:
    """The status of each figure of a batch that has changed a little in everything."""
    score = [ComparedBin("score", "the score", nth, str(nth), 4500, own, 0, 1000.0, 1000.0, held, held // 10)
             for nth, (own, held) in enumerate([(600, 5000), (620, 5000)])]  # fmt: skip
    income = [ComparedBin("feature", "income", nth, label, 0, 0, own, 1.0, 0.0, held, held // 10)
              for nth, (label, own, held) in enumerate([("low", 3000, 5000), ("high", 6500, 5000), ("(missing)", 720, 200)])]  # fmt: skip
    seen = BatchFigures(
        by_subject([*score, *income]), 0.65, 0.5, 2 * [5000, 5100, 4900, 5050, 4950]
    )
    found = drifts(
        seen, ExpectedFigures(auc=0.7, good=9000, bad=1000, approval_rate=0.5), settings.monitor
    )
    return [f"{each.subject} {each.measure} {each.status} {each.critical_value}" for each in found]


def statuses(settings: Settings) -> list[str]:
    return [each.rpartition(" ")[0] for each in drifted(settings)]


def earlier(settings: Settings) -> int:
    """How many of thirty earlier batches the current volume is held against."""
    rows = [
        {"as_of": date(2026, 1, day), "command": "nightly", "status": "complete", "rows_accepted": 9,
         "ended_at": datetime(2026, 1, day, tzinfo=UTC), "model_version": "abc"}
        for day in range(1, 31)
    ]  # fmt: skip
    stored = SimpleNamespace(exists=lambda _: True, rows=lambda *_: rows)
    return len(earlier_batches(SimpleNamespace(tables=stored, as_of=None, settings=settings)))


def options(settings: Settings) -> dict[str, str]:
    return settings.spark.options()


def folder(settings: Settings) -> str:
    return settings.storage.folder_of(SimpleNamespace(portfolio="p"))


def parts(settings: Settings) -> int:
    return partitions_of(SimpleNamespace(settings=settings), 20_000_000)


RATE = 'rate: {sql: "rate", '
LOSS = ("score:\n", "loss: {exposure: amount, given_default: 0.5}\nscore:\n")
RULE = ("segments:", 'decline_if: {a: {sql: "rate > 0.5", reason: "Too dear"}}\nsegments:')
ANALYSES = ("segments:", "analyses: {a: {sql: amount, title: The amount}, b: {sql: rate, title: The rate}}\nsegments:")  # fmt: skip
BINNED = ("model: {", "model: {form: binned, ")
BOTH_SIDES = ('"The rate is high"', '"The rate"')

TABLE: dict[str, Acts | Refused | Shown] = {
    "Contract.portfolio": refused("give both one name", ("portfolio: small", "portfolio: other")),
    "Contract.title": acts(titled, ("for tests", "for other tests")),
    "Contract.source": acts(shape("id;amount;rate"), ("source:\n", "source:\n  delimiter: ;\n")),
    "Contract.key": acts(record_keys, ("key: [number]", "key: [number, amount]")),
    "Contract.newest_by": Shown("tests/spark/test_ingest.py::test_the_newest_of_a_key_stays_and_no_unsound_row_supersedes_it"),
    "Contract.columns": acts(declared, ("  status: {", "  more: {from: [more], kind: text, known: outcome}\n  status: {")),
    "Contract.rules": Shown("tests/spark/test_ingest.py::test_an_unsound_row_lists_every_failed_rule"),
    "Contract.outcome": refused("there is no column 'stat'", ("outcome: {from: status", "outcome: {from: stat")),
    "Contract.observed_on": refused("needs observed_on", ("observed_on: opened_on\n", "performance_months: 6\n")),
    "Contract.features": acts(scored, ('  home: {sql: "owned", reason: "The home"}\n', "")),
    "Contract.decline_if": acts(scored, RULE),
    "Contract.segments": acts(declared, ("segments: [owned]\n", "")),
    "Contract.analyses": acts(baselines, ANALYSES),
    "Contract.performance_months": acts(reported, ("segments:", "performance_months: 6\nsegments:")),
    "Contract.promotion": acts(promoted, ("promotion: automatic", "promotion: manual")),
    "Contract.model": acts(split, ("model: {", "model: {out_of_time_from: 12 months, ")),
    "Contract.score": acts(scored, ("{low: 0.1, high: 1}", "{low: 0.2, high: 1}")),
    "Contract.loss": acts(declared, LOSS),
    "Source.path": Shown("tests/spark/test_contract_keys.py::test_files_are_where_the_contract_says"),
    "Source.delimiter": acts(shape("id;amount;rate"), ("source:\n", "source:\n  delimiter: ;\n")),
    "Source.decimal": acts(decimals, ("source:\n", "source:\n  decimal: ','\n")),
    "Source.encoding": Shown("tests/spark/test_ingest.py::test_files_are_read_in_the_stated_encoding"),
    "Source.layouts": acts(shape("id,amount,rate,total_acc"), ("    totalled:", "    another:")),
    "Layout.header": acts(shape("id,amount,rating"), ("header: [id, amount, rate]\n      missing: [\"\", \"NA\"]\n      units", "header: [id, amount]\n      missing: [\"\", \"NA\"]\n      units")),
    "Layout.no_header": acts(shape("A,9000,10%,50000"), ("    keyless:", "    bare: {no_header: [id, amount, rate, income]}\n    keyless:")),
    "Layout.delimiter": acts(shape("amount;rate;pay"), ("[amount, rate, pay]\n", "[amount, rate, pay]\n      delimiter: ;\n")),
    "Layout.decimal": acts(decimals, ("key: content\n", "key: content\n      decimal: ','\n")),
    "Layout.escape": acts(shape("amount,rate,pay"), ("key: content\n", "key: content\n      escape: '\\'\n")),
    "Layout.preamble": acts(shape("Notes", "id,amount,rate,total_acc"), ("preamble: detect", "preamble: none")),
    "Layout.footer": acts(shape("id,amount,rate,total_acc"), ("footer: detect", "footer: none")),
    "Layout.missing": Shown("tests/spark/test_contract_keys.py::test_missing_texts_are_those_of_the_layout_and_of_the_column"),
    "Layout.units": acts(inputs_of, ("units: {rate: percent}", "units: {rate: fraction}")),
    "Layout.key": acts(record_keys, ("key: content", "key: [number, amount]")),
    "ContractColumn.headers": acts(shape("id,amount,rate"), ("from: [amount]", "from: [lent]")),
    "ContractColumn.kind": acts(declared, ("from: [amount], kind: money", "from: [amount], kind: number")),
    "ContractColumn.known": refused("known only at the servicing stage", ("kind: rate, known: application", "kind: rate, known: servicing")),
    "ContractColumn.required": acts(shape("id,rate,total_acc,amount"), ("from: [income, pay], kind: money", "from: [income, pay], required: true, kind: money")),
    "ContractColumn.range": Shown("tests/spark/test_ingest.py::test_an_unsound_row_lists_every_failed_rule"),
    "ContractColumn.one_of": Shown("tests/spark/test_ingest.py::test_an_unsound_row_lists_every_failed_rule"),
    "ContractColumn.missing": Shown("tests/spark/test_contract_keys.py::test_missing_texts_are_those_of_the_layout_and_of_the_column"),
    "ContractColumn.codes": Shown("tests/spark/test_ingest.py::test_unknown_codes_are_quarantined_or_kept_as_the_contract_says"),
    "ContractColumn.unknown_codes": Shown("tests/spark/test_ingest.py::test_unknown_codes_are_quarantined_or_kept_as_the_contract_says"),
    "ContractColumn.formats": Shown("tests/spark/test_ingest_parsers.py::test_text_is_read_or_turns_null"),
    "ContractColumn.pivot": Shown("tests/spark/test_ingest_parsers.py::test_text_is_read_or_turns_null"),
    "ContractColumn.outside": Shown("tests/spark/test_ingest.py::test_values_outside_are_clipped_or_nulled_and_counted"),
    "RowRule.sql": Shown("tests/spark/test_ingest.py::test_an_unsound_row_lists_every_failed_rule"),
    "OutcomePlan.column": refused("there is no column 'stat'", ("outcome: {from: status", "outcome: {from: stat")),
    "OutcomePlan.good": refused("is in good and open", ("good: [paid]", "good: [paid, running]")),
    "OutcomePlan.bad": refused("is in bad and open", ("bad: [lost]", "bad: [lost, running]")),
    "OutcomePlan.open": refused("is in bad and open", ("open: [running]", "open: [running, lost]")),
    "Feature.sql": acts(inputs_of, (RATE, RATE.replace('"rate"', '"rate * 2"'))),
    "Feature.reason": acts(scored, ('"The home"', '"The kind of home"')),
    "Feature.reason_low": acts(scored, ('reason: "The rate is high"', 'reason_low: "The rate is low"')),
    "Feature.reason_high": acts(scored, ('reason: "The rate is high"', 'reason_high: "The rate is high"')),
    "Feature.reason_missing": acts(scored, (RATE, RATE + 'reason_missing: "No rate", ')),
    "Feature.accepted_leak": acts(leaks, (RATE, RATE + 'accepted_leak: "It is known", '), given=(("regularisation: 0.001", "gates: {single_feature_auc: 0.8}"),)),
    "Feature.expect": acts(scored, (RATE, RATE + "expect: increases_risk, ")),
    "Feature.missing": acts(indicators, (RATE, RATE + "missing: indicator, ")),
    "Feature.special": acts(bins, (RATE, RATE + "special: [0.9], "), given=(BINNED,)),
    "Feature.breaks": acts(bins, (RATE, RATE + "breaks: [0.2, 0.4], "), given=(BINNED,)),
    "HardRule.sql": acts(scored, ("rate > 0.5", "rate > 0.6"), given=(RULE,)),
    "HardRule.reason": acts(scored, ("Too dear", "Far too dear"), given=(RULE,)),
    "Gates.mean_pd_over_observed": acts(gates, ("folds: 3", "gates: {mean_pd_over_observed: [0.9, 1.05]}")),
    "Gates.calibration_slope": acts(gates, ("folds: 3", "gates: {calibration_slope: [0.9, 1.1]}")),
    "Gates.auc": acts(gates, ("folds: 3", "gates: {auc: [0.85, 0.95]}")),
    "Gates.single_feature_auc": acts(leaks, ("folds: 3", "gates: {single_feature_auc: 0.8}")),
    "ModelPlan.form": Shown("tests/e2e/test_training.py::test_a_binned_model_is_fitted_shown_and_the_same_everywhere"),
    "ModelPlan.imbalance": Shown("tests/spark/test_contract_keys.py::test_a_training_takes_the_contracts_strategy"),
    "ModelPlan.folds": Shown("tests/spark/test_splits.py::test_folds_are_of_like_size"),
    "ModelPlan.out_of_time_from": acts(split, ("folds: 3", "out_of_time_from: 12 months")),
    "ModelPlan.regularisation": acts(lambda contract: contract.model.penalties, ("regularisation: 0.001", "regularisation: [0.001, 0.1]")),
    "ModelPlan.elastic_net": acts(lambda contract: contract.model.penalties, ("folds: 3", "elastic_net: 0.5")),
    "ModelPlan.seed": Shown("tests/spark/test_contract_keys.py::test_another_seed_makes_other_folds"),
    "ModelPlan.borrower": Shown("tests/spark/test_splits.py::test_a_borrower_stands_in_one_fold"),
    "ModelPlan.gates": acts(gates, ("folds: 3", "gates: {auc: [0.85, 0.95]}")),
    "Decisions.approve_below": acts(scored, ("approve_below: 0.1", "approve_below: 0.2")),
    "Decisions.decline_from": acts(scored, ("decline_from: 0.3", "decline_from: 0.4")),
    "ScorePlan.points_at": acts(scored, ("score:\n", "score:\n  points_at: 500\n")),
    "ScorePlan.odds_at": acts(scored, ("score:\n", "score:\n  odds_at: 15\n")),
    "ScorePlan.points_to_double_odds": acts(scored, ("score:\n", "score:\n  points_to_double_odds: 40\n")),
    "ScorePlan.bands": acts(scored, ("{low: 0.1, high: 1}", "{low: 0.2, high: 1}")),
    "ScorePlan.decisions": acts(scored, ("decline_from: 0.3", "decline_from: 0.4")),
    "ScorePlan.reference": acts(scored, ("score:\n", "score:\n  reference: best\n")),
    "Analysis.sql": acts(baselines, ("sql: amount", "sql: amount / 2"), given=(ANALYSES,)),
    "Analysis.title": acts(reported, ("The amount", "What is lent"), given=(ANALYSES,)),
    "Analysis.against": acts(baselines, ("The rate}", "The rate, against: a}"), given=(ANALYSES,)),
    "Loss.exposure": acts(scored, ("exposure: amount", "exposure: income"), given=(LOSS,)),
    "Loss.given_default": acts(scored, ("given_default: 0.5", "given_default: 0.6"), given=(LOSS,)),
    "Settings.storage": acts(folder, ("", "storage: {warehouse: mine}")),
    "Settings.spark": acts(options, ("", "spark: {master: yarn}")),
    "Settings.training": acts(parts, ("", "training: {rows_per_partition: 1000000}")),
    "Settings.monitor": acts(earlier, ("", "monitor: {volume_history: 10}")),
    "Storage.landing": Shown("tests/e2e/test_commands.py::test_every_line_of_the_sample_is_accounted_for"),
    "Storage.warehouse": acts(folder, ("", "storage: {warehouse: mine}")),
    "Storage.lock": Shown("tests/spark/test_contract_keys.py::test_a_run_locks_and_logs_as_the_settings_say"),
    "Storage.logs": Shown("tests/spark/test_contract_keys.py::test_a_run_locks_and_logs_as_the_settings_say"),
    "SparkSettings.master": acts(options, ("", "spark: {master: yarn}")),
    "SparkSettings.driver_memory": acts(options, ("", "spark: {driver_memory: 9g}")),
    "SparkSettings.shuffle_partitions": acts(options, ("", "spark: {shuffle_partitions: 9}")),
    "SparkSettings.show_ui": acts(options, ("", "spark: {show_ui: true}")),
    "SparkSettings.conf": acts(options, ("", "spark: {conf: {spark.x: y}}")),
    "Training.parallel_fits": Shown("tests/spark/test_contract_keys.py::test_fits_run_side_by_side"),
    "Training.rows_per_partition": acts(parts, ("", "training: {rows_per_partition: 1000000}")),
    "Training.smote_rows": Shown("tests/unit/test_smote.py::test_spark_makes_both_classes_equal_and_keeps_every_real_row"),
    "Monitor.psi": acts(statuses, ("", "monitor: {psi: [0.9, 0.95]}")),
    "Monitor.share": acts(statuses, ("", "monitor: {share: [0.9, 0.95]}")),
    "Monitor.auc": acts(statuses, ("", "monitor: {auc: [0.9, 0.95]}")),
    "Monitor.calibration": acts(statuses, ("", "monitor: {calibration: [8, 9]}")),
    "Monitor.volume": acts(statuses, ("", "monitor: {volume: [8, 9]}")),
    "Monitor.false_alarms": acts(drifted, ("", "monitor: {false_alarms: 0.1}")),
    "Monitor.volume_history": acts(earlier, ("", "monitor: {volume_history: 10}")),
}  # fmt: skip


def models_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model, and every model that stands in it, at any depth."""

    def within(annotation: Any) -> Iterator[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from models_of(annotation)
        for each in get_args(annotation):
            yield from within(each)

    yield model
    for field in model.model_fields.values():
        yield from within(field.annotation)


def keys_of(model: type[BaseModel]) -> set[str]:
    return {f"{own.__name__}.{key}" for own in models_of(model) for key in own.model_fields}


OF_SETTINGS = keys_of(Settings)


def test_every_key_has_an_entry() -> None:
    assert keys_of(Contract) | OF_SETTINGS == TABLE.keys()
    assert len(keys_of(Contract)) > 70


def changed(text: str, changes: tuple[Change, ...]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.fixture
def made(tmp_path) -> Callable[..., Contract | Settings]:
    """The contract, or the settings, that a text is read as."""

    def make(key: str, text: str) -> Contract | Settings:
        path = tmp_path / "small_lender.yml"
        path.write_text(text, encoding="utf-8")
        if key in OF_SETTINGS:
            return resolve(PROJECT / "conf/base.yml", path, {})
        return load_contract(path)

    return make


def of(kind: type) -> Any:
    return pytest.mark.parametrize(
        "key", [key for key, entry in TABLE.items() if isinstance(entry, kind)]
    )


def before(key: str) -> str:
    return "" if key in OF_SETTINGS else SMALL


@of(Acts)
def test_a_key_acts(made, key) -> None:
    entry = TABLE[key]
    text = changed(before(key), entry.given)

    without, with_it = made(key, text), made(key, changed(text, entry.changes))

    assert entry.seen(without) == entry.seen(without)
    assert entry.seen(without) != entry.seen(with_it)


@of(Refused)
def test_a_key_that_cannot_act_is_refused(made, key) -> None:
    entry = TABLE[key]
    made(key, before(key))

    with pytest.raises(InputError) as error:
        made(key, changed(before(key), entry.changes))

    assert entry.words in str(error.value)


@of(Shown)
def test_a_test_shows_how_a_key_acts(key) -> None:
    file, _, name = TABLE[key].by.partition("::")
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))

    assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
