"""Quotes: line breaks inside them, doubled and escaped ones, and stray ones, which swallow nothing."""

from collections import Counter
from datetime import date
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import functions as F

from credit_spark.contract.errors import LandingError
from credit_spark.ingest.columns import ACCEPTED, QUARANTINED, STATUS
from credit_spark.ingest.files import landing_files
from credit_spark.ingest.lines import LINE_COUNT, SOURCE_FILE
from credit_spark.ingest.records import read_records

AS_OF = date(2026, 3, 2)
HEADER = "id,amount,rate,income,home,opened,note,paid,status"
SHORT = {"spark.sql.files.maxPartitionBytes": "120", "spark.sql.files.openCostInBytes": "0"}


@pytest.fixture
def ingested(spark, contract, tmp_path):
    """Reads files of lines: rows as {key: (note's columns)}, and physical lines by status."""

    def read(*texts: str, change=None):
        for nth, text in enumerate(texts):
            (tmp_path / f"f{nth}.csv").write_bytes(text.encode())
        changed = contract.model_copy(
            update={"source": contract.source.model_copy(update={"path": "{landing}/f*.csv"} | (change or {}))}
        )
        files = landing_files(spark, changed, f"file:{tmp_path}", AS_OF)
        records = read_records(spark, files, changed, AS_OF)
        rows = records.frame.select(
            SOURCE_FILE, STATUS, "_key", "amount", F.col("opened_on").cast("string"), "status", LINE_COUNT
        ).collect()
        aside = records.quarantined(records.frame.where(F.col(STATUS) == QUARANTINED))
        raws = [row[0] for row in aside.select("raw").collect()]
        records.release()
        lines = Counter()
        for row in rows:
            lines[row[STATUS]] += row[LINE_COUNT]
        assert sum(lines.values()) == records.observed == sum(
            len(text.replace("\r\n", "\n").split("\n")) - text.endswith("\n") for text in texts
        )
        accepted = sorted(tuple(row)[2:6] for row in rows if row[STATUS] == ACCEPTED)
        return accepted, dict(lines), raws

    return read


@pytest.fixture
def in_small_blocks(spark):
    for name, value in SHORT.items():
        spark.conf.set(name, value)
    yield
    for name in SHORT:
        spark.conf.unset(name)


def loan(key: str, note: str = "", nth: int = 1, status: str = "paid") -> str:
    return f"{key},{1000 + nth},10%,30000,OWN,2021-01-{nth % 28 + 1:02d},{note},2026-01-01,{status}"


def of_loan(key: str, nth: int = 1, status: str = "paid") -> tuple:
    return (key, float(1000 + nth), f"2021-01-{nth % 28 + 1:02d}", status)


def text_of(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


def test_a_stray_quote_swallows_no_other_loan(ingested) -> None:
    lines = [
        loan("A", '"big house', 1), loan("B", "", 2), loan("C", '"old car', 3, "lost"),
        loan("D", '"ok, fine"', 4),
    ]  # fmt: skip

    accepted, counts, raws = ingested(text_of(*lines))

    assert accepted == [of_loan("B", 2), of_loan("D", 4)]
    assert counts == {"header": 1, "accepted": 2, "quarantined": 2}
    assert all('{"line":"' in raw for raw in raws)


def test_three_hundred_loans_below_a_stray_quote_are_three_hundred_loans(ingested) -> None:
    lines = [loan("A", '"big house'), *[loan(f"L{nth}", "", nth) for nth in range(300)]]

    accepted, counts, _ = ingested(text_of(*lines))

    assert len(accepted) == 300
    assert counts == {"header": 1, "accepted": 300, "quarantined": 1}


def test_real_line_breaks_doubled_quotes_and_blank_lines_work(ingested) -> None:
    lines = [
        loan("A", '"one,\ntwo ""three""\n\nfour"', 1), "", loan("B", '"say ""no"""', 2),
        loan("C", '"\n"', 3), loan("D", '5" screen', 4), "  ", loan("E", '""', 5),
    ]  # fmt: skip
    text = text_of(*lines)

    wanted = [of_loan(key, nth) for nth, key in enumerate("ABCDE", 1)]
    for each in (text, text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n")):
        accepted, counts, _ = ingested(each)
        assert accepted == wanted
        assert counts == {"header": 1, "accepted": 9, "blank": 2}


def test_two_stray_quotes_in_neighbours_mix_no_loans(ingested) -> None:
    """As CSV the two lines are one sound record, with the outcome of the second."""
    accepted, counts, _ = ingested(text_of(loan("A", '"', 1), loan("B", '"', 2, "lost"), loan("C")))

    assert accepted == [of_loan("C")]
    assert counts == {"header": 1, "accepted": 1, "quarantined": 2}


def test_a_stray_quote_among_loans_with_line_breaks_breaks_its_own_alone(ingested) -> None:
    lines = [loan(f"L{nth}", f'"text\nof {nth}"', nth) for nth in range(9)]
    lines[4] = loan("L4", '"stray', 4)

    accepted, counts, _ = ingested(text_of(*lines))

    assert accepted == [of_loan(f"L{nth}", nth) for nth in range(9) if nth != 4]
    assert counts == {"header": 1, "accepted": 16, "quarantined": 1}


def test_an_escaped_quote_is_read_where_the_layout_states_it(ingested, contract) -> None:
    layouts = {
        name: layout.model_copy(update={"escape": "\\"})
        for name, layout in contract.source.layouts.items()
    }
    lines = [loan("A", r'"say \"no\", or"', 1), loan("B", '"a\n\\"b\\""', 2)]

    accepted, counts, _ = ingested(text_of(*lines), change={"layouts": layouts})

    assert accepted == [of_loan("A", 1), of_loan("B", 2)]
    assert counts == {"header": 1, "accepted": 3}


@pytest.mark.parametrize("end", ['B,"$9,0\n', 'B,"$9,0', 'B,5,1,1,OWN,,"pa\nti\n\n'])
def test_a_file_that_ends_inside_quotes_is_refused(ingested, end) -> None:
    with pytest.raises(LandingError, match="ends in the middle of a quoted field"):
        ingested(text_of(loan("A")) + end)


def test_records_that_straddle_blocks_are_whole(ingested, in_small_blocks) -> None:
    lines = [loan(f"L{nth}", f'"text {nth},\n\nof it"' if nth % 3 else "", nth) for nth in range(40)]
    long = loan("LONG", '"' + "\n".join(["word"] * 200) + '"', 2)

    accepted, counts, _ = ingested(text_of(*lines, long, *lines[:3]), text_of(*lines))

    assert len(accepted) == 40 + 1 + 3 + 40
    assert ("LONG", 1002.0, "2021-01-03", "paid") in accepted
    assert set(counts) == {"header", "accepted"}


NOTES = ("", "", "", "plain", '"ok, fine"', '"say ""no"""', '"a\nb"', '"a, b,\n\nc, d"', '""')


@pytest.mark.parametrize("seed", range(6))
def test_random_quotes_never_lose_or_mix_loans(ingested, seed, in_small_blocks) -> None:
    """Quotes are put in anywhere; each loan has its own values, or it is quarantined."""
    draw = Random(seed)
    keys = [f"L{nth}" for nth in range(120)]
    records = [
        loan(key, draw.choice(NOTES), nth, draw.choice(["paid", "lost", "running"]))
        for nth, key in enumerate(keys)
    ]
    own = {}
    for nth, (key, record) in enumerate(zip(keys, records, strict=True)):
        own[key] = of_loan(key, nth, record.rsplit(",", 1)[1])
    for _ in range(draw.randint(1, 40)):
        nth = draw.randrange(len(records))
        at = draw.randint(0, len(records[nth]))
        records[nth] = records[nth][:at] + '"' + records[nth][at:]
    untouched = loan("END")

    accepted, _, _ = ingested(text_of(*records, untouched))

    found = [each for each in accepted if each[0] in own]
    assert [own[each[0]] for each in found] == found
    assert len(found) >= 40
    assert {each[0] for each in accepted} <= {*own, "END"}
    assert ("END", 1001.0, "2021-01-02", "paid") in accepted
