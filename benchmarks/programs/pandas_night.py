"""The batch as a user of pandas and NumPy would write it: `pandas_night.py LANDING MODEL AS_OF OUT`.

In come a folder of sample files, a model document as JSON and the batch; out go the Delta tables
`loans`, `quarantine` and `scores`. Files are cleaned one at a time, so that only typed values of
the whole book are held. pandas does not tell which lines are shorter than their header, so the
test is that the last column, which every whole line fills, is empty.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import book
import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import write_deltalake

SCORED_AT_ONCE = 250_000
DECISIONS = ["approve", "review", "decline"]
KINDS = {"whole": pa.int32(), "months": pa.int32(), "years": pa.int32(), "day": pa.date32(),
         "text": pa.string()}  # fmt: skip


class Rule(NamedTuple):
    """A rule's name, whether it holds in each line, and the texts to blame."""

    name: str
    holds: pd.Series
    texts: pd.Series | None = None


def number(text: pd.Series) -> pd.Series:
    return pd.to_numeric(text, errors="coerce")


def whole(text: pd.Series) -> pd.Series:
    """Floats, as usual where values are missing; the table's column is of whole numbers."""
    return number(text)


def money(text: pd.Series) -> pd.Series:
    """Most amounts are plain numbers; only what is not one is looked at twice."""
    amount = number(text)
    odd = text[amount.isna() & text.notna()]
    bare = odd.str.strip("()$ ")
    plain = bare.where(bare.str.fullmatch(book.PLAIN_MONEY).fillna(False)).str.replace(",", "")
    sign = np.where(odd.str.startswith("("), -1.0, 1.0)
    amount.loc[odd.index] = number(plain) * sign
    return amount


def months(text: pd.Series) -> pd.Series:
    return whole(text.str.removesuffix(" months"))


def years(text: pd.Series) -> pd.Series:
    return whole(text.str.extract(r"^([0-9]+)", expand=False).mask(text == "< 1 year", "0"))


def rate(text: pd.Series) -> pd.Series:
    return number(text.str.rstrip("%")) / 100


def share(text: pd.Series) -> pd.Series:
    return rate(text).clip(upper=book.HIGHEST_SHARE)


def day(text: pd.Series) -> pd.Series:
    by_month = pd.to_datetime(text, format="%b-%Y", errors="coerce")
    return by_month.fillna(pd.to_datetime(text, format="%Y-%m-%d", errors="coerce"))


READINGS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "text": lambda text: text, "number": number, "whole": whole, "money": money, "months": months,
    "years": years, "rate": rate, "share": share, "day": day,
}  # fmt: skip
PROMISES: dict[str, Callable[[str, pd.Series, pd.Series], pd.Series]] = {
    "is_readable": lambda _, value, text: value.notna() | text.isna(),
    "is_present": lambda _, __, text: text.notna(),
    "is_within_range": lambda name, value, _: value.isna() | value.between(*book.RANGES[name]),
    "is_one_of_its_set": lambda name, value, _: value.isna() | value.isin(book.SETS[name]),
}
FEATURES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "loan_to_income": lambda of: of.loan_amount / earned(of),
    "income": lambda of: np.log(earned(of)),
    "interest_rate": lambda of: of.interest_rate,
    "term": lambda of: np.where(of.term_months == 60, "60 months", "36 months"),
    "owed_income_share": lambda of: of.debt_to_income + 12 * of.instalment / earned(of),
    "utilisation": lambda of: of.revolving_utilisation.clip(upper=1.2),
    "revolving_to_income": lambda of: (of.revolving_balance / earned(of)).clip(upper=5),
    "credit_age_months": lambda of: month(of.issued_on) - month(of.earliest_credit_on),
    "inquiries": lambda of: of.inquiries_6_months.clip(upper=8),
    "delinquencies": lambda of: of.delinquencies_2_years.clip(upper=5),
    "public_records": lambda of: of.public_records.clip(upper=3),
    "open_accounts": lambda of: of.open_accounts,
    "total_accounts": lambda of: of.total_accounts,
    "fico": lambda of: of.fico,
    "employment": lambda of: np.select(
        [of.employment_years.isna(), of.employment_years >= 10, of.employment_years < 2],
        ["not stated", "10 years or more", "under 2 years"],
        "2 to 9 years",
    ),
    "home_ownership": lambda of: of.home_ownership,
    "purpose": lambda of: of.purpose,
}


def earned(loans: pd.DataFrame) -> pd.Series:
    return loans.annual_income.where(loans.annual_income > 0)


def month(days: pd.Series) -> pd.Series:
    return days.dt.year * 12 + days.dt.month


def main(landing: str, model: str, as_of: str, out: str) -> None:
    """Read, clean, score and write one batch."""
    cleaned = [cleaned_file(file, pd.Timestamp(as_of)) for file in book.files(landing)]
    sound, unsound = (pd.concat(parts, ignore_index=True) for parts in zip(*cleaned, strict=True))
    del cleaned
    loans = newest(sound)
    del sound
    write_deltalake(f"{out}/loans", pa.Table.from_pandas(loans, LOANS, preserve_index=False))
    write_deltalake(f"{out}/quarantine", unsound)
    write_deltalake(f"{out}/scores", scores(loans, book.read_model(model)))


def cleaned_file(file: Path, as_of: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A file's sound lines, typed, and its unsound ones with their reasons and fields."""
    lines = read(file)
    texts = pd.DataFrame({name: given(lines, name) for name in book.COLUMNS})
    values = {name: READINGS[kind](texts[name]) for name, (_, kind) in book.COLUMNS.items()}
    typed = pd.DataFrame(values)
    outcomes = {text: outcome for outcome, texts in book.OUTCOMES.items() for text in texts}
    typed["outcome"] = typed.loan_status.map(outcomes)
    typed["source_file"] = file.name
    typed.insert(0, "loan_id", typed.loan_number)
    rules = list(rules_of(lines, typed, texts, as_of))
    is_sound = np.logical_and.reduce([rule.holds.fillna(False).to_numpy(bool) for rule in rules])
    return typed[is_sound], set_aside(lines[~is_sound], typed[~is_sound], rules)


def read(file: Path) -> pd.DataFrame:
    """A file's fields as texts, without what stands above and below its loans."""
    above = book.lines_above(file)
    lines = pd.read_csv(file, skiprows=above, dtype=str, keep_default_na=False)
    return lines[~lines.id.str.startswith(book.FOOTER)]


def given(lines: pd.DataFrame, name: str) -> pd.Series:
    """A column's text without the spaces around it; null where it stands for nothing."""
    bare = lines[book.COLUMNS[name].header].str.strip()
    return bare.mask(bare.isin(book.missing(name)))


def rules_of(
    lines: pd.DataFrame, typed: pd.DataFrame, texts: pd.DataFrame, as_of: pd.Timestamp
) -> Iterator[Rule]:
    """Each rule on the lines of a file."""
    status, issued_on, began_on = typed.loan_status, typed.issued_on, typed.earliest_credit_on
    yield Rule(book.CUT_SHORT, lines.last_pymnt_d != "")
    yield Rule("key_is_present", typed.loan_number.notna())
    for name, spec in book.promises():
        holds = PROMISES[spec](name, typed[name], texts[name])
        yield Rule(f"{name}_{spec}", holds, texts[name])
    yield Rule("outcome_is_known", status.isna() | typed.outcome.notna(), status)
    yield Rule("issued_by_as_of", issued_on.isna() | (issued_on <= as_of))
    is_unknown = began_on.isna() | issued_on.isna()
    yield Rule("credit_began_before_the_loan", is_unknown | (began_on <= issued_on))


def set_aside(lines: pd.DataFrame, typed: pd.DataFrame, rules: list[Rule]) -> pd.DataFrame:
    """The unsound lines: their reasons and their fields."""
    told = [reasons_of(rule, lines.index) for rule in rules]
    listed = pd.concat(told).groupby(level=0).agg(list)
    raw = [json.dumps(line) for line in lines.to_dict("records")]
    return pd.DataFrame({
        "loan_id": typed.loan_id,
        "reasons": listed.reindex(lines.index),
        "raw": pd.Series(raw, lines.index, dtype=str),
        "source_file": typed.source_file,
    })  # fmt: skip


def reasons_of(rule: Rule, unsound: pd.Index) -> pd.Series:
    """The rule and the text to blame, of the lines where it does not hold."""
    broken = ~rule.holds.loc[unsound].fillna(False).astype(bool)
    blamed = broken.index[broken]
    reason = pd.Series(rule.name, blamed, dtype=str)
    if rule.texts is None:
        return reason
    return reason + (": " + rule.texts.loc[blamed].str[: book.BLAMED_LETTERS]).fillna("")


def newest(sound: pd.DataFrame) -> pd.DataFrame:
    """The newest line of each key; few keys stand twice, and only their lines are sorted."""
    is_twice = sound.loan_number.duplicated(keep=False)
    twice = sound[is_twice].sort_values(["last_payment_on", "source_file"], na_position="first")
    older = twice.index[twice.loan_number.duplicated(keep="last")]
    return sound.drop(index=older)


LOANS = pa.schema([
    pa.field("loan_id", pa.string()),
    *[pa.field(name, KINDS.get(kind, pa.float64())) for name, (_, kind) in book.COLUMNS.items()],
    pa.field("outcome", pa.string()),
    pa.field("source_file", pa.string()),
])  # fmt: skip


def scores(loans: pd.DataFrame, model: book.Model) -> pd.DataFrame:
    """Scores of the accepted loans; so many at once that their terms stay small."""
    parts = range(0, len(loans), SCORED_AT_ONCE)
    scored = [scored_part(loans.iloc[at : at + SCORED_AT_ONCE], model) for at in parts]
    return pd.concat(scored, ignore_index=True)


def scored_part(loans: pd.DataFrame, model: book.Model) -> pd.DataFrame:
    """Scores of some loans."""
    terms = np.column_stack([term(FEATURES[each["name"]](loans), each) for each in model.features])
    widest = book.WIDEST_LOG_ODDS
    log_odds = np.clip(model.constant + terms.sum(axis=1), -widest, widest)
    likelihood = 1 / (1 + np.exp(-log_odds))
    points = np.floor(model.points_at_even_odds - model.points_a_log_odds * log_odds + 0.5)
    return pd.DataFrame({
        "loan_id": loans.loan_id.array,
        "pd": likelihood,
        "points": points.astype(np.int32),
        "band": chosen(list(model.bands), list(model.bands.values())[:-1], likelihood),
        "decision": chosen(DECISIONS, [model.approve_below, model.decline_from], likelihood),
        **reasons(terms, model),
    })  # fmt: skip


def term(value: Any, feature: dict[str, Any]) -> np.ndarray:
    """What a feature adds to the log-odds."""
    values = pd.Series(value)
    if feature["kind"] == "number":
        known = values.to_numpy(float, na_value=np.nan)
        imputed = np.where(np.isfinite(known), known, feature["imputed"])
        return (imputed - feature["mean"]) * book.slope(feature)
    terms, unseen = book.level_terms(feature)
    return values.fillna("(missing)").map(terms).fillna(unseen).to_numpy(float)


def chosen(names: list[str], bounds: list[float], likelihood: np.ndarray) -> Any:
    """The name of the part that a probability lies in; a bound begins the next part."""
    return words(names).take(np.searchsorted(bounds, likelihood, side="right"))


def reasons(terms: np.ndarray, model: book.Model) -> dict[str, Any]:
    """The dearest terms' reasons, null for those that cost nothing."""
    told = words([each["reason"] for each in model.features])
    places = np.argsort(-terms, axis=1, kind="stable")[:, : book.REASONS]
    places[np.take_along_axis(terms, places, axis=1) <= 0] = -1
    return {
        f"reason_{nth + 1}": told.take(places[:, nth], allow_fill=True)
        for nth in range(book.REASONS)
    }


def words(texts: list[str]) -> Any:
    """Texts as pandas holds them."""
    return pd.array(texts, dtype="str")


if __name__ == "__main__":
    main(*sys.argv[1:5])
