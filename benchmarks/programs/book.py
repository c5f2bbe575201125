"""What every program is told: the loans' columns, rules and outcomes, and a model's numbers.

All of it stands in conf/portfolios/lending_club.yml too; here is what the sample files have.
"""

import json
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A column of the loans: its header in the files, and the kind of value it holds."""

    header: str
    kind: str


COLUMNS = {
    "loan_number": Column("id", "text"),
    "loan_amount": Column("loan_amnt", "money"),
    "term_months": Column("term", "months"),
    "interest_rate": Column("int_rate", "rate"),
    "instalment": Column("installment", "number"),
    "grade": Column("grade", "text"),
    "employment_years": Column("emp_length", "years"),
    "home_ownership": Column("home_ownership", "text"),
    "annual_income": Column("annual_inc", "number"),
    "verification": Column("verification_status", "text"),
    "issued_on": Column("issue_d", "day"),
    "purpose": Column("purpose", "text"),
    "state": Column("addr_state", "text"),
    "debt_to_income": Column("dti", "rate"),
    "delinquencies_2_years": Column("delinq_2yrs", "whole"),
    "earliest_credit_on": Column("earliest_cr_line", "day"),
    "fico": Column("fico_range_low", "number"),
    "inquiries_6_months": Column("inq_last_6mths", "whole"),
    "open_accounts": Column("open_acc", "whole"),
    "public_records": Column("pub_rec", "whole"),
    "revolving_balance": Column("revol_bal", "number"),
    "revolving_utilisation": Column("revol_util", "share"),
    "total_accounts": Column("total_acc", "whole"),
    "last_payment_on": Column("last_pymnt_d", "day"),
    "loan_status": Column("loan_status", "text"),
}
# As they stand in the files.
HEADERS = (
    "id", "loan_amnt", "term", "int_rate", "installment", "grade", "emp_length", "home_ownership",
    "annual_inc", "verification_status", "issue_d", "loan_status", "purpose", "desc", "addr_state",
    "dti", "delinq_2yrs", "earliest_cr_line", "fico_range_low", "inq_last_6mths", "open_acc",
    "pub_rec", "revol_bal", "revol_util", "total_acc", "last_pymnt_d",
)  # fmt: skip
MISSING = ("", "NA", "n/a")
# Stands for a ratio that could not be computed.
ALSO_MISSING = {"debt_to_income": ("999", "999.0")}
REQUIRED = ("loan_amount", "term_months", "annual_income")
RANGES = {
    "loan_amount": (500, 100000), "interest_rate": (0, 0.5), "instalment": (1, 10000),
    "employment_years": (0, 10), "annual_income": (0, 100000000), "fico": (300, 850),
    "delinquencies_2_years": (0, 100), "inquiries_6_months": (0, 100), "open_accounts": (0, 200),
    "public_records": (0, 200), "revolving_balance": (0, 10000000), "total_accounts": (0, 500),
}  # fmt: skip
SETS: dict[str, tuple[Any, ...]] = {
    "term_months": (36, 60),
    "grade": tuple("ABCDEFG"),
    "home_ownership": ("MORTGAGE", "RENT", "OWN", "ANY", "OTHER", "NONE"),
}
OUTCOMES = {
    "good": ("Fully Paid", "Does not meet the credit policy. Status:Fully Paid"),
    "bad": ("Charged Off", "Default", "Does not meet the credit policy. Status:Charged Off"),
    "open": ("Current", "In Grace Period", "Late (16-30 days)", "Late (31-120 days)"),
}
HIGHEST_SHARE = 10
CUT_SHORT = "line_has_the_fields_of_its_header"
PREAMBLE, FOOTER = "Notes offered", "Total amount"
PLAIN_MONEY = r"^[+-]?(\d+(\.\d*)?|\d{1,3}(,\d{3})+(\.\d*)?)$"
BLAMED_LETTERS = 80
WIDEST_LOG_ODDS = 25
REASONS = 4


def missing(name: str) -> tuple[str, ...]:
    """The texts that stand for nothing in a column."""
    return (*MISSING, *ALSO_MISSING.get(name, ()))


def promises() -> Iterator[tuple[str, str]]:
    """The columns' rules, in the order of their reasons: a column, and what is promised of it."""
    for name, (_, kind) in COLUMNS.items():
        kept = {
            "is_readable": kind != "text",
            "is_present": name in REQUIRED,
            "is_within_range": name in RANGES,
            "is_one_of_its_set": name in SETS,
        }
        yield from ((name, spec) for spec, applies in kept.items() if applies)


def files(landing: str) -> list[Path]:
    """A batch's files, by name."""
    return sorted(Path(landing).glob("*.csv"))


def lines_above(file: Path) -> int:
    """How many lines stand above a file's header."""
    with file.open(encoding="utf-8") as text:
        return int(text.readline().startswith(PREAMBLE))


class Model(NamedTuple):
    """A model document as plain numbers."""

    features: list[dict[str, Any]]
    constant: float
    bands: dict[str, float]
    approve_below: float
    decline_from: float
    points_at_even_odds: float
    points_a_log_odds: float


def read_model(path: str) -> Model:
    """The model of a document's file."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    plan = document["score"]
    factor = plan["points_to_double_odds"] / log(2)
    return Model(
        features=document["features"],
        constant=document["intercept"] - document["offset"],
        bands=plan["bands"],
        **plan["decisions"],
        points_at_even_odds=plan["points_at"] - factor * log(plan["odds_at"]),
        points_a_log_odds=factor,
    )


def slope(piece: dict[str, Any]) -> float:
    """What one unit of a number, or a level's being there, adds to the log-odds."""
    return float(piece["coefficient"] / piece["deviation"]) if piece["deviation"] else 0.0


def level_terms(feature: dict[str, Any]) -> tuple[dict[str, float], float]:
    """What each of a category's texts adds to the log-odds, and what any other text does."""
    unseen = -sum(slope(level) * level["mean"] for level in feature["levels"])
    return {level["text"]: unseen + slope(level) for level in feature["levels"]}, unseen
