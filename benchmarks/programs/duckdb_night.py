"""The batch as a user of DuckDB would write it: `duckdb_night.py LANDING MODEL AS_OF OUT`.

In come a folder of sample files, a model document as JSON and the batch; out go the Delta tables
`loans`, `quarantine` and `scores`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import book
import duckdb
from deltalake import convert_to_deltalake

READINGS = rf"""
create macro text(t) as t;
create macro number(t) as try_cast(t as double);
create macro whole(t) as try_cast(try_cast(t as double) as int);
create macro months(t) as try_cast(replace(t, ' months', '') as int);
create macro years(t) as
    case when t = '< 1 year' then 0 else try_cast(regexp_extract(t, '^[0-9]+') as int) end;
create macro rate(t) as try_cast(rtrim(t, '%') as double) / 100;
create macro share(t) as
    case when rate(t) > {book.HIGHEST_SHARE} then {book.HIGHEST_SHARE} else rate(t) end;
create macro day(t) as
    coalesce(try_strptime(t, '%b-%Y'), try_strptime(t, '%Y-%m-%d'))::date;
create macro money(t) as
    case when regexp_matches(trim(t, '()$ '), '{book.PLAIN_MONEY}')
    then try_cast(replace(trim(t, '()$ '), ',', '') as double)
         * case when starts_with(t, '(') then -1 else 1 end
    end;
"""
PROMISES = {
    "is_readable": "{name} is not null or text_{name} is null",
    "is_present": "text_{name} is not null",
    "is_within_range": "{name} is null or {name} between {low} and {high}",
    "is_one_of_its_set": "{name} is null or {name} in {allowed}",
}


def main(landing: str, model: str, as_of: str, out: str) -> None:
    """Read, clean, score and write one batch."""
    with duckdb.connect() as database:
        # The tables have no order: keeping the lines' own would hold them all in memory.
        database.execute("set preserve_insertion_order = false")
        database.execute(READINGS)
        lines = " union all ".join(fields(*each) for each in enumerate(book.files(landing)))
        database.execute(validated(lines, as_of))
        database.execute(SUPERSEDED)
        cut = " union all ".join(cut_short(*each) for each in enumerate(book.files(landing)))
        tables = {
            "loans": LOANS,
            "quarantine": f"{QUARANTINE} union all {cut}",
            "scores": scores(book.read_model(model)),
        }
        for name, query in tables.items():
            write(database, query, Path(out) / name)


def write(database: duckdb.DuckDBPyConnection, query: str, table: Path) -> None:
    """Rows into a Delta table: DuckDB's own writer of Parquet uses every processor."""
    table.mkdir(parents=True)
    database.execute(f"copy ({query}) to '{table}/part-0.parquet' (format parquet)")
    convert_to_deltalake(str(table))


def fields(nth: int, file: Path) -> str:
    """A file's fields as texts; what has not the header's fields goes into `faults_N`."""
    return (
        f"select *, '{file.name}' as source_file from read_csv('{file}', all_varchar = true, "
        f"header = true, skip = {book.lines_above(file)}, quote = '\"', escape = '\"', "
        f"delim = ',', ignore_errors = true, store_rejects = true, "
        f"rejects_table = 'faults_{nth}', rejects_scan = 'scans_{nth}')"
    )


def cut_short(nth: int, file: Path) -> str:
    """A file's lines that have not the header's fields, as rows of the quarantine."""
    return (
        f"select distinct null, ['{book.CUT_SHORT}'], trim(csv_line, chr(10)) as whole, "
        f"'{file.name}' from faults_{nth} "
        f"where whole <> '' and not starts_with(whole, '{book.FOOTER}')"
    )


def rules(as_of: str) -> Iterator[tuple[str, str, str]]:
    """Each rule: its name, what holds, and the text to blame."""
    yield "key_is_present", "text_loan_number is not null", "null"
    for name, spec in book.promises():
        low, high = book.RANGES.get(name, (None, None))
        allowed = book.SETS.get(name)
        holds = PROMISES[spec].format(name=name, low=low, high=high, allowed=allowed)
        yield f"{name}_{spec}", f"({holds})", f"text_{name}"
    yield "outcome_is_known", "(loan_status is null or outcome is not null)", "loan_status"
    issued = f"(issued_on is null or issued_on <= date '{as_of}')"
    yield "issued_by_as_of", issued, "null"
    began = "(earliest_credit_on is null or issued_on is null or earliest_credit_on <= issued_on)"
    yield "credit_began_before_the_loan", began, "null"


def validated(lines: str, as_of: str) -> str:
    """Typed lines in the table `judged`, with the reasons and the fields of unsound ones."""
    texts = ", ".join(
        f"case when trim({header}) not in {book.missing(name)} then trim({header}) end "
        f"as text_{name}"
        for name, (header, _) in book.COLUMNS.items()
    )
    values = ", ".join(f"{kind}(text_{name}) as {name}" for name, (_, kind) in book.COLUMNS.items())
    outcomes = " ".join(
        f"when text_loan_status in {texts} then '{outcome}'"
        for outcome, texts in book.OUTCOMES.items()
    )
    is_sound = " and ".join(f"coalesce({holds}, false)" for _, holds, _ in rules(as_of))
    broken = ", ".join(
        f"case when not coalesce({holds}, false) "
        f"then '{rule}' || coalesce(': ' || {text}[:{book.BLAMED_LETTERS}], '') end"
        for rule, holds, text in rules(as_of)
    )
    return f"""
        create table judged as
        with lines as ({lines}),
        given as (select {texts}, source_file, lines as raw from lines),
        typed as (select *, {values}, case {outcomes} end as outcome from given),
        told as (select *, {is_sound} as is_sound from typed)
        select {", ".join(book.COLUMNS)}, outcome, source_file, is_sound,
            case when not is_sound
                then list_filter([{broken}], lambda each: each is not null) end as reasons,
            case when not is_sound then to_json(raw)::text end as raw
        from told"""


# Numbering only the lines whose key stands twice carries few rows through the window.
SUPERSEDED = """
    delete from judged where rowid in (
        select row from (
            select rowid as row, row_number() over (
                partition by loan_number order by last_payment_on desc nulls last, source_file desc
            ) as nth
            from judged where is_sound and loan_number in (
                select loan_number from judged where is_sound group by all having count(*) > 1))
        where nth > 1)"""
LOANS = f"""
    select loan_number as loan_id, {", ".join(book.COLUMNS)}, outcome, source_file
    from judged where is_sound"""
QUARANTINE = """
    select loan_number as loan_id, reasons, raw, source_file from judged where not is_sound"""


def scores(model: book.Model) -> str:
    """Scores of the accepted loans; the features' SQL is the document's own."""
    features = list(enumerate(model.features))
    values = ", ".join(f"{each['sql']} as value_{n}" for n, each in features)
    terms = ", ".join(f"{term(n, each)} as term_{n}" for n, each in features)
    total = " + ".join([str(model.constant), *[f"term_{n}" for n, _ in features]])
    costs = ", ".join(f"term_{n}" for n, _ in features)
    names = ", ".join(quoted(each["reason"]) for each in model.features)
    bands = " ".join(f"when pd < {below} then '{name}'" for name, below in model.bands.items())
    reasons = ", ".join(
        f"case when costs[places[{n}]] > 0 then ([{names}])[places[{n}]] end as reason_{n}"
        for n in range(1, book.REASONS + 1)
    )
    widest = book.WIDEST_LOG_ODDS
    return f"""
        with loans as ({LOANS}),
        featured as (select loan_id, {values} from loans),
        termed as (select loan_id, {terms} from featured),
        summed as (select loan_id, greatest(least({total}, {widest}), -{widest}) as log_odds,
                          [{costs}] as costs from termed),
        rated as (select *, 1 / (1 + exp(-log_odds)) as pd,
                         list_grade_up(costs, 'DESC')[:{book.REASONS}] as places from summed)
        select loan_id, pd,
            floor({model.points_at_even_odds} - {model.points_a_log_odds} * log_odds + 0.5)::int
                as points,
            case {bands} else '{list(model.bands)[-1]}' end as band,
            case when pd < {model.approve_below} then 'approve'
                 when pd >= {model.decline_from} then 'decline'
                 else 'review' end as decision,
            {reasons}
        from rated"""


def term(nth: int, feature: dict[str, Any]) -> str:
    """What a feature adds to the log-odds."""
    if feature["kind"] == "number":
        known = f"if(isfinite(value_{nth}), value_{nth}, null)"
        centred = f"coalesce({known}, {feature['imputed']}) - {feature['mean']}"
        return f"({centred}) * {book.slope(feature)}"
    terms, unseen = book.level_terms(feature)
    cases = " ".join(f"when {quoted(text)} then {each}" for text, each in terms.items())
    return f"case coalesce(value_{nth}, '(missing)') {cases} else {unseen} end"


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    main(*sys.argv[1:5])
