"""The batch as a user of Polars would write it: `polars_night.py LANDING MODEL AS_OF OUT`.

In come a folder of sample files, a model document as JSON and the batch; out go the Delta tables
`loans`, `quarantine` and `scores`. Polars does not tell which lines are shorter than their header,
so the test is that the last column, which every whole line fills, is empty.
"""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import book
import polars as pl

TEXTS = {name: pl.col(f"text_{name}") for name in book.COLUMNS}


def number(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Float64, strict=False)


def whole(text: pl.Expr) -> pl.Expr:
    return number(text).cast(pl.Int32, strict=False)


def money(text: pl.Expr) -> pl.Expr:
    bare = text.str.strip_chars("()$ ")
    amount = number(bare.str.replace_all(",", "", literal=True))
    sign = pl.when(text.str.starts_with("(")).then(-1.0).otherwise(1.0)
    return pl.when(bare.str.contains(book.PLAIN_MONEY)).then(amount * sign)


def months(text: pl.Expr) -> pl.Expr:
    return text.str.strip_suffix(" months").cast(pl.Int32, strict=False)


def years(text: pl.Expr) -> pl.Expr:
    full = text.str.extract(r"^([0-9]+)").cast(pl.Int32, strict=False)
    return pl.when(text == "< 1 year").then(pl.lit(0, pl.Int32)).otherwise(full)


def rate(text: pl.Expr) -> pl.Expr:
    return number(text.str.strip_suffix("%")) / 100


def share(text: pl.Expr) -> pl.Expr:
    return rate(text).clip(upper_bound=book.HIGHEST_SHARE)


def day(text: pl.Expr) -> pl.Expr:
    return pl.coalesce(
        ("01-" + text).str.to_date("%d-%b-%Y", strict=False),
        text.str.to_date("%Y-%m-%d", strict=False),
    )


READINGS = {
    "text": lambda text: text, "number": number, "whole": whole, "money": money, "months": months,
    "years": years, "rate": rate, "share": share, "day": day,
}  # fmt: skip
PROMISES = {
    "is_readable": lambda name: pl.col(name).is_not_null() | TEXTS[name].is_null(),
    "is_present": lambda name: TEXTS[name].is_not_null(),
    "is_within_range": lambda name: pl.col(name).is_between(*book.RANGES[name]).fill_null(True),
    "is_one_of_its_set": lambda name: pl.col(name).is_in(book.SETS[name]).fill_null(True),
}


def main(landing: str, model: str, as_of: str, out: str) -> None:
    """Read, clean, score and write one batch."""
    rules = list(rules_of(date.fromisoformat(as_of)))
    validated = pl.concat([typed(lines(file)) for file in book.files(landing)]).with_columns(
        is_sound=pl.all_horizontal(holds.fill_null(False) for _, holds, _ in rules)
    )
    sound, unsound = pl.collect_all(
        [accepted(validated), set_aside(validated, rules)], engine="streaming"
    )
    loans = newest(sound)
    loans.write_delta(f"{out}/loans")
    unsound.write_delta(f"{out}/quarantine")
    scores(loans.lazy(), book.read_model(model)).sink_delta(f"{out}/scores")


def lines(file: Path) -> pl.LazyFrame:
    """A file's fields as texts, without what stands above and below its loans."""
    fields = pl.scan_csv(
        file,
        skip_lines=book.lines_above(file),
        infer_schema=False,
        empty_string_is_null=False,
        missing_columns="insert",
    )
    first, is_whole = pl.col("id"), pl.col("last_pymnt_d") != ""
    is_cut_short = (first != "") & ~first.str.starts_with(book.FOOTER)
    return fields.filter(is_whole | is_cut_short).with_columns(source_file=pl.lit(file.name))


def typed(fields: pl.LazyFrame) -> pl.LazyFrame:
    """The loans' columns beside the texts that they were read from."""
    texts = {f"text_{name}": given(name) for name in book.COLUMNS}
    values = {name: READINGS[kind](TEXTS[name]) for name, (_, kind) in book.COLUMNS.items()}
    outcomes = {text: outcome for outcome, texts in book.OUTCOMES.items() for text in texts}
    status = pl.col("loan_status")
    return (
        fields.with_columns(**texts)
        .with_columns(**values)
        .with_columns(outcome=status.replace_strict(outcomes, default=None))
    )


def given(name: str) -> pl.Expr:
    """A column's text without the spaces around it; null where it stands for nothing."""
    bare = pl.col(book.COLUMNS[name].header).str.strip_chars()
    return pl.when(~bare.is_in(book.missing(name))).then(bare)


def rules_of(as_of: date) -> Iterator[tuple[str, pl.Expr, pl.Expr]]:
    """Each rule: its name, what holds, and the text to blame."""
    nothing = pl.lit(None, pl.String)
    status, issued_on = pl.col("loan_status"), pl.col("issued_on")
    yield book.CUT_SHORT, pl.col("last_pymnt_d") != "", nothing
    yield "key_is_present", pl.col("loan_number").is_not_null(), nothing
    for name, spec in book.promises():
        yield f"{name}_{spec}", PROMISES[spec](name), TEXTS[name]
    yield "outcome_is_known", status.is_null() | pl.col("outcome").is_not_null(), status
    yield "issued_by_as_of", (issued_on <= as_of).fill_null(True), nothing
    began = (pl.col("earliest_credit_on") <= issued_on).fill_null(True)
    yield "credit_began_before_the_loan", began, nothing


def accepted(validated: pl.LazyFrame) -> pl.LazyFrame:
    """The sound lines, typed."""
    key = pl.col("loan_number").alias("loan_id")
    return validated.filter("is_sound").select(key, *book.COLUMNS, "outcome", "source_file")


def set_aside(validated: pl.LazyFrame, rules: list[tuple[str, pl.Expr, pl.Expr]]) -> pl.LazyFrame:
    """The unsound lines: their reasons and their fields."""
    return validated.filter(~pl.col("is_sound")).select(
        pl.col("loan_number").alias("loan_id"),
        pl.concat_list([reason(*rule) for rule in rules]).list.drop_nulls().alias("reasons"),
        pl.struct(book.HEADERS).struct.json_encode().alias("raw"),
        "source_file",
    )


def reason(rule: str, holds: pl.Expr, text: pl.Expr) -> pl.Expr:
    """The rule and the text to blame, where the rule does not hold."""
    blamed = pl.concat_str(
        pl.lit(rule), ": " + text.str.head(book.BLAMED_LETTERS), ignore_nulls=True
    )
    return pl.when(~holds.fill_null(False)).then(blamed)


def newest(sound: pl.DataFrame) -> pl.DataFrame:
    """The newest line of each key; few keys stand twice, and only their lines are sorted."""
    is_single = sound["loan_number"].is_unique()
    order = ["last_payment_on", "source_file"]
    kept = (
        sound.filter(~is_single)
        .sort(order, descending=True, nulls_last=True)
        .unique("loan_number", keep="first", maintain_order=True)
    )
    return pl.concat([sound.filter(is_single), kept])


def scores(loans: pl.LazyFrame, model: book.Model) -> pl.LazyFrame:
    """Scores of the accepted loans; the features' SQL is the document's own."""
    values = [pl.sql_expr(each["sql"]).alias(each["name"]) for each in model.features]
    terms = [term(each).alias(each["name"]) for each in model.features]
    names = [each["name"] for each in model.features]
    pd, log_odds = pl.col("pd"), pl.col("log_odds")
    points = model.points_at_even_odds - model.points_a_log_odds * log_odds + 0.5
    summed = (
        loans.select("loan_id", *values)
        .select("loan_id", *terms)
        .with_columns(log_odds=log_odds_of(names, model))
    )
    return (
        with_reasons(summed, model)
        .with_columns(pd=1 / (1 + (-log_odds).exp()))
        .select(
            "loan_id",
            "pd",
            points.floor().cast(pl.Int32).alias("points"),
            band(pd, model.bands).alias("band"),
            decision(pd, model).alias("decision"),
            *[f"reason_{nth}" for nth in range(1, book.REASONS + 1)],
        )
    )


def log_odds_of(names: list[str], model: book.Model) -> pl.Expr:
    """The sum of the terms, within bounds."""
    total = model.constant + pl.sum_horizontal(names)
    return total.clip(-book.WIDEST_LOG_ODDS, book.WIDEST_LOG_ODDS)


def term(feature: dict[str, Any]) -> pl.Expr:
    """What a feature adds to the log-odds."""
    value = pl.col(feature["name"])
    if feature["kind"] == "number":
        known = pl.when(value.cast(pl.Float64).is_finite()).then(value.cast(pl.Float64))
        return (known.fill_null(feature["imputed"]) - feature["mean"]) * book.slope(feature)
    terms, unseen = book.level_terms(feature)
    return value.fill_null("(missing)").replace_strict(
        terms, default=unseen, return_dtype=pl.Float64
    )


def with_reasons(terms: pl.LazyFrame, model: book.Model) -> pl.LazyFrame:
    """The dearest terms' reasons, one after the other: each round takes the largest away.

    Whole columns are compared, which is many times faster than sorting a list in each row.
    """
    reasons = {each["name"]: each["reason"] for each in model.features}
    costs = {name: pl.col(name) for name in reasons}
    left = terms.with_columns(pl.when(cost > 0).then(cost) for cost in costs.values())
    for nth in range(1, book.REASONS + 1):
        dearest = f"reason_{nth}"
        is_largest = {name: cost == pl.max_horizontal(*costs) for name, cost in costs.items()}
        first = [pl.when(holds).then(pl.lit(name)) for name, holds in is_largest.items()]
        left = left.with_columns(pl.coalesce(first).alias(dearest)).with_columns(
            pl.when(pl.col(dearest) != name).then(cost) for name, cost in costs.items()
        )
    told = [
        pl.col(f"reason_{nth}").replace_strict(reasons, default=None)
        for nth in range(1, book.REASONS + 1)
    ]
    return left.with_columns(told)


def band(pd: pl.Expr, bands: dict[str, float]) -> pl.Expr:
    """The first band that the probability lies below; the last for all others."""
    chosen = pl.lit(list(bands)[-1])
    for name, below in reversed(bands.items()):
        chosen = pl.when(pd < below).then(pl.lit(name)).otherwise(chosen)
    return chosen


def decision(pd: pl.Expr, model: book.Model) -> pl.Expr:
    declined = pl.when(pd >= model.decline_from).then(pl.lit("decline"))
    return (
        pl.when(pd < model.approve_below)
        .then(pl.lit("approve"))
        .otherwise(declined.otherwise(pl.lit("review")))
    )


if __name__ == "__main__":
    main(*sys.argv[1:5])
