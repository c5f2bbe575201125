from pathlib import Path

import pytest

from credit_spark.contract import guards
from credit_spark.contract.errors import InputError
from credit_spark.contract.guards import RESERVED
from credit_spark.contract.loading import contract_hash, find_contract, load_contract
from credit_spark.contract.models import Contract
from credit_spark.contract.tables import tables

SMALL = Path(__file__).parents[1] / "small_lender.yml"
PORTFOLIOS = Path(__file__).parents[2] / "conf/portfolios"


@pytest.fixture
def faults(tmp_path):
    """The faults of the small contract after some of its text was changed."""

    def change(*changes: tuple[str, str]) -> list[str]:
        text = SMALL.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "small_lender.yml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError) as error:
            load_contract(path)
        assert error.value.exit_code == 2
        return [line.strip() for line in str(error.value).splitlines()[1:]]

    return change


@pytest.mark.parametrize("path", sorted(PORTFOLIOS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_portfolio_is_sound_and_bears_its_files_name(path) -> None:
    assert load_contract(path).portfolio == path.stem


def test_a_wrong_contract_names_every_fault_at_once(faults) -> None:
    assert faults(
        ("kind: money, known: application, required", "kind: cash, knwon: application, required"),
        ("folds: 3", "fold: 3"),
        ("preamble: detect", "preambel: detect"),
    ) == [
        "source.layouts.totalled.preambel: unknown key 'preambel'; did you mean 'preamble'?",
        "columns.amount.kind: input should be 'text', 'category', 'count', 'number', 'money', "
        "'rate', 'months', 'years', 'date', 'range' or 'flag'",
        "columns.amount.known: this key is missing",
        "columns.amount.knwon: unknown key 'knwon'; did you mean 'known'?",
        "model.fold: unknown key 'fold'; did you mean 'folds'?",
    ]


def test_a_misspelt_key_does_not_hide_what_else_is_wrong(faults) -> None:
    """But for what may be its own consequence: a date whose formats are misspelt has none."""
    assert faults(
        ("formats: [yyyy-MM-dd], known: servicing", "format: [yyyy-MM-dd], known: servicing"),
        ('sql: "rate"', 'sql: "rat"'),
    ) == [
        "columns.paid_on.format: unknown key 'format'; did you mean 'formats'?",
        "features.rate.sql: there is no column 'rat'; did you mean 'rate'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("observed_on: opened_on", "observed_on: opend_on", "observed_on: there is no column 'opend_on'; did you mean 'opened_on'?"),
        ("observed_on: opened_on", "observed_on: rate", "observed_on: 'rate' is a rate, not a date"),
        ("segments: [owned]", "segments: [ownd]", "segments: there is no column 'ownd'; did you mean 'owned'?"),
        ("newest_by: [paid_on]", "newest_by: [payed_on]", "newest_by: there is no column 'payed_on'; did you mean 'paid_on'?"),
        ("key: [number]", "key: [nmber]", "key: there is no column 'nmber'; did you mean 'number'?"),
        ("units: {rate: percent}", "units: {amount: percent}", "source.layouts.plain.units.amount: 'percent' is a unit of a rate, and this is a money"),
        ("formats: [yyyy-MM-dd], known: servicing", "known: servicing", "columns.paid_on.formats: a date needs its formats, such as [yyyy-MM-dd]"),
        ("number: {from", "raw: {from", "columns.raw: this name is reserved, as are " + ", ".join(sorted(RESERVED))),
        ("range: [0, 1]", "range: [1, 0]", "columns.rate.range: the lower bound stands first"),
        ("{low: 0.1, high: 1}", "{low: 0.1, high: 0.5}", "score.bands: each band ends at a higher PD than the one before it, the last at 1"),
        ("decline_from: 0.3", "decline_from: 0.05", "score.decisions: approve_below may not lie above decline_from"),
        ("score:", "loss: {exposure: amont, given_default: 0.5}\nscore:", "loss.exposure: there is no column 'amont'; did you mean 'amount'?"),
        ("score:", "loss: {exposure: rate, given_default: 0.5}\nscore:", "loss.exposure: 'rate' is a rate, not an amount of money"),
        ('sql: "rate"', 'special: [.nan], sql: "rate"', "features.rate.special.0: input should be a finite number"),
        ('sql: "owned"', 'special: [1], sql: "owned"', "features.home.special: a text has no special numbers; take it out"),
        ('sql: "rate"', 'sql: "status"', "features.rate.sql: 'status' is known only at the outcome stage, after the loan is scored; take it out, or the model learns its own answer"),
        ('sql: "rate"', 'sql: "year(paid_on)"', "features.rate.sql: 'paid_on' is known only at the servicing stage, after the loan is scored; take it out, or the model learns its own answer"),
        ('sql: "amount / income"', 'sql: "amount / incom"', "features.amount_to_income.sql: there is no column 'incom'; did you mean 'income'?"),
        ('sql: "income is null or rate is null or income * rate >= 0"', 'sql: "income"', "rules.income_covers_the_rate.sql: a rule is a comparison, such as 'funded <= asked'"),
        ("header: [id, amount, rate]\n", "no_header: [id]\n      header: [id]\n", "source.layouts.plain: give header, names that a header of such a file has, or no_header, the names of all columns of a file that has none"),
        ("  rate: {sql:", "  the-rate: {sql:", "features.the-rate: write a name in small letters, digits and underscores"),
        ('sql: "rate"', 'sql: "(rate > 1) is true"', "features.rate.sql: '(rate > 1) IS TRUE' is not allowed; write 'is null' or a comparison"),
        ("title:", "title2: x\ntitle:", "title2: unknown key 'title2'; did you mean 'title'?"),
        ("formats: [yyyy-MM-dd], known", "formats: [yyyy-M-d], known", "columns.paid_on.formats: 'yyyy-M-d' is no format of a fixed width; it is made of yyyy, yy, MMM (as in Dec), MM, dd, HH, mm, ss and what stands between"),
        ("source:\n", "source:\n  path: '{landing}/{asof}'\n  encoding: UFT-8\n", "source.path: nothing fills '{asof}'; did you mean 'as_of'?"),
        ("source:\n", "source:\n  path: '{landing}/{asof}'\n  encoding: UFT-8\n", "source.encoding: there is no encoding 'UFT-8'"),
        ("source:\n", "source:\n  encoding: mac-roman\n", "source.encoding: Spark does not read 'mac-roman'; have the files delivered in UTF-8"),
        ("source:\n", "source:\n  encoding: base64\n", "source.encoding: there is no encoding 'base64'"),
        ("portfolio: small_lender", "portfolio: other_lender", "portfolio: it is 'other_lender', and the file is small_lender.yml; give both one name, since tables and suites stand under it"),
        ("status: {from: [status], kind: category", "status: {from: [status], kind: count", "outcome.from: 'status' is a count, and good and bad are told by texts; make it a category"),
        ("bad: [lost]", "bad: [lost, paid]", "outcome: 'paid' stands in good and bad"),
        ("model: {folds: 3", "model: {gates: {auc: [0.95, 0.6]}, folds: 3", "model.gates.auc: the lower bound stands first"),
        ("regularisation: 0.001", "out_of_time_from: 1 year", "model.out_of_time_from: write a date such as 2011-01-01, or a span such as '12 months'"),
        ("regularisation: 0.001", "out_of_time_from: 1000 months", "model.out_of_time_from: write a date such as 2011-01-01, or a span such as '12 months'"),
        ("segments: [owned]", "performance_months: 601", "performance_months: input should be less than or equal to 600"),
    ],
)  # fmt: skip
def test_each_fault_is_told_by_its_path(faults, old, new, said) -> None:
    assert said in faults((old, new))


def test_no_is_a_text(tmp_path) -> None:
    text = SMALL.read_text(encoding="utf-8")
    path = tmp_path / "small_lender.yml"
    path.write_text(text.replace('missing: [""]', 'missing: ["", NO]'), encoding="utf-8")

    assert load_contract(path).source.layouts["keyless"].missing == ("", "NO")


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("title: again\n", 'found duplicate key "title" with value "again" (original value: "A small lender, for tests")'),
        ("rules: ]\n", "expected the node content, but found ']'"),
        ("---\n", "found another document"),
    ],
)  # fmt: skip
def test_text_that_is_no_yaml_is_told_by_its_line(tmp_path, added, said) -> None:
    text = SMALL.read_text(encoding="utf-8")
    path = tmp_path / "small_lender.yml"
    path.write_text(text + added, encoding="utf-8")

    with pytest.raises(InputError) as error:
        load_contract(path)

    line = len(text.splitlines()) + 1
    assert str(error.value) == f"small_lender.yml: this is not readable YAML: line {line}: {said}"


def test_text_with_a_character_that_yaml_forbids_is_told(tmp_path) -> None:
    path = tmp_path / "small_lender.yml"
    path.write_text("portfolio: \x01\n", encoding="utf-8")

    with pytest.raises(InputError, match="not readable YAML: unacceptable character #x0001"):
        load_contract(path)


def test_an_unknown_portfolio_names_the_closest() -> None:
    with pytest.raises(InputError, match="did you mean 'lending_club'"):
        find_contract("lending_clubb", PORTFOLIOS)


def test_comments_do_not_change_the_hash(tmp_path, contract) -> None:
    path = tmp_path / "small_lender.yml"
    path.write_text("# a comment\n" + SMALL.read_text(encoding="utf-8"), encoding="utf-8")

    assert contract_hash(load_contract(path)) == contract_hash(contract)


def test_every_table_states_its_grain_and_what_its_columns_hold(contract: Contract) -> None:
    for table in tables(contract):
        assert table.grain
        assert all(field.meaning for field in table.columns.values())
        assert set(table.keys) <= set(table.columns)


@pytest.mark.parametrize("sql", ["if(owned > 1, 1, 0)", "owned * 2", "income = 'many'"])
def test_sql_that_compares_or_adds_what_cannot_be_is_told(faults, sql) -> None:
    assert any(
        each.startswith("features.rate.sql: ") for each in faults(('sql: "rate"', f'sql: "{sql}"'))
    )


def test_a_column_may_not_have_the_name_of_a_features_value(contract) -> None:
    name = next(iter(contract.features))
    column = next(iter(contract.columns.values()))
    both = contract.model_copy(update={"columns": {**contract.columns, f"f_{name}": column}})

    assert any(f"f_{name}" in fault for fault in guards.features(both))
