from datetime import date
from functools import partial
from pathlib import Path

import pytest

from credit_spark.config import guards
from credit_spark.config.edges import undefined_at_edge
from credit_spark.config.errors import InputError
from credit_spark.config.expressions import expression
from credit_spark.config.guards import RESERVED
from credit_spark.config.loading import contract_hash, find_contract, load_contract
from credit_spark.config.models import Contract
from credit_spark.config.settings import from_environment
from credit_spark.config.tables import tables
from tests.batches import run
from tests.projects import SMALL, small_lender

PORTFOLIOS = Path(__file__).parents[2] / "conf/portfolios"


@pytest.fixture
def sound(tmp_path):
    """The small contract after some of its text was changed."""
    return partial(small_lender, tmp_path)


@pytest.fixture
def faults(sound):
    """The faults of the small contract after some of its text was changed."""

    def change(*changes: tuple[str, str]) -> list[str]:
        with pytest.raises(InputError) as error:
            sound(*changes)
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
        ("key: [number]", "key: []", "key: it names no column; name one, or write content"),
        ("      key: content\n", "      key: []\n", "source.layouts.keyless.key: it names no column; name one, or write content"),
        ("key: [number]", "key: [nmber]", "key: there is no column 'nmber'; did you mean 'number'?"),
        ("units: {rate: percent}", "units: {amount: percent}", "source.layouts.plain.units.amount: 'percent' is a unit of a rate, and this is a money"),
        ("formats: [yyyy-MM-dd], known: servicing", "known: servicing", "columns.paid_on.formats: a date needs its formats, such as [yyyy-MM-dd]"),
        ("number: {from", "raw: {from", "columns.raw: this name is reserved, as are " + ", ".join(sorted(RESERVED))),
        ("range: [0, 1]", "range: [1, 0]", "columns.rate.range: the lower bound comes first"),
        ("{low: 0.1, high: 1}", "{low: 0.1, high: 0.5}", "score.bands: each band ends at a higher PD than the one before it, the last at 1"),
        ("decline_from: 0.3", "decline_from: 0.05", "score.decisions: approve_below may not lie above decline_from"),
        ("score:", "loss: {exposure: amont, given_default: 0.5}\nscore:", "loss.exposure: there is no column 'amont'; did you mean 'amount'?"),
        ("score:", "loss: {exposure: rate, given_default: 0.5}\nscore:", "loss.exposure: 'rate' is a rate, not an amount of money"),
        ('sql: "rate"', 'special: [.nan], sql: "rate"', "features.rate.special.0: input should be a finite number"),
        ('sql: "owned"', 'special: [1], sql: "owned"', "features.home.special: the feature is a text, and this is for numbers; take it out"),
        ('sql: "rate"', 'sql: "status"', "features.rate.sql: 'status' is known only at the outcome stage, after the loan is scored; take it out, or the model learns its own answer"),
        ('sql: "rate"', 'sql: "year(paid_on)"', "features.rate.sql: 'paid_on' is known only at the servicing stage, after the loan is scored; take it out, or the model learns its own answer"),
        ('sql: "amount / income"', 'sql: "amount / incom"', "features.amount_to_income.sql: there is no column 'incom'; did you mean 'income'?"),
        ('sql: "income is null or rate is null or income * rate >= 0"', 'sql: "income"', "rules.income_covers_the_rate.sql: a rule is a comparison, such as 'funded <= asked'"),
        ("header: [id, amount, rate]\n", "no_header: [id]\n      header: [id]\n", "source.layouts.plain: give header, names that a header of such a file has, or no_header, the names of all columns of a file that has none"),
        ("  rate: {sql:", "  the-rate: {sql:", "features.the-rate: write a name in small letters, digits and underscores"),
        ('sql: "rate"', 'sql: "(rate > 1) is true"', "features.rate.sql: '(rate > 1) IS TRUE' is not allowed; write 'is null' or a comparison"),
        ("  layouts:\n", "  delimiter: \"\\\\\"\n  layouts:\n", 'source.delimiter: a delimiter is one character such as , ; | or "\\t", and not a letter, digit, quote, backslash or line break'),
        ("  layouts:\n", "  delimiter: x\n  layouts:\n", 'source.delimiter: a delimiter is one character such as , ; | or "\\t", and not a letter, digit, quote, backslash or line break'),
        ("rules:\n", "rules: [x]\nother:\n", "rules: write keys with their values, each as key: value"),
        ("from: [status]", "from: 5", "columns.status.from: write a list, such as [a, b]"),
        ('sql: "rate"', 'sql: "small.rate"', "features.rate.sql: 'small.rate': write the column's name without a table"),
        ("title:", "title2: x\ntitle:", "title2: unknown key 'title2'; did you mean 'title'?"),
        ("formats: [yyyy-MM-dd], known", "formats: [yyyy-M-d], known", "columns.paid_on.formats: 'yyyy-M-d' is no format of a fixed width; it is made of yyyy, yy, MMM (as in Dec), MM, dd, HH, mm, ss and the separators"),
        ("source:\n", "source:\n  path: '{landing}/{asof}'\n  encoding: UFT-8\n", "source.path: nothing fills '{asof}'; did you mean 'as_of'?"),
        ("source:\n", "source:\n  path: '{landing}/{asof}'\n  encoding: UFT-8\n", "source.encoding: there is no encoding 'UFT-8'"),
        ("source:\n", "source:\n  encoding: mac-roman\n", "source.encoding: Spark does not read 'mac-roman'; have the files delivered in UTF-8"),
        ("source:\n", "source:\n  encoding: base64\n", "source.encoding: there is no encoding 'base64'"),
        ("portfolio: small_lender", "portfolio: other_lender", "portfolio: it is 'other_lender', and the file is small_lender.yml; give both one name, since tables and suites stand under it"),
        ("status: {from: [status], kind: category", "status: {from: [status], kind: count", "outcome.from: 'status' is a count, and good and bad are texts; make it a category"),
        ("bad: [lost]", "bad: [lost, paid]", "outcome: 'paid' is in good and bad"),
        ("model: {folds: 3", "model: {gates: {auc: [0.95, 0.6]}, folds: 3", "model.gates.auc: the lower bound comes first"),
        ("regularisation: 0.001", "out_of_time_from: 1 year", "model.out_of_time_from: write a date such as 2011-01-01, or a span such as '12 months'"),
        ("regularisation: 0.001", "out_of_time_from: 1000 months", "model.out_of_time_from: write a date such as 2011-01-01, or a span such as '12 months'"),
        ("regularisation: 0.001", "out_of_time_from: 0 months", "model.out_of_time_from: write a date such as 2011-01-01, or a span such as '12 months'"),
        ("regularisation: 0.001", "regularisation: .inf", "model.regularisation.0: input should be a finite number"),
        ("{low: 0.1, high: 1}", "{low: .nan, high: 1}", "score.bands.low: input should be a finite number"),
        ("decline_from: 0.3", "decline_from: .nan", "score.decisions.decline_from: input should be a finite number"),
        ("model: {folds: 3", "model: {gates: {auc: [.nan, 0.9]}, folds: 3", "model.gates.auc.0: write a number"),
        ("segments: [owned]", "performance_months: 601", "performance_months: input should be less than or equal to 600"),
    ],
)  # fmt: skip
def test_each_fault_is_told_by_its_path(faults, old, new, said) -> None:
    assert said in faults((old, new))


RATE = 'rate: {sql: "rate", reason: "The rate is high"}'
BINNED = ("model: {", "model: {form: binned, ")
EXPECTS = ('rate: {sql: "rate", ', 'rate: {sql: "rate", expect: increases_risk, ')
ANALYSES = ("segments:", "analyses: {a: {sql: amount, title: A, against: a}}\nsegments:")


def feature(text: str) -> tuple[str, str]:
    """The small contract with another feature in the place of the rate's."""
    return RATE, f"rate: {{{text}}}"


def special(column: str, value: float) -> tuple[tuple[str, str], ...]:
    """The small contract with a column `p0`, and its special value in the place of the rate."""
    return (
        ("columns:\n", f"columns:\n  p0: {{from: [p0], known: application, {column}}}\n"),
        feature(f'sql: "p0", special: [{value}], reason: "A number"'),
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([feature('sql: "rate", expect: increases_risk, reason_low: "Low"')], "features.rate.reason_low: it is never given, since with expect, only one side costs points; take it out"),
        ([feature('sql: "rate", expect: lowers_risk, reason: "Low", reason_high: "High"')], "features.rate.reason_high: it is never given, since with expect, only one side"),
        ([feature('sql: "owned", reason_low: "Low"')], "features.rate.reason_low: it is never given, since a text has no sides; take it out"),
        ([feature('sql: "owned", expect: lowers_risk, reason: "The home"')], "features.rate.expect: a text has no higher value; take it out"),
        ([feature('sql: "rate", reason: "The rate", reason_low: "Low"')], "features.rate.reason: give it, or reason_low and reason_high, not both"),
        ([feature('sql: "rate"')], "features.rate.reason: this key is missing"),
        ([feature('sql: "rate", reason_missing: "No rate"')], "features.rate.reason: this key is missing"),
        ([feature('sql: "rate", reason: "The rate", reason_missing: "The rate"')], "features.rate.reason_missing: it is also a reason of a value; say that the value is not known, or take it out"),
        ([feature('sql: "rate", reason_low: "Low", reason_missing: "Low"')], "features.rate.reason_missing: it is also a reason of a value"),
        ([feature('sql: "rate", reason: ""')], "features.rate.reason: string should have at least 1 character"),
        ([feature('sql: "rate", special: [0.5], reason: "The rate"')], "features.rate.special: a linear form makes no use of it; take it out"),
        ([feature('sql: "rate", breaks: [0.5], reason: "The rate"')], "features.rate.breaks: a linear form makes no use of it; take it out"),
        ([BINNED, feature('sql: "rate", missing: median, reason: "The rate"')], "features.rate.missing: a binned form makes no use of it; take it out"),
        ([BINNED, feature('sql: "rate", breaks: [0.5, 0.2], reason: "The rate"')], "features.rate.breaks: each one lies above the one before it"),
        ([BINNED, feature('sql: "rate", breaks: [0.2, 0.2], reason: "The rate"')], "features.rate.breaks: each one lies above the one before it"),
        ([BINNED, feature('sql: "owned", breaks: [1], reason: "The home"')], "features.rate.breaks: the feature is a text, and this is for numbers; take it out"),
        ([feature('sql: "owned", missing: indicator, reason: "The home"')], "features.rate.missing: the feature is a text, and this is for numbers; take it out"),
        ([EXPECTS, ("folds: 3", "elastic_net: 0.5")], "model.elastic_net: a fit that keeps to expect (rate) has no L1 penalty; take elastic_net out, or expect"),
        ([("folds: 3, regularisation: 0.001", "elastic_net: [0, 1], regularisation: 0")], "model.elastic_net: it is a share of regularisation, which is 0; take it out"),
        ([feature('sql: "ln(rate)", expect: increases_risk, reason: "High"')], "features.rate.sql: it has no value where rate is 0, and would be scored as a missing one; give it a floor"),
        ([feature('sql: "amount / rate", expect: lowers_risk, reason: "Low"')], "features.rate.sql: it has no value where amount is 0 and rate is 0, and would be scored"),
        ([("range: [0, 1], outside", "range: [-1, 1], outside"), feature('sql: "amount / rate", expect: lowers_risk, reason: "Low"')], "features.rate.sql: it has no value where amount is 0 and rate is 0, and would be scored"),
        ([feature('sql: "1 / (income - 1)", expect: lowers_risk, reason: "High"')], "features.rate.sql: it has no value where income is 1, and would be scored"),
        ([feature("sql: \"case when owned = 'OWN' then rate end\", expect: lowers_risk, reason: \"High\"")], "features.rate.sql: it has no value where owned is RENT and rate is 0, and would be scored"),
    ],
)  # fmt: skip
def test_what_a_model_could_not_keep_to_is_told(faults, changes, said) -> None:
    assert any(each.startswith(said) for each in faults(*changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([("source:\n", "source:\n  decimal: ','\n"), *[(f"    {name}:\n", f"    {name}:\n      decimal: '.'\n") for name in ("plain", "totalled", "keyless")]], "source.decimal: every layout has its own; take it out"),
        ([("source:\n", "source:\n  delimiter: ;\n"), *[(f"    {name}:\n", f"    {name}:\n      delimiter: '|'\n") for name in ("plain", "totalled", "keyless")]], "source.delimiter: every layout has its own; take it out"),
        ([("    keyless:", "    bare: {no_header: [id, amount], preamble: detect}\n    keyless:")], "source.layouts.bare.preamble: the lines above a header are found by it; take it out"),
        ([("    keyless:", "    bare: {no_header: [id, amount], units: {rate: percent}}\n    keyless:")], "source.layouts.bare.units.rate: its files have no such column; take it out"),
        ([("    keyless:", "    again: {header: [rate, id, amount]}\n    keyless:")], "source.layouts.again: a file that it fits has the layout 'plain', whose header is the same"),
        ([("    keyless:", "    again: {header: [rate, id, amount], preamble: detect}\n    keyless:")], None),
        ([('missing: ["", "NA"]', 'missing: ["", " NA"]')], "source.layouts.plain.missing: no field is ' NA', since blanks around it are taken off"),
        ([("kind: category, known: outcome", "kind: category, known: outcome, missing: ['n/a ']")], "columns.status.missing: no field is 'n/a ', since blanks around it are taken off"),
        ([("range: [0, 1], outside: clip", 'outside: "null"')], "columns.rate.outside: the column has no range and no one_of; take it out"),
        ([("range: [0, 1], outside: clip", "outside: clip")], "columns.rate.outside: only a column with a range, and no one_of, can be clipped"),
        ([("one_of: [OWN, RENT]", "one_of: []")], "columns.owned.one_of: it is empty, and would forbid nothing; take it out"),
        ([("one_of: [OWN, RENT]", "one_of: [1, 2]")], "columns.owned.one_of: 1 is a number, and no text; put it in quotes"),
        ([("range: [0, 1], outside: clip", "one_of: [low, 0.5]")], "columns.rate.one_of: 'low' is a text, and the column a rate"),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: months, one_of: [36.5]}\n")], "columns.p0.one_of: 36.5 is not whole, as every months is; take it out"),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: date, formats: [yyyy-MM-dd], one_of: ['2011-13-45']}\n")], "columns.p0.one_of: '2011-13-45' is no day; write one in quotes, as '2012-01-31'"),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: date, formats: [yyyy-MM-dd], one_of: [3]}\n")], "columns.p0.one_of: '3.0' is no day"),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: date, formats: [yyyy-MM-dd], one_of: ['2011-12-31', '2012-1-3', '2012-02']}\n")], None),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: date, formats: [yyyy-MM-dd], one_of: ['20111231']}\n")], "columns.p0.one_of: '20111231' is no day"),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: flag, one_of: [ja]}\n")], "columns.p0.one_of: 'ja' is neither yes nor no"),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: flag, one_of: [Y, 'NO']}\n")], None),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: flag, one_of: [true, 0]}\n")], None),
        ([("columns:\n", "columns:\n  p0: {from: [p0], known: application, kind: flag, one_of: [2]}\n")], "columns.p0.one_of: '2.0' is neither yes nor no"),
        ([("columns:\n", "columns:\n  is_bad: {from: [p0], known: outcome, kind: flag}\n")], "columns.is_bad: this name is reserved"),
        ([("one_of: [OWN, RENT]", "codes: {'': OWN, B: RENT}"), ('missing: [""]', "missing: [x]")], "columns.owned.codes: '' means missing before it is looked up; take it out"),
        ([("kind: text, known: application", "kind: text, formats: [yyyy-MM-dd], known: application")], "columns.number.formats: a text has none; take it out"),
        ([("one_of: [OWN, RENT]", "codes: {'A ': OWN}")], "columns.owned.codes: no field is 'A ', since blanks around it are taken off"),
        ([("one_of: [OWN, RENT]", "codes: {'': OWN, B: RENT}")], "columns.owned.codes: '' means missing before it is looked up; take it out"),
        ([("one_of: [OWN, RENT]", "codes: {A: OWN}, missing: [A]")], "columns.owned.codes: 'A' means missing before it is looked up; take it out"),
        ([("range: [0, 1], outside: clip", "codes: {A: '0.5'}, unknown_codes: keep")], "columns.rate.unknown_codes: a rate may have other texts than codes; take it out"),
        ([("key: [number]", "key: [number, number]")], "key: 'number' is there more than once"),
        ([("segments: [owned]", "segments: [owned, owned]")], "segments: 'owned' is there more than once"),
        ([("key: [number]", "key: content")], "newest_by: with key: content no loan replaces another; take it out"),
        ([("known: outcome", "known: outcome, codes: {'1': paid, '2': lost}"), ("open: [running]", "open: []")], None),
        ([("known: outcome", "known: outcome, codes: {'1': paid, '2': bad}")], "outcome.bad: 'status' is never 'lost'; known here: bad, paid"),
        ([("known: outcome", "known: outcome, one_of: [paid, lost]")], "outcome.open: 'status' is never 'running'; known here: lost, paid"),
        ([("bad: [lost]", "bad: [lost, '']")], "outcome.bad: '' means missing in 'status'; take it out"),
        ([("bad: [lost]", "bad: ['lost ']")], "outcome.bad: no field is 'lost ', since blanks around it are taken off"),
        ([("outcome: {from: status, good: [paid], bad: [lost], open: [running]}\n", "performance_months: 6\n")], "performance_months: it is about outcomes, and there is no outcome; take it out"),
        ([BINNED, feature('sql: "rate", special: [9], reason: "The rate"')], "features.rate.special: 9 parts no values of 'rate', whose range is 0 to 1; take it out"),
        ([BINNED, feature('sql: "rate", breaks: [0, 0.5], reason: "The rate"')], "features.rate.breaks: 0 parts no values of 'rate', whose range is 0 to 1; take it out"),
        ([BINNED, feature('sql: "rate", breaks: [0.5, 2], reason: "The rate"')], "features.rate.breaks: 2 parts no values of 'rate'"),
        ([BINNED, feature('sql: "rate", breaks: [0.5, 1], special: [0], reason: "The rate"')], None),
        ([BINNED, *special("kind: number, missing: ['9.0']", 9)], "features.rate.special: 9 means missing in 'p0'; take it out there, or here"),
        ([BINNED, *special("kind: number, one_of: [1, 2]", 9)], "features.rate.special: 9 is not in one_of of 'p0'; add it, or take it out"),
        ([BINNED, *special("kind: number, one_of: [1, 9]", 9)], None),
        ([BINNED, *special("kind: count, missing: ['9'], codes: {NEVER: '9'}", 9)], None),
        ([BINNED, *special("kind: money, missing: ['12']", 12), ("units: {income: monthly}", "units: {income: monthly, p0: monthly}")], None),
        ([BINNED, *special("kind: flag, one_of: [Y, N]", 1)], None),
        ([ANALYSES], "analyses.a.against: it is this analysis itself; name another one"),
        ([("score:\n", "score:\n  points_at: 20000\n")], "score: points lie between 19181 and 20623, and may between -10000 and 10000"),
        ([("score:\n", "score:\n  points_to_double_odds: 300\n")], "score: points lie between "),
        ([("folds: 3", "gates: {auc: [60, 95]}")], "model.gates.auc: an AUC lies between 0 and 1, such as [0.6, 0.95]"),
        ([("folds: 3", "gates: {mean_pd_over_observed: [-1, 2]}")], "model.gates.mean_pd_over_observed: a ratio of shares is never below 0"),
    ],
)  # fmt: skip
def test_a_key_that_could_never_act_is_told(faults, sound, changes, said) -> None:
    if said is None:
        sound(*changes)
    else:
        assert any(each.startswith(said) for each in faults(*changes))


def test_values_that_vanish_are_found_whatever_the_number_of_columns(sound) -> None:
    """Only where the first column, by name, is at its edge; a text may have a quote."""
    numbers = [f"n{nth}" for nth in range(10)]
    columns = "".join(
        f"  {name}: {{from: [{name}], kind: number, known: application, range: [0, 9]}}\n"
        for name in numbers
    )
    contract = sound(("columns:\n", f"columns:\n{columns}"), ("[OWN, RENT]", '["it\'s", RENT]'))
    total = " + ".join(numbers[1:])

    def where(sql: str) -> str | None:
        return undefined_at_edge(expression(sql, contract.kinds), contract)

    assert where(f"ln(9 - n0) + {total}").startswith("n0 is 9 and n1 is 0 and")
    assert where(f"ln(10 - n0) + {total}") is None
    assert where("case when owned = 'RENT' then rate end") == "owned is it's and rate is 0"


@pytest.mark.parametrize(
    ("column", "sql", "where"),
    [
        ("kind: months, known: application, one_of: [12, 36, 60]", "case when p0 = 12 then 12 when p0 = 60 then 60 end", "p0 is 36"),
        ("kind: months, known: application, one_of: [12, 36, 60]", "1 / (p0 - 36)", "p0 is 36"),
        ("kind: months, known: application, one_of: [12, 36, 60]", "1 / (p0 - 35)", None),
        ("kind: rate, known: application, range: [0, 1]", "1 / (p0 - 0.5)", "p0 is 0.5"),
        ("kind: rate, known: application, range: [-1, 1]", "1 / (p0 + 0.5)", "p0 is -0.5"),
        ("kind: money, known: application, range: [0, 5000]", "nullif(p0, 999)", "p0 is 999"),
        ("kind: money, known: application, range: [0, 900]", "nullif(p0, 999)", None),
        ("kind: count, known: application, range: [0, 20]", "case when not abs(p0 * 2 - 14) < 1 then p0 end", "p0 is 7"),
    ],
)  # fmt: skip
def test_values_that_vanish_are_found_within_a_columns_range(
    faults, sound, column, sql, where
) -> None:
    column = f"  p0: {{from: [p0], {column}}}\n"
    changes = (
        ("columns:\n", f"columns:\n{column}"),
        feature(f'sql: "{sql}", expect: lowers_risk, reason: "Low"'),
    )

    if where is None:
        sound(*changes)
    else:
        assert any(
            each.startswith(f"features.rate.sql: it has no value where {where}")
            for each in faults(*changes)
        )


@pytest.mark.parametrize(
    "sql",
    ["ln(greatest(rate, 0.01))", "amount / greatest(rate, 0.01)", "rate / income", "ln(income)"],
)
def test_a_feature_with_a_value_at_every_edge_may_expect(sound, sql) -> None:
    sound(feature(f'sql: "{sql}", expect: lowers_risk, reason: "Low"'))


def test_without_expect_a_value_may_vanish(sound) -> None:
    sound(feature('sql: "ln(rate)", reason: "The rate"'))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([], ["features.amount_to_income.reason: it claims a direction ('large')", "features.rate.reason: it claims a direction ('high')"]),
        ([feature('sql: "rate", expect: increases_risk, reason: "The rate is high"')], ["features.amount_to_income.reason: it claims a direction"]),
        ([feature('sql: "rate", reason_low: "The rate is low", reason_high: "The rate is high"')], ["features.amount_to_income.reason: it claims a direction"]),
        *(([feature(f'sql: "rate", reason: "{text}"')], ["features.amount_to_income.reason: it claims a direction", f"features.rate.reason: it claims a direction ('{word}')"]) for text, word in (
            ("Income insufficient for the amount", "insufficient"), ("Excessive obligations", "Excessive"), ("Limited credit experience", "Limited"),
            ("Poor credit performance", "Poor"), ("Above the average", "Above"), ("Higher instalments than usual", "Higher"),
        )),
        ([feature('sql: "rate", reason: "The rate", reason_missing: "The rate is high"')], ["features.amount_to_income.reason: it claims a direction", "features.rate.reason_missing: it claims a direction ('high')"]),
        ([feature('sql: "rate", reason: "The rate", reason_missing: "There is no rate, or it is not known"')], ["features.amount_to_income.reason: it claims a direction"]),
        ([feature('sql: "rate", reason: "The rate", reason_missing: "The home"')], ["features.amount_to_income.reason: it claims a direction", "features.rate, features.home: they give one reason, 'The home'"]),
        ([feature('sql: "rate", reason: "The number of open accounts"')], ["features.amount_to_income.reason: it claims a direction"]),
        ([feature('sql: "income", expect: lowers_risk, reason: "The income is low"')], ["features.amount_to_income.reason: it claims a direction", "columns.income.outside: features.rate has expect"]),
        ([feature('sql: "rate", reason: "The home"'), ("segments:", 'decline_if: {dear: {sql: "rate > 0.5", reason: "The home"}}\nsegments:')], ["features.amount_to_income.reason: it claims a direction", "features.rate, features.home, decline_if.dear: they give one reason, 'The home', once a loan, costs added"]),
    ],
)  # fmt: skip
def test_what_may_mislead_is_remarked(sound, changes, said) -> None:
    found = [*guards.remarks(sound(*changes))]

    assert len(found) == len(said)
    assert all(each.startswith(words) for each, words in zip(found, said, strict=True))


def test_a_check_prints_what_may_mislead(capfd, tmp_path) -> None:
    path = tmp_path / "small_lender.yml"
    path.write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")

    told = run(capfd, "check", path)

    assert told.code == 0, told.err
    assert "look at features.rate.reason: it claims a direction ('high')" in told.out


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


def test_a_date_may_be_quoted(sound) -> None:
    contract = sound(("regularisation: 0.001", "out_of_time_from: '2011-01-31'"))

    assert contract.model.out_of_time_from == date(2011, 1, 31)


def test_a_day_that_there_is_not_is_told(tmp_path) -> None:
    path = tmp_path / "small_lender.yml"
    path.write_text("segments: 2011-02-30\n", encoding="utf-8")

    with pytest.raises(InputError, match="not readable YAML: day is out of range for month"):
        load_contract(path)
    with pytest.raises(InputError, match="CREDIT_SPARK__STORAGE__LOGS: its value is not readable"):
        list(from_environment({"CREDIT_SPARK__STORAGE__LOGS": "2011-02-30"}))


def test_a_column_may_be_called_as_a_key_word_of_sql_that_is_quoted(sound) -> None:
    column = ("columns:\n", "columns:\n  desc: {from: [x], kind: money, known: application}\n")
    contract = sound(column, ('sql: "rate"', 'sql: "coalesce(`desc`, rate)"'))

    assert contract.features["rate"].sql == "coalesce(`desc`, rate)"
    sound(column)
    with pytest.raises(InputError, match=r"columns\.desc: this is a key word"):
        sound(column, ('sql: "rate"', 'sql: "coalesce(desc, rate)"'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title: "\\ud800"', "not readable YAML: .*surrogates not allowed"),
        ("title: " + "[" * 3000, "nested too deeply"),
    ],
)
def test_text_that_could_not_be_written_or_read_is_told(tmp_path, text, said) -> None:
    path = tmp_path / "small_lender.yml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match=said):
        load_contract(path)


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


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("kind: number, known: application, range: [0, .inf]", "p0 is 0"),
        ("kind: number, known: application, range: [-.inf, 5]", "p0 is 0"),
        ("kind: count, known: application, range: [0, 5000000000]", "p0 is 0"),
        ("kind: count, known: application, range: [1, 5000000000]", None),
        ("kind: count, known: application, range: [3000000000, 5000000000]", None),
        ("kind: count, known: application, range: [-5000000000, -3000000000]", None),
    ],
)
def test_values_that_vanish_are_found_whatever_a_column_may_hold(sound, column, said) -> None:
    contract = sound(("columns:\n", f"columns:\n  p0: {{from: [p0], {column}}}\n"))

    assert undefined_at_edge(expression("1 / p0", contract.kinds), contract) == said


def test_a_text_among_the_values_of_a_number_is_a_fault_and_no_crash(faults) -> None:
    column = (
        "  p0: {from: [p0], kind: months, known: application, one_of: [36 months, 60 months]}\n"
    )
    told = faults(
        ("columns:\n", f"columns:\n{column}"),
        feature('sql: "p0", expect: lowers_risk, reason: "Short"'),
    )

    assert any(each.startswith("columns.p0.one_of: '36 months' is a text") for each in told)


def test_values_that_vanish_are_found_where_few_values_have_many_combinations(sound) -> None:
    """Three counts of 51 values each: only where all are zero has the ratio no value."""
    names = ("late_30", "late_60", "late_90")
    columns = "".join(
        f"  {name}: {{from: [{name}], kind: count, known: application, range: [0, 50]}}\n"
        for name in names
    )
    contract = sound(("columns:\n", f"columns:\n{columns}"))
    compiled = expression(f"late_90 / ({' + '.join(names)})", contract.kinds)

    assert undefined_at_edge(compiled, contract) == "late_30 is 0 and late_60 is 0 and late_90 is 0"


def test_values_that_vanish_are_found_among_two_years_of_payments(sound) -> None:
    names = [f"p{nth:02}" for nth in range(24)]
    columns = "".join(
        f"  {name}: {{from: [{name}], kind: money, known: application}}\n" for name in names
    )
    contract = sound(("columns:\n", f"columns:\n{columns}"))
    total = " + ".join(f"coalesce({name}, 0)" for name in names)

    def where(sql: str) -> str | None:
        return undefined_at_edge(expression(sql, contract.kinds), contract)

    assert where(total) is None
    assert where(f"{total} + 1 / (p03 * p17)") is not None
