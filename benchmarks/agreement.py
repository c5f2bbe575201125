"""Do two programs' Delta tables say the same? `agreement.py OURS THEIRS` prints what differs."""

import sys

import duckdb
from deltalake import DeltaTable

# Divisions may be made in another order; all other values are the same to the last digit.
RATES = ("interest_rate", "debt_to_income", "revolving_utilisation")
LOANS = (
    "loan_number", "loan_amount", "term_months", "instalment", "grade", "employment_years",
    "home_ownership", "annual_income", "verification", "issued_on", "purpose", "state",
    "delinquencies_2_years", "earliest_credit_on", "fico", "inquiries_6_months", "open_accounts",
    "public_records", "revolving_balance", "total_accounts", "last_payment_on", "loan_status",
    "outcome", "source_file",
)  # fmt: skip
SCORES = ("points", "band", "decision", "reason_1", "reason_2", "reason_3", "reason_4")


def differences(ours: str, theirs: str) -> list[str]:
    """Sentences on what differs; none where all is the same."""
    with duckdb.connect() as database:
        for side, folder in (("ours", ours), ("theirs", theirs)):
            for table in ("loans", "quarantine", "scores"):
                rows = DeltaTable(f"{folder}/{table}").to_pyarrow_dataset()
                database.register(f"{side}_{table}", rows)
        return [
            f"{what}: {count:,} differ"
            for what, query in QUERIES.items()
            for (count,) in database.sql(query).fetchall()
            if count
        ]


def _joined(table: str, differs: str) -> str:
    return (
        f"select count(*) from ours_{table} as ours full join theirs_{table} as theirs "
        f"using (loan_id) where {differs}"
    )


def _unequal(*columns: str) -> str:
    pairs = [f"ours.{name} is distinct from theirs.{name}" for name in columns]
    return " or ".join(["ours.loan_id is null", "theirs.loan_id is null", *pairs])


def _apart(tolerance: float, *columns: str) -> str:
    """Numbers further apart, or only one of them null."""
    return " or ".join(
        f"abs(ours.{name} - theirs.{name}) > {tolerance} "
        f"or (ours.{name} is null) <> (theirs.{name} is null)"
        for name in columns
    )


# Of a line that is cut off, its loan and what else is wrong with it are not asked of everyone.
CUT_OFF = "reasons[1] = 'line_has_the_fields_of_its_header'"
TOLD = (
    f"case when {CUT_OFF} then null else loan_id end as loan, "
    f"unnest(case when {CUT_OFF} then reasons[:1] else reasons end) as reason"
)


def _told_only_by(side: str, other: str) -> str:
    return (
        f"(select {TOLD} from {side}_quarantine) except all (select {TOLD} from {other}_quarantine)"
    )


QUERIES = {
    "loans": _joined("loans", _unequal(*LOANS)),
    "rates of loans": _joined("loans", _apart(1e-12, *RATES)),
    "quarantined lines": (
        "select abs((select count(*) from ours_quarantine) - (select count(*) from "
        "theirs_quarantine))"
    ),
    "reasons of quarantined lines": (
        f"select count(*) from (({_told_only_by('ours', 'theirs')}) union all "
        f"({_told_only_by('theirs', 'ours')}))"
    ),
    "scored loans": _joined("scores", _unequal()),
    "probabilities": _joined("scores", _apart(1e-9, "pd")),
    "points, bands, decisions, reasons": _joined("scores", _unequal(*SCORES)),
}


if __name__ == "__main__":
    found = differences(*sys.argv[1:3])
    print("\n".join(found) or "the same")
    sys.exit(bool(found))
