"""A batch of made-up loans in the LendingClub layout: known true PDs, and every kind of dirt.

Loans are drawn in blocks, each from its own seed, so any number of rows takes little memory. What
the real files have wrong with them, these have too; see `_dirtied` and `_write_file`.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv
from rich.progress import track

from credit_spark.config.errors import InputError
from credit_spark.storage.paths import writable

LANDING = Path("landing/lending_club")
ROWS_A_FILE = 500_000
# Of more, a file's number would have more than three digits.
MAX_SAMPLE = 1000 * ROWS_A_FILE
PREAMBLE = b"Notes offered by Prospectus (https://www.lendingclub.com/info/prospectus.action)\n"
# A line that is cut short, and totals.
FOOTER = (
    b"999999999,5000, 36 months,10.65\n\n"
    b"Total amount funded in policy code 1: 460296150\nTotal amount funded in policy code 2: 0\n"
)
GRADES = np.array(list("ABCDEFG"))
OWNERSHIP = np.array(["MORTGAGE", "RENT", "OWN", "OTHER", "NONE"])
PURPOSES = np.array([
    "debt_consolidation", "credit_card", "other", "home_improvement", "major_purchase",
    "small_business", "car", "wedding", "medical", "moving", "house", "vacation",
])  # fmt: skip
STATES = np.array(["CA", "NY", "FL", "TX", "NJ", "IL", "PA", "GA", "VA", "MA", "OH", "MD"])
EMPLOYMENT = np.array([
    "< 1 year", "1 year", *(f"{n} years" for n in range(2, 10)), "10+ years", "n/a",
])  # fmt: skip
DESCRIPTIONS = np.array([
    None,
    "Loan to consolidate debt",
    'I call it my "fresh start" loan, and I mean it.',
    "  Borrower added on 12/22/11 > I need to upgrade my business technologies.<br>",
    "I have two cards,\none at 21%, one at 27%.\n\nI want to pay both off.",
    "We\u00e2\u20ac\u2122re moving, and the landlord wants the rent of 2 months.",
])  # fmt: skip
BROKEN_AMOUNTS = np.array(["lots", "(1,200)", "12..5", "10,50", "5"])
BAD, GOOD, OPEN = "Charged Off", "Fully Paid", "Current"
NOT_THE_POLICY = "Does not meet the credit policy. Status:"
DATES = ("issue_d", "earliest_cr_line", "last_pymnt_d")
Values = npt.NDArray[Any]


class Sample(NamedTuple):
    """What was written: the batch's folder, the lines in it, and the file of the truth."""

    folder: Path
    lines: int
    truth: Path


def write_sample(landing: Path, as_of: date, rows: int, seed: int) -> Sample:
    """Write a batch's files and, apart from them, each loan's true PD (Parquet: id, true_pd).

    Raises:
        InputError: the folder cannot be written, or holds files that are no sample's.
    """
    folder, truth = landing / str(as_of), landing / "_truth" / f"{as_of}.parquet"
    for place in (folder, truth.parent):
        writable(str(place), "--out")
    _clear(folder, is_ours=truth.is_file())
    # Two files at least, so that both ways of writing are there.
    count = max(2, -(-rows // ROWS_A_FILE))
    sizes = [rows * (nth + 1) // count - rows * nth // count for nth in range(count)]
    blocks = [(nth, size) for nth, size in enumerate(sizes) if size]
    schema = pa.schema({"id": pa.string(), "true_pd": pa.float64()})
    lines = 0
    with pq.ParquetWriter(truth, schema) as writer:
        for nth, size in track(blocks, description="sample", transient=True):
            loans, true_pd = _loans(np.random.default_rng([seed, nth]), nth, size, as_of)
            writer.write_table(pa.table({"id": loans["id"], "true_pd": true_pd}, schema))
            dirty = _dirtied(loans, np.random.default_rng([seed, nth, 1]), is_iso=nth % 2 == 1)
            lines += _write_file(folder / f"loans-{nth:03}.csv", dirty, is_download=nth % 2 == 0)
    return Sample(folder, lines, truth)


def _clear(folder: Path, *, is_ours: bool) -> None:
    """Take an earlier sample away; what a lender has delivered is not ours to take."""
    found = sorted(folder.iterdir())
    if found and not is_ours:
        raise InputError(
            f"{folder} holds {found[0].name}, which no sample has made; name another --out or day"
        )
    for old in folder.glob("loans-[0-9][0-9][0-9].csv"):
        old.unlink()


class Borrowers(NamedTuple):
    """What is known of borrowers when they apply, and the log-odds of bad that follow from it."""

    fico: Values
    income: Values
    utilisation: Values
    inquiries: Values
    dti: Values
    is_long: Values
    purpose: Values
    log_odds: Values


def _borrowers(draw: np.random.Generator, size: int) -> Borrowers:
    fico = np.clip(660 + draw.gamma(1.6, 28, size), 660, 845) // 5 * 5
    income = np.round(np.exp(draw.normal(np.log(60_000), 0.5, size)), -2).clip(6000, 900_000)
    utilisation = draw.beta(1.3, 1.3, size)
    inquiries = draw.poisson(0.9, size)
    dti = draw.beta(2.2, 12, size)
    is_long = draw.random(size) < 0.26
    falling = 1 / np.arange(1, len(PURPOSES) + 1)
    purpose = draw.choice(PURPOSES, size, p=falling / falling.sum())
    # Intercept and coefficients of the truth, on standardised values.
    log_odds = (
        -2.05
        - 0.42 * (fico - 705) / 35
        - 0.22 * (np.log(income) - np.log(60_000)) / 0.5
        + 0.20 * (utilisation - 0.5) / 0.26
        + 0.20 * (inquiries - 0.9) / 0.95
        + 0.18 * (dti - 0.155) / 0.09
        + 0.55 * is_long
        + 0.60 * (purpose == "small_business")
        + draw.normal(0, 0.35, size)
    )
    return Borrowers(fico, income, utilisation, inquiries, dti, is_long, purpose, log_odds)


def _loans(
    draw: np.random.Generator, nth: int, size: int, as_of: date
) -> tuple[dict[str, Values], Values]:
    """Clean values of a block of loans, and their true PDs."""
    who = _borrowers(draw, size)
    true_pd = 1 / (1 + np.exp(-who.log_odds))
    # The lender prices what it knows: the rate follows the risk, not exactly.
    priced = 0.125 + 0.033 * (who.log_odds + 2) + draw.normal(0, 0.018, size)
    rate = np.clip(priced, 0.054, 0.26)
    amount = np.clip(np.round(who.income * draw.gamma(3, 0.075, size) / 25) * 25, 1000, 35_000)
    limits = who.income * draw.gamma(2, 0.18, size)
    # In the five years before the batch date; the book grows.
    issued = _month(as_of) - 1 - (60 * (1 - np.sqrt(draw.random(size)))).astype(int)
    status = _status(draw, true_pd, _month(as_of) - issued)
    paid = np.minimum(issued + draw.integers(1, 36, size), _month(as_of))
    loans = {
        "id": (1_000_000 + nth * ROWS_A_FILE + np.arange(size)).astype(str),
        "loan_amnt": amount.astype(int),
        "term": np.where(who.is_long, " 60 months", " 36 months"),
        "int_rate": np.char.mod("%.2f", np.round(rate * 10_000) / 100),
        "installment": _instalment(amount, rate, np.where(who.is_long, 60, 36)),
        "grade": GRADES[np.clip(((rate - 0.05) / 0.03).astype(int), 0, 6)],
        "emp_length": draw.choice(EMPLOYMENT, size),
        "home_ownership": draw.choice(OWNERSHIP, size, p=(0.45, 0.45, 0.08, 0.015, 0.005)),
        "annual_inc": who.income.astype(int),
        "verification_status": np.full(size, "Not Verified"),
        "issue_d": issued,
        "loan_status": status,
        "purpose": who.purpose,
        "desc": draw.choice(DESCRIPTIONS, size),
        "addr_state": draw.choice(STATES, size),
        "dti": np.round(who.dti * 100, 2),
        "delinq_2yrs": draw.poisson(0.15, size),
        "earliest_cr_line": issued - 36 - draw.gamma(3, 42, size).astype(int),
        "fico_range_low": who.fico.astype(int),
        "inq_last_6mths": who.inquiries,
        "open_acc": 2 + draw.poisson(8, size),
        "pub_rec": draw.poisson(0.06, size),
        "revol_bal": np.round(who.utilisation * limits).astype(int),
        "revol_util": np.round(who.utilisation * 100, 1),
        "total_acc": 4 + draw.poisson(18, size),
        "last_pymnt_d": paid,
    }
    return loans, true_pd


def _instalment(amount: Values, rate: Values, months: Values) -> Values:
    """The monthly payment of an annuity."""
    monthly = rate / 12
    return np.round(amount * monthly / (1 - (1 + monthly) ** -months), 2)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _status(draw: np.random.Generator, true_pd: Values, age: Values) -> Values:
    """The outcome of each loan; many immature ones are still open."""
    size = len(true_pd)
    outcome = np.where(draw.random(size) < true_pd, BAD, GOOD).astype(object)
    is_off_policy = draw.random(size) < 0.05
    outcome[is_off_policy] = NOT_THE_POLICY + outcome[is_off_policy]
    is_open = draw.random(size) < np.where(age < 12, 0.25, 0.02)
    late = draw.random(size) < 0.08
    return np.where(is_open, np.where(late, "Late (16-30 days)", OPEN), outcome)


def _dirtied(loans: Mapping[str, Values], draw: np.random.Generator, *, is_iso: bool) -> pa.Table:
    """The loans as text, as lenders write them: with units and signs, unknown and broken values.

    A few loans stand twice, once as they were before their last payment.
    """
    size = len(loans["id"])
    columns = {
        name: _days(values, is_iso=is_iso) if name in DATES else pa.array(values).cast(pa.string())
        for name, values in loans.items()
    }

    def some(share: float) -> Values:
        return draw.random(size) < share

    def changed(name: str, which: Values, text: Any) -> None:
        new = pa.scalar(text, pa.string()) if isinstance(text, str | None) else text
        columns[name] = pc.if_else(pa.array(which), new, columns[name])

    joined = pc.binary_join_element_wise  # its last argument is the separator
    is_broken = some(0.004)
    changed("loan_amnt", some(0.03), joined("$", columns["loan_amnt"], ".00", ""))
    changed("loan_amnt", is_broken, pa.array(draw.choice(BROKEN_AMOUNTS, size)))
    changed("int_rate", some(0.5), joined(" ", columns["int_rate"], "%", ""))
    changed("int_rate", some(0.001), "n.a. %")
    changed("dti", some(0.01), "999")
    changed("revol_util", some(0.4), joined(columns["revol_util"], "%", ""))
    is_too_high = some(0.002)
    changed("revol_util", some(0.002), None)
    changed("revol_util", is_too_high, "1204.5%")
    changed("term", some(0.001), " 48 months")
    changed("id", some(0.001), None)
    changed("annual_inc", some(0.002), None)
    changed("verification_status", some(0.4), "Verified")
    changed("loan_status", some(0.001), "Sold")
    changed("delinq_2yrs", some(0.01), "NA")
    columns["total_acc"] = joined(columns["total_acc"], ".0", "")
    lines = pa.table(columns)
    earlier = np.flatnonzero(some(0.005))
    before = lines.take(pa.array(earlier))
    paid = _days(loans["issue_d"][earlier], is_iso=is_iso)
    before = before.set_column(before.schema.get_field_index("last_pymnt_d"), "last_pymnt_d", paid)
    return pa.concat_tables([lines, before])


def _days(months: Values, *, is_iso: bool) -> Any:
    """Months as texts: 'Dec-2011', or '2011-12-01'."""
    days = (months - 12 * 1970).astype("datetime64[M]").astype("datetime64[D]")
    return pc.strftime(pa.array(days), format="%Y-%m-%d" if is_iso else "%b-%Y")


def _write_file(path: Path, lines: pa.Table, *, is_download: bool) -> int:
    """Write a file: a download has a line above its header, totals below, a line cut short."""
    with path.open("wb") as file:
        file.write(PREAMBLE if is_download else b"")
        csv.write_csv(lines, file, csv.WriteOptions(quoting_style="needed"))
        file.write(FOOTER if is_download else b"")
    return int(lines.num_rows) + is_download
