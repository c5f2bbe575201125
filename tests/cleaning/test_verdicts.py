"""From the text of files to verdicts, on small files that stand on disk."""

import json
from collections import Counter
from datetime import date
from functools import partial
from itertools import count
from typing import NamedTuple

import polars as pl
import pytest

from credit_spark.adapters.delimited import stream_of
from credit_spark.adapters.landing import Landing, LandingFile, Piece, judged_piece
from credit_spark.adapters.spool import Spool, spooling
from credit_spark.cleaning.blocks import Summary
from credit_spark.contract.errors import LandingError
from credit_spark.ingest.layouts import footer_of, shape_of
from credit_spark.pipeline.context import clean as cleaning
from credit_spark.pipeline.ingest import clean as clean_step
from tests.nights import frame, night_of

HEADER = "id,amount,rate,income,home,opened,paid,status\n"
SOUND = 'A,"$9,000",10.65%,50000,OWN,2025-01-02,2026-01-01,paid\n'


AS_OF = date(2026, 3, 2)


@pytest.fixture
def judge(contract, tmp_path):
    """What the lines of one file say of themselves, without Spark."""

    def tell(text: str) -> Told:
        path = tmp_path / "f.csv"
        path.write_bytes(text.encode())
        lines = text.splitlines()
        shape = shape_of(lines, contract)
        footer = footer_of(lines, shape, contract)
        file = LandingFile(f"file:{path}", path.name, path.stat().st_size, shape, footer)
        piece, stream = Piece(0, file, None, 0), partial(stream_of, str(path))
        with spooling(str(tmp_path / "spool"), "run") as spool:
            return Told.of(judged_piece(piece, stream, contract, AS_OF, spool), spool)

    return tell


class Told(NamedTuple):
    """Accepted and quarantined lines as dictionaries, and the counts by verdict."""

    accepted: list[dict]
    quarantined: list[dict]
    counts: dict[str, int]
    replaced: list[str]

    @classmethod
    def of(cls, summary: Summary, spool: Spool) -> "Told":
        lines = [
            [line for block in spool.blocks(name) for line in block.drop("place").to_dicts()]
            for name in ("accepted-0", "quarantined-0")
        ]
        counts = Counter()
        for each, rows in summary.counts.items():
            counts[each.verdict] += rows
        return cls(*lines, dict(counts), sorted(each.replaced for each in summary.counts))


@pytest.fixture
def clean(spark, contract, landed, tmp_path):
    """The loans, the lines set aside and how many each file lost, of files cleaned together."""
    numbers = count()

    def tell(**files: str):
        night = night_of(
            spark, contract, landed(**files), tmp_path / f"tables-{next(numbers)}", AS_OF
        )
        clean_step(night)
        folder = night.tables.folder
        losers = {
            each["name"]: each["superseded"]
            for each in json.loads(night.ledger.facts["files"])
            if each["superseded"]
        }
        return frame(f"{folder}/loans"), frame(f"{folder}/quarantine"), losers

    return tell


def rows(lines: pl.DataFrame, *columns: str) -> list[tuple]:
    """Some columns of the lines, in order."""
    return sorted(lines.drop("run_id").select(columns or pl.all()).rows(), key=str)


def test_a_sound_line_is_typed_and_accepted(judge) -> None:
    told = judge(HEADER + SOUND)

    assert told.counts == {"accepted": 1}
    assert told.accepted == [
        {
            "key": "A", "content": None, "number": "A", "amount": 9000.0, "rate": 0.1065, "income": 50000.0,
            "owned": "OWN", "opened_on": date(2025, 1, 2), "paid_on": date(2026, 1, 1),
            "status": "paid", "outcome": "good", "hash": told.accepted[0]["hash"],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        ("A,lots,1,1,OWN,,,", ["amount_is_readable: lots"]),
        ("A,,1,1,OWN,,,", ["amount_is_present"]),
        ("A,NA,1,1,OWN,,,", ["amount_is_present"]),
        ("A,200000,1,1,OWN,,,", ["amount_is_within_range: 200000"]),
        (",5,1,1,OWN,,,", ["key_is_present"]),
        ("A,5,1,1,TENT,,,", ["owned_is_one_of_its_set: TENT"]),
        ("A,5,1,1,OWN,2025-02-30,,", ["opened_on_is_readable: 2025-02-30"]),
        ("A,5,1,1,OWN,,,sold", ["outcome_is_known: sold"]),
        ("A,5,1,1,OWN", ["line_has_the_fields_of_its_header"]),
        ("A,5,1,1,OWN,,,paid,x", ["line_has_the_fields_of_its_header"]),
        ("A,x,y,1,TENT,,,", ["amount_is_readable: x", "rate_is_readable: y", "owned_is_one_of_its_set: TENT"]),
    ],
)  # fmt: skip
def test_an_unsound_line_names_every_broken_rule(judge, line, reasons) -> None:
    told = judge(f"{HEADER}{line}\n")

    assert told.counts == {"quarantined": 1}
    assert [each["reasons"] for each in told.quarantined] == [reasons]


def test_raw_has_the_fields_by_their_header(judge) -> None:
    (line,) = judge(HEADER + "A,lots,1,1,OWN,,,\n").quarantined

    assert json.loads(line["raw"]) == {
        "id": "A", "amount": "lots", "rate": "1", "income": "1", "home": "OWN"
    }  # fmt: skip


def test_values_outside_are_clipped_or_nulled_and_told(judge) -> None:
    told = judge(HEADER + "A,5,1204.5%,0,OWN,,,\n" + "B,5,50%,10,OWN,,,\n")

    assert [(each["key"], each["rate"], each["income"]) for each in told.accepted] == [
        ("A", 1.0, None),
        ("B", 0.5, 10.0),
    ]
    assert told.replaced == ["", "rate,income"]


def test_the_newest_of_two_with_a_key_stays(clean) -> None:
    older, newer = SOUND.replace("2026-01-01", "2025-12-01"), SOUND
    never = SOUND.replace("2026-01-01", "")

    loans, _, losers = clean(f=HEADER + newer + never, g=HEADER + older)

    assert rows(loans, "loan_id", "paid_on", "source_file") == [("A", date(2026, 1, 1), "f.csv")]
    assert losers == {"f.csv": 1, "g.csv": 1}


def test_of_equally_new_lines_that_of_the_later_file_stays_and_in_it_the_later(clean) -> None:
    other = SOUND.replace("OWN", "RENT")

    loans, _, losers = clean(a=HEADER + SOUND, b=HEADER + SOUND + other)

    assert rows(loans, "source_file", "owned") == [("b.csv", "RENT")]
    assert losers == {"a.csv": 1, "b.csv": 1}


def test_an_unsound_line_supersedes_nothing(clean) -> None:
    broken = SOUND.replace("$9,000", "lots").replace("2026-01-01", "2026-02-01")

    loans, aside, losers = clean(f=HEADER + SOUND + broken)

    assert rows(loans, "loan_id", "paid_on") == [("A", date(2026, 1, 1))]
    assert rows(aside, "loan_id", "reasons") == [("A", ["amount_is_readable: lots"])]
    assert losers == {}


KEYLESS = "amount,rate,pay\n5,0.1,100\n5,0.1,100\n6,0.1,100\nlots,1,1\nlots,1,1\n"


def test_equal_lines_with_no_key_are_loans_of_their_own(clean) -> None:
    loans, aside, losers = clean(f=KEYLESS)
    ids = [str(each[0]) for each in rows(loans, "loan_id")]

    assert losers == {}
    assert len(set(ids)) == 3
    assert sorted(each.rsplit("-", 1)[1] for each in ids) == ["1", "1", "2"]
    assert ids == [str(each[0]) for each in rows(clean(f=KEYLESS)[0], "loan_id")]
    assert [str(each[0])[-2:] for each in rows(aside, "loan_id")] == ["-1", "-2"]


def test_an_id_from_the_content_is_the_same_for_ever(clean) -> None:
    """Analysts join nights by it."""
    loans, _, _ = clean(f="amount,rate,pay\n5,0.1,\n")

    assert rows(loans, "loan_id") == [("d931121f48abd22a3e898f70e54d26aa-1",)]


def test_where_too_many_keys_stand_twice_the_loans_are_the_same(clean, monkeypatch) -> None:
    lines = HEADER + "".join(SOUND.replace("A,", f"{key},") for key in "ABCABD")
    broken = "".join(f"{key},lots,1,1,OWN,,,\n" for key in "ABA")
    files = {"f": lines + broken, "g": KEYLESS}
    few = [rows(each) for each in clean(**files)[:2]]

    monkeypatch.setattr(cleaning, "MOST_CONTESTED", 1)
    monkeypatch.setattr(cleaning, "LINES_AT_ONCE", 2)
    monkeypatch.setattr(cleaning, "WHOLE_LINES_AT_ONCE", 1)
    monkeypatch.setattr(cleaning, "HASHES_AT_ONCE", 2)

    assert [rows(each) for each in clean(**files)[:2]] == few
    assert [len(each) for each in few] == [7, 5]


def test_a_null_and_a_text_change_places_and_the_content_is_another(clean) -> None:
    loans, _, _ = clean(f="amount,rate,pay,x,y\n5,0.1,100,,a\n5,0.1,100,a,\n")

    assert len({str(each[0]).split("-")[0] for each in rows(loans, "loan_id")}) == 2


def test_monthly_income_is_told_by_the_layout(judge) -> None:
    assert judge("amount,rate,pay\n5,0.1,100\n").accepted[0]["income"] == 1200.0


def test_preamble_and_footer_are_no_loans(judge) -> None:
    text = (
        "Notes offered by Prospectus\n"
        "id,amount,rate,total_acc\n"
        '"A","5","0.5","3"\n'
        "\n"
        "Total amount funded in policy code 1: 460296150\n"
    )

    told = judge(text)

    assert [each["rate"] for each in told.accepted] == [0.5]
    assert told.counts == {"accepted": 1, "footer": 1}


def test_quoted_text_may_hold_line_breaks_commas_and_quotes(judge) -> None:
    header = HEADER.replace("id,", "id,desc,", 1)
    line = SOUND.replace("A,", '"A","one,\ntwo ""three""\n\nfour",', 1)

    assert [(each["key"], each["outcome"]) for each in judge(header + line).accepted] == [
        ("A", "good")
    ]


@pytest.mark.parametrize("end", ['B,"$9,0\n', 'B,"$9,0', 'B,5,1,1,OWN,,,"pa'])
def test_a_file_cut_off_inside_quotes_is_refused(clean, end) -> None:
    with pytest.raises(LandingError, match="ends in the middle of a quoted field"):
        clean(f=HEADER + SOUND + end)


def test_a_quote_that_opens_no_field_cuts_nothing_off(clean) -> None:
    """A screen of 5 inches, the last of a file with no line's end."""
    text = HEADER.replace("status", "status,desc") + SOUND.replace("paid\n", 'paid,5" screen')

    assert rows(clean(f=text)[0], "loan_id") == [("A",)]


def test_words_above_a_sound_line_are_no_footer(judge) -> None:
    lines = "id,amount,rate,total_acc\nTotal so far: 5\nA,5,0.5,3\nTotal: 5\n"

    told = judge(lines)

    assert told.counts == {"accepted": 1, "footer": 1, "quarantined": 1}
    assert [each["raw"] for each in told.quarantined] == ['{"line":"Total so far: 5"}']


def test_raw_keeps_what_a_line_has_beyond_its_header(judge) -> None:
    (line,) = judge(HEADER + "A,5,1,1,OWN,,,paid,surplus\n").quarantined

    assert json.loads(line["raw"]) == {"line": "A,5,1,1,OWN,,,paid,surplus"}


def test_a_rule_may_look_at_the_night(judge) -> None:
    future = SOUND.replace("2025-01-02", "2026-03-03")

    told = judge(HEADER + SOUND + future)

    assert len(told.accepted) == 1
    assert [each["reasons"] for each in told.quarantined] == [["opened_by_the_night"]]


def test_files_of_any_name_are_found_once(spark, contract, landed) -> None:
    """Brackets and braces mean nothing in a name that was found."""
    place = landed(**{"loans [1] {a}+é": HEADER + SOUND, "loans 1 a": HEADER})
    landing = Landing(spark, contract, str(place), date(2026, 3, 2))

    assert [each.name for each in landing.files()] == ["loans 1 a.csv", "loans [1] {a}+é.csv"]


def test_two_files_of_one_name_and_a_folder_are_refused(spark, contract, landed) -> None:
    place = landed(f=HEADER + SOUND)
    for folder in ("a", "b"):
        (place / "2026-03-02" / folder).mkdir()
        (place / "2026-03-02" / folder / "g.csv").write_text(HEADER + SOUND, encoding="utf-8")
    deep = contract.model_copy(
        update={
            "source": contract.source.model_copy(update={"path": "{landing}/{as_of}/{{a,b}}/*"})
        }
    )

    with pytest.raises(LandingError, match="a: it is a folder"):
        Landing(spark, contract, str(place), date(2026, 3, 2)).files()
    with pytest.raises(LandingError, match=r"g\.csv: 2 files have this name"):
        Landing(spark, deep, str(place), date(2026, 3, 2)).files()


def test_a_header_is_read_in_the_files_own_encoding(spark, contract, landed) -> None:
    place = landed(f="")
    text = "id,amount,rate,Höhe\nA,5,1,ü\n"
    (place / "2026-03-02/f.csv").write_bytes(text.encode("ISO-8859-1"))
    source = contract.source.model_copy(update={"encoding": "ISO-8859-1"})
    western = contract.model_copy(update={"source": source})

    (file,) = Landing(spark, western, str(place), date(2026, 3, 2)).files()

    assert file.shape.header == ("id", "amount", "rate", "Höhe")


def test_a_key_that_stands_very_often_is_settled_where_it_stands(clean) -> None:
    """Of 5,000 lines with one key, and as many with none, in two files."""
    often = "".join(SOUND.replace("50000", str(nth)) for nth in range(1, 2501))
    nameless = SOUND.replace("A,", ",") * 2500

    loans, aside, losers = clean(f=HEADER + often + nameless, g=HEADER + often + nameless)

    assert rows(loans, "loan_id", "source_file", "income") == [("A", "g.csv", 2500.0)]
    assert losers == {"f.csv": 2500, "g.csv": 2499}
    assert rows(aside.unique("reasons"), "reasons") == [(["key_is_present"],)]
    assert len(aside) == 5000


def test_what_an_earlier_run_has_left_in_the_spool_is_taken_away(clean, tmp_path) -> None:
    left = tmp_path / f"tables-0/.spool-{AS_OF}/killed"
    left.mkdir(parents=True)

    assert len(clean(f=HEADER + SOUND)[0]) == 1
    assert not left.parent.exists()
