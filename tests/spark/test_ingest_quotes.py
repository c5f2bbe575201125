"""Quotes: line breaks inside them, doubled and escaped ones, and stray ones, which swallow nothing.

All files of a kind are read at once: a plan costs more than its rows.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from credit_spark.config.errors import LandingError
from credit_spark.config.models import Contract
from credit_spark.ingest.columns import ACCEPTED, QUARANTINED, STATUS
from credit_spark.ingest.files import landing_files
from credit_spark.ingest.lines import LINE_COUNT, SOURCE_FILE
from credit_spark.ingest.records import read_records

AS_OF = date(2026, 3, 2)
HEADER = "id,amount,rate,income,home,opened,note,paid,status"
SMALL_BLOCKS = {
    "spark.sql.files.maxPartitionBytes": "150", "spark.sql.files.openCostInBytes": "0",
    "spark.sql.files.minPartitionNum": "1",
}  # fmt: skip


class Read(NamedTuple):
    """Of a file: its accepted loans, its physical lines by status, and `raw` of its other rows."""

    accepted: list[tuple]
    lines: Mapping[str, int]
    raws: list[str]


def read(
    spark: SparkSession, contract: Contract, folder: Path, texts: Mapping[str, str]
) -> dict[str, Read]:
    for name, text in texts.items():
        (folder / f"{name}.csv").write_bytes(text.encode())
    source = contract.source.model_copy(update={"path": "{landing}/*.csv"})
    here = contract.model_copy(update={"source": source})
    files = landing_files(spark, here, f"file:{folder}", AS_OF)
    records = read_records(spark, files, here, AS_OF)
    opened = F.col("opened_on").cast("string")
    rows = records.frame.select(
        SOURCE_FILE, STATUS, LINE_COUNT, "number", "amount", opened, "status"
    ).collect()
    aside = records.quarantined(records.frame.where(F.col(STATUS) == QUARANTINED))
    raws = aside.select(SOURCE_FILE, "raw").collect()
    found = {}
    for name, text in texts.items():
        own = [row for row in rows if row[SOURCE_FILE] == f"{name}.csv"]
        lines: Counter[str] = Counter()
        for row in own:
            lines[row[STATUS]] += row[LINE_COUNT]
        assert sum(lines.values()) == len(text.splitlines())
        accepted = sorted(tuple(row)[3:] for row in own if row[STATUS] == ACCEPTED)
        found[name] = Read(
            accepted, dict(lines), [row[1] for row in raws if row[0] == f"{name}.csv"]
        )
    return found


def loan(key: str, note: str = "", nth: int = 1, status: str = "paid") -> str:
    return f"{key},{1000 + nth},10%,30000,OWN,2021-01-{nth % 28 + 1:02d},{note},2026-01-01,{status}"


def of_loan(key: str, nth: int = 1, status: str = "paid") -> tuple:
    return (key, float(1000 + nth), f"2021-01-{nth % 28 + 1:02d}", status)


def text_of(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


SOUND = text_of(
    loan("A", '"one,\ntwo ""three""\n\nfour"', 1), "", loan("B", '"say ""no"""', 2),
    loan("C", '"\n"', 3), loan("D", '5" screen', 4), "  ", loan("E", '""', 5),
)  # fmt: skip
BROKEN = text_of(*[loan(f"L{nth}", f'"text\nof {nth}"', nth) for nth in range(9)]).replace(
    '"text\nof 4"', '"stray'
)
TEXTS = {
    "four": text_of(
        loan("A", '"big house', 1), loan("B", "", 2), loan("C", '"old car', 3, "lost"),
        loan("D", '"ok, fine"', 4),
    ),
    "hundreds": text_of(
        loan("A", '"big house'), *[loan(f"L{nth}", "", nth) for nth in range(300)]
    ),
    "lf": SOUND,
    "crlf": SOUND.replace("\n", "\r\n"),
    "marked": "\ufeff" + SOUND,
    "no_end": SOUND.rstrip("\n"),
    "neighbours": text_of(loan("A", '"', 1), loan("B", '"', 2, "lost"), loan("C")),
    "among": BROKEN,
    "long": text_of(loan("LONG", '"' + "\n".join(["word"] * 200) + '"', 2), loan("A")),
    "surplus": text_of(*[loan(f"L{nth}", "", nth) + "," for nth in range(1500)], loan("A")),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(spark, contract, tmp_path_factory) -> dict[str, Read]:
    return read(spark, contract, tmp_path_factory.mktemp("whole"), TEXTS)


@pytest.fixture
def in_small_blocks(spark):
    for name, value in SMALL_BLOCKS.items():
        spark.conf.set(name, value)
    yield
    for name in SMALL_BLOCKS:
        spark.conf.unset(name)


def test_a_stray_quote_swallows_no_other_loan(found) -> None:
    four, hundreds = found["four"], found["hundreds"]

    assert four.accepted == [of_loan("B", 2), of_loan("D", 4)]
    assert four.lines == {"header": 1, "accepted": 2, "quarantined": 2}
    assert all(raw.startswith('{"line":"') for raw in four.raws)
    assert len(hundreds.accepted) == 300
    assert hundreds.lines == {"header": 1, "accepted": 300, "quarantined": 1}


@pytest.mark.parametrize("name", ["lf", "crlf", "marked", "no_end"])
def test_real_line_breaks_doubled_quotes_and_blank_lines_work(found, name) -> None:
    assert found[name].accepted == [of_loan(key, nth) for nth, key in enumerate("ABCDE", 1)]
    assert found[name].lines == {"header": 1, "accepted": 9, "blank": 2}


def test_two_stray_quotes_in_neighbours_mix_no_loans(found) -> None:
    """As CSV the two lines are one sound record, with the outcome of the second."""
    assert found["neighbours"].accepted == [of_loan("C")]
    assert found["neighbours"].lines == {"header": 1, "accepted": 1, "quarantined": 2}


def test_a_stray_quote_among_loans_with_line_breaks_breaks_its_own_alone(found) -> None:
    among = found["among"]

    assert among.accepted == [of_loan(f"L{nth}", nth) for nth in range(9) if nth != 4]
    assert among.lines == {"header": 1, "accepted": 16, "quarantined": 1}


def test_long_texts_are_records_and_malformed_lines_are_not(found) -> None:
    assert found["long"].lines == {"header": 1, "accepted": 201}
    assert found["surplus"].accepted == [of_loan("A")]
    assert found["surplus"].lines == {"header": 1, "accepted": 1, "quarantined": 1500}


def test_files_in_many_small_blocks_have_the_same_records(
    spark, contract, tmp_path, found, in_small_blocks
) -> None:
    few = {name: text for name, text in TEXTS.items() if name not in ("hundreds", "surplus")}

    cut = read(spark, contract, tmp_path, few)

    assert {name: each.accepted for name, each in cut.items()} == {
        name: found[name].accepted for name in few
    }
    assert all(cut[name].lines == found[name].lines for name in few)


def test_an_escaped_quote_is_read_where_the_layout_states_it(spark, contract, tmp_path) -> None:
    layouts = {
        name: layout.model_copy(update={"escape": "\\"})
        for name, layout in contract.source.layouts.items()
    }
    source = contract.source.model_copy(update={"layouts": layouts})
    text = text_of(loan("A", r'"say \"no\", or"', 1), loan("B", '"a\n\\"b\\""', 2))

    escaped = read(spark, contract.model_copy(update={"source": source}), tmp_path, {"f": text})[
        "f"
    ]

    assert escaped.accepted == [of_loan("A", 1), of_loan("B", 2)]
    assert escaped.lines == {"header": 1, "accepted": 3}


def test_files_that_end_inside_quotes_are_refused(spark, contract, tmp_path) -> None:
    ends = ['B,"$9,0\n', 'B,"$9,0', 'B,5,1,1,OWN,,"pa\nti\n\n']
    texts = {f"cut{nth}": text_of(loan("A")) + end for nth, end in enumerate(ends)}

    with pytest.raises(LandingError, match="ends in the middle of a quoted field") as error:
        read(spark, contract, tmp_path, texts)
    assert all(f"{name}.csv: " in str(error.value) for name in texts)


NOTES = ("", "", "", "plain", '"ok, fine"', '"say ""no"""', '"a\nb"', '"a, b,\n\nc, d"', '""')


def test_random_quotes_never_lose_or_mix_loans(spark, contract, tmp_path) -> None:
    """Quotes are put in anywhere; each loan has its own values, or it is quarantined."""
    texts, own = {}, defaultdict(dict)
    for seed in range(40):
        draw, records = Random(seed), []
        for nth in range(60):
            key, status = f"L{nth}", draw.choice(["paid", "lost", "running"])
            records.append(loan(key, draw.choice(NOTES), nth, status))
            own[f"f{seed}"][key] = of_loan(key, nth, status)
        for _ in range(draw.randint(1, 15)):
            nth = draw.randrange(60)
            at = draw.randint(0, len(records[nth]))
            records[nth] = records[nth][:at] + '"' + records[nth][at:]
        texts[f"f{seed}"] = text_of(*records, loan("END"))

    found = read(spark, contract, tmp_path, texts)

    for name, each in found.items():
        # A quote in a field with none at its beginning is part of its value: of a key, too.
        loans = [(key.replace('"', ""), *values) for key, *values in each.accepted]
        assert of_loan("END") in loans
        assert [own[name].get(row[0]) for row in loans if row[0] != "END"] == loans_without_end(
            loans
        )
        assert len(loans) >= 60 - 3 * 15


def loans_without_end(loans: list[tuple]) -> list[tuple]:
    return [row for row in loans if row[0] != "END"]
