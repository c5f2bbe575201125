"""The night as a user of DuckDB would write it: `duckdb_night.py LANDING MODEL AS_OF OUT`.

In come a folder of sample files, a model document as JSON and the night; out go the Delta tables
`loans`, `quarantine` and `scores`.
"""

import json
import sys
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import duckdb
from deltalake import write_deltalake

READINGS = r"""
create macro given(t) as case when trim(t) not in ('', 'NA', 'n/a') then trim(t) end;
create macro number(t) as try_cast(t as double);
create macro whole(t) as try_cast(try_cast(t as double) as int);
create macro months(t) as try_cast(replace(t, ' months', '') as int);
create macro years(t) as
    case when t = '< 1 year' then 0 else try_cast(regexp_extract(t, '^[0-9]+') as int) end;
create macro rate(t) as try_cast(rtrim(t, '%') as double) / 100;
create macro ratio(t) as nullif(try_cast(t as double), 999) / 100;
create macro share(t) as case when rate(t) > 10 then 10 else rate(t) end;
create macro day(t) as
    coalesce(try_strptime(t, '%b-%Y'), try_strptime(t, '%Y-%m-%d'))::date;
create macro money(t) as
    case when regexp_matches(trim(t, '()$ '), '^[+-]?(\d+(\.\d*)?|\d{1,3}(,\d{3})+(\.\d*)?)$')
    then try_cast(replace(trim(t, '()$ '), ',', '') as double)
         * case when starts_with(t, '(') then -1 else 1 end
    end;
create macro known(status) as case
    when status in ('Fully Paid', 'Does not meet the credit policy. Status:Fully Paid') then 'good'
    when status in ('Charged Off', 'Default',
                    'Does not meet the credit policy. Status:Charged Off') then 'bad'
    when status in ('Current', 'In Grace Period', 'Late (16-30 days)', 'Late (31-120 days)')
    then 'open' end;
"""
# A column of the loans: its header, and how its text is read; None: it is a text.
COLUMNS: dict[str, tuple[str, str | None]] = {
    "loan_number": ("id", None),
    "loan_amount": ("loan_amnt", "money"),
    "term_months": ("term", "months"),
    "interest_rate": ("int_rate", "rate"),
    "instalment": ("installment", "number"),
    "grade": ("grade", None),
    "employment_years": ("emp_length", "years"),
    "home_ownership": ("home_ownership", None),
    "annual_income": ("annual_inc", "number"),
    "verification": ("verification_status", None),
    "issued_on": ("issue_d", "day"),
    "purpose": ("purpose", None),
    "state": ("addr_state", None),
    "debt_to_income": ("dti", "ratio"),
    "delinquencies_2_years": ("delinq_2yrs", "whole"),
    "earliest_credit_on": ("earliest_cr_line", "day"),
    "fico": ("fico_range_low", "number"),
    "inquiries_6_months": ("inq_last_6mths", "whole"),
    "open_accounts": ("open_acc", "whole"),
    "public_records": ("pub_rec", "whole"),
    "revolving_balance": ("revol_bal", "number"),
    "revolving_utilisation": ("revol_util", "share"),
    "total_accounts": ("total_acc", "whole"),
    "last_payment_on": ("last_pymnt_d", "day"),
    "loan_status": ("loan_status", None),
}
REQUIRED = ("loan_amount", "term_months", "annual_income")
RANGES = {
    "loan_amount": (500, 100000), "interest_rate": (0, 0.5), "instalment": (1, 10000),
    "employment_years": (0, 10), "annual_income": (0, 100000000), "fico": (300, 850),
    "delinquencies_2_years": (0, 100), "inquiries_6_months": (0, 100), "open_accounts": (0, 200),
    "public_records": (0, 200), "revolving_balance": (0, 10000000), "total_accounts": (0, 500),
}  # fmt: skip
SETS = {
    "term_months": (36, 60),
    "grade": tuple("ABCDEFG"),
    "home_ownership": ("MORTGAGE", "RENT", "OWN", "ANY", "OTHER", "NONE"),
}
READABLE = "({name} is not null or text_{name} is null)"
WIDEST_LOG_ODDS = 25


def main(landing: str, model: str, as_of: str, out: str) -> None:
    """Read, clean, score and write one night."""
    document = json.loads(Path(model).read_text(encoding="utf-8"))
    with duckdb.connect() as database:
        database.execute(READINGS)
        read(database, sorted(Path(landing).glob("*.csv")))
        database.execute(judged(as_of))
        tables = {"loans": LOANS, "quarantine": QUARANTINE, "scores": scores(document)}
        for name, query in tables.items():
            write_deltalake(f"{out}/{name}", database.sql(query).to_arrow_reader(100_000))


def read(database: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    """All fields as texts in `lines`; what has not the header's fields goes into `cut`."""
    database.execute("create table cut (line text, source_file text)")
    for nth, file in enumerate(files):
        with file.open(encoding="utf-8") as text:
            above = 0 if text.readline().startswith('"id"') else 1
        fields = (
            f"select *, '{file.name}' as source_file from read_csv('{file}', all_varchar = true, "
            f"header = true, skip = {above}, quote = '\"', escape = '\"', delim = ',', "
            f"ignore_errors = true, store_rejects = true, rejects_table = 'faults_{nth}', "
            f"rejects_scan = 'scans_{nth}')"
        )
        database.execute(f"{'insert into lines' if nth else 'create table lines as'} {fields}")
        database.execute(
            f"insert into cut select distinct trim(csv_line, chr(10)) as whole, '{file.name}' "
            f"from faults_{nth} where whole <> '' and not starts_with(whole, 'Total amount')"
        )


def rules(as_of: str) -> Iterator[tuple[str, str, str]]:
    """Each rule: its name, what holds, and the text to blame."""
    yield "key_is_present", "text_loan_number is not null", "null"
    for name, (_, reading) in COLUMNS.items():
        if reading:
            replaced = "debt_to_income", "revolving_utilisation"
            is_read = READABLE.format(name=name)
            yield f"{name}_is_readable", is_read if name not in replaced else "true", f"text_{name}"
        if name in REQUIRED:
            yield f"{name}_is_present", f"text_{name} is not null", f"text_{name}"
        if name in RANGES:
            low, high = RANGES[name]
            within = f"({name} is null or {name} between {low} and {high})"
            yield f"{name}_is_within_range", within, f"text_{name}"
        if name in SETS:
            one_of = f"({name} is null or {name} in {SETS[name]})"
            yield f"{name}_is_one_of_its_set", one_of, f"text_{name}"
    yield "outcome_is_known", "(loan_status is null or outcome is not null)", "loan_status"
    issued = f"(issued_on is null or issued_on <= date '{as_of}')"
    yield "issued_by_the_night", issued, "null"
    began = "(earliest_credit_on is null or issued_on is null or earliest_credit_on <= issued_on)"
    yield "credit_began_before_the_loan", began, "null"


def judged(as_of: str) -> str:
    """Typed lines in `judged`: their reasons, and which is the newest of its key."""
    texts = ", ".join(f'given("{header}") as text_{name}' for name, (header, _) in COLUMNS.items())
    values = ", ".join(
        f"{reading}(text_{name}) as {name}" if reading else f"text_{name} as {name}"
        for name, (_, reading) in COLUMNS.items()
    )
    is_sound = " and ".join(f"coalesce({holds}, false)" for _, holds, _ in rules(as_of))
    broken = ", ".join(
        f"case when not coalesce({holds}, false) "
        f"then '{rule}' || coalesce(': ' || {text}[:80], '') end"
        for rule, holds, text in rules(as_of)
    )
    return f"""
        create table judged as
        with given as (select {texts}, source_file,
                              lines as raw from lines),
        typed as (select *, {values}, known(text_loan_status) as outcome from given),
        told as (select *, {is_sound} as is_sound from typed)
        select {", ".join(COLUMNS)}, outcome, source_file, is_sound,
            case when not is_sound
                then list_filter([{broken}], lambda each: each is not null) end as reasons,
            case when not is_sound then to_json(raw)::text end as raw,
            row_number() over (partition by loan_number, is_sound
                order by last_payment_on desc nulls last, source_file desc) as nth
        from told"""


LOANS = f"""
    select loan_number as loan_id, {", ".join(COLUMNS)}, outcome, source_file
    from judged where is_sound and nth = 1"""
QUARANTINE = """
    select loan_number as loan_id, reasons, raw, source_file from judged where not is_sound
    union all
    select null, ['line_has_the_fields_of_its_header'], line, source_file from cut"""


def scores(document: dict[str, Any]) -> str:
    """Scores of the accepted loans; the features' SQL is the document's own."""
    features = document["features"]
    values = ", ".join(f"{each['sql']} as value_{n}" for n, each in enumerate(features))
    terms = ", ".join(f"{term(n, each)} as term_{n}" for n, each in enumerate(features))
    constant = document["intercept"] - document["offset"]
    total = " + ".join([str(constant), *[f"term_{n}" for n in range(len(features))]])
    costs = ", ".join(
        f"{{'cost': term_{n}, 'place': {-n}, 'reason': '{each['reason'].replace(chr(39), chr(39) * 2)}'}}"
        for n, each in enumerate(features)
    )
    plan = document["score"]
    factor = plan["points_to_double_odds"] / log(2)
    bands = " ".join(f"when pd < {below} then '{name}'" for name, below in plan["bands"].items())
    last = list(plan["bands"])[-1]
    reasons = ", ".join(
        f"case when ranked[{n}].cost > 0 then ranked[{n}].reason end as reason_{n}"
        for n in range(1, 5)
    )
    return f"""
        with loans as ({LOANS}),
        featured as (select loan_id, {values} from loans),
        termed as (select loan_id, {terms} from featured),
        summed as (select loan_id, greatest(least({total}, {WIDEST_LOG_ODDS}),
                                            -{WIDEST_LOG_ODDS}) as log_odds,
                          list_sort([{costs}], 'DESC')[:4] as ranked from termed),
        rated as (select *, 1 / (1 + exp(-log_odds)) as pd from summed)
        select loan_id, pd,
            floor({plan["points_at"] - factor * log(plan["odds_at"])}
                  - {factor} * log_odds + 0.5)::int as points,
            case {bands} else '{last}' end as band,
            case when pd < {plan["decisions"]["approve_below"]} then 'approve'
                 when pd >= {plan["decisions"]["decline_from"]} then 'decline'
                 else 'review' end as decision,
            {reasons}
        from rated"""


def term(nth: int, feature: dict[str, Any]) -> str:
    """What a feature adds to the log-odds."""
    if feature["kind"] == "number":
        slope = feature["coefficient"] / feature["deviation"] if feature["deviation"] else 0.0
        known = f"if(isfinite(value_{nth}), value_{nth}, null)"
        return f"(coalesce({known}, {feature['imputed']}) - {feature['mean']}) * {slope}"
    slopes = {
        each["text"]: each["coefficient"] / each["deviation"] if each["deviation"] else 0.0
        for each in feature["levels"]
    }
    unseen = -sum(slopes[each["text"]] * each["mean"] for each in feature["levels"])
    cases = " ".join(f"when '{text}' then {unseen + slope}" for text, slope in slopes.items())
    return f"case coalesce(value_{nth}, '(missing)') {cases} else {unseen} end"


if __name__ == "__main__":
    main(*sys.argv[1:5])
