"""Do two programs' Delta tables say the same? `agreement.py OURS THEIRS` prints what differs."""

import sys

import duckdb
from deltalake import DeltaTable


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


# What else is wrong with a line that is cut off is not asked of everyone.
TELLING = (
    "case when reasons[1] = 'line_has_the_fields_of_its_header' then reasons[:1] else reasons end"
)


def _rules(side: str) -> str:
    return (
        "select split_part(reason, ':', 1) as rule, count(*) as lines "
        f"from (select unnest({TELLING}) as reason from {side}_quarantine) group by rule"
    )


QUERIES = {
    "loans": _joined("loans", _unequal("loan_amount", "annual_income", "issued_on", "outcome")),
    "rates": _joined("loans", "abs(ours.interest_rate - theirs.interest_rate) > 1e-12"),
    "quarantined lines": (
        "select abs((select count(*) from ours_quarantine) - (select count(*) from "
        "theirs_quarantine))"
    ),
    "reasons of quarantined lines": (
        f"select count(*) from (({_rules('ours')} except {_rules('theirs')}) union all "
        f"({_rules('theirs')} except {_rules('ours')}))"
    ),
    "probabilities": _joined(
        "scores", "ours.pd is null or theirs.pd is null or abs(ours.pd - theirs.pd) > 1e-9"
    ),
    "points, bands, decisions, reasons": _joined(
        "scores",
        _unequal("points", "band", "decision", "reason_1", "reason_2", "reason_3", "reason_4"),
    ),
}


if __name__ == "__main__":
    found = differences(*sys.argv[1:3])
    print("\n".join(found) or "the same")
    sys.exit(bool(found))
