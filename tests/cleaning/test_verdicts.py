"""From the text of files to verdicts, on small files that stand on disk."""

import json
from datetime import date

import pytest

from credit_spark.adapters.landing import Landing
from credit_spark.cleaning.verdicts import verdicts
from credit_spark.contract.errors import LandingError
from tests.frames import rows

HEADER = "id,amount,rate,income,home,opened,paid,status\n"
SOUND = 'A,"$9,000",10.65%,50000,OWN,2025-01-02,2026-01-01,paid\n'


@pytest.fixture
def told(spark, contract, landed):
    """The verdicts over the lines of files, by name."""

    def tell(**files: str):
        night = date(2026, 3, 2)
        landing = Landing(spark, contract, str(landed(**files)), night)
        return verdicts(landing.lines(landing.files()), contract, night)

    return tell


def test_a_sound_line_is_typed_and_accepted(told) -> None:
    assert rows(
        told(f=HEADER + SOUND), "loan_id", "amount", "rate", "owned", "outcome", "verdict"
    ) == [("A", 9000.0, 0.1065, "OWN", "good", "accepted")]


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
def test_an_unsound_line_names_every_broken_rule(told, line, reasons) -> None:
    assert rows(told(f=f"{HEADER}{line}\n"), "verdict", "reasons") == [("quarantined", reasons)]


def test_raw_has_the_fields_by_their_header(told) -> None:
    (raw,) = rows(told(f=HEADER + "A,lots,1,1,OWN,,,\n"), "raw")

    assert json.loads(str(raw[0])) == {
        "id": "A", "amount": "lots", "rate": "1", "income": "1", "home": "OWN"
    }  # fmt: skip


def test_values_outside_are_clipped_or_nulled_and_told(told) -> None:
    lines = HEADER + "A,5,1204.5%,0,OWN,,,\n" + "B,5,50%,10,OWN,,,\n"

    assert rows(told(f=lines), "loan_id", "rate", "income", "replaced", "verdict") == [
        ("A", 1.0, None, "rate,income", "accepted"),
        ("B", 0.5, 10.0, "", "accepted"),
    ]


def test_the_newest_of_two_with_a_key_stays(told) -> None:
    older, newer = SOUND.replace("2026-01-01", "2025-12-01"), SOUND
    never = SOUND.replace("2026-01-01", "")

    verdict = told(f=HEADER + newer + never, g=HEADER + older)

    assert rows(verdict, "paid_on", "source_file", "verdict") == [
        (None, "f.csv", "superseded"),
        (date(2025, 12, 1), "g.csv", "superseded"),
        (date(2026, 1, 1), "f.csv", "accepted"),
    ]


def test_of_equally_new_lines_the_later_file_stays(told) -> None:
    verdict = told(a=HEADER + SOUND, b=HEADER + SOUND)

    assert rows(verdict, "source_file", "verdict") == [
        ("a.csv", "superseded"),
        ("b.csv", "accepted"),
    ]


def test_an_unsound_line_supersedes_nothing(told) -> None:
    broken = SOUND.replace("$9,000", "lots").replace("2026-01-01", "2026-02-01")

    assert rows(told(f=HEADER + SOUND + broken), "verdict") == [("accepted",), ("quarantined",)]


def test_equal_lines_with_no_key_are_loans_of_their_own(told) -> None:
    lines = "amount,rate,pay\n5,0.1,100\n5,0.1,100\n6,0.1,100\n"

    verdict = told(f=lines)
    ids = [str(each[0]) for each in rows(verdict, "loan_id")]

    assert rows(verdict, "verdict") == [("accepted",)] * 3
    assert len(set(ids)) == 3
    assert sorted(each.rsplit("-", 1)[1] for each in ids) == ["1", "1", "2"]
    assert ids == [str(each[0]) for each in rows(told(f=lines), "loan_id")]


def test_a_null_and_a_text_change_places_and_the_content_is_another(told) -> None:
    verdict = told(f="amount,rate,pay,x,y\n5,0.1,100,,a\n5,0.1,100,a,\n")

    assert len({str(each[0]).split("-")[0] for each in rows(verdict, "loan_id")}) == 2


def test_monthly_income_is_told_by_the_layout(told) -> None:
    assert rows(told(f="amount,rate,pay\n5,0.1,100\n"), "income") == [(1200.0,)]


def test_preamble_and_footer_are_no_loans(told) -> None:
    text = (
        "Notes offered by Prospectus\n"
        "id,amount,rate,total_acc\n"
        '"A","5","0.5","3"\n'
        "\n"
        "Total amount funded in policy code 1: 460296150\n"
    )

    assert rows(told(f=text), "rate", "verdict") == [
        (0.5, "accepted"),
        (None, "footer"),
    ]


def test_quoted_text_may_hold_line_breaks_commas_and_quotes(told) -> None:
    header = HEADER.replace("id,", "id,desc,", 1)
    line = SOUND.replace("A,", '"A","one,\ntwo ""three""\n\nfour",', 1)

    assert rows(told(f=header + line), "loan_id", "outcome", "verdict") == [
        ("A", "good", "accepted")
    ]


@pytest.mark.parametrize("end", ['B,"$9,0\n', 'B,"$9,0', 'B,5,1,1,OWN,,,"pa'])
def test_a_file_cut_off_inside_quotes_is_refused(told, end) -> None:
    with pytest.raises(LandingError, match="ends in the middle of a quoted field"):
        told(f=HEADER + SOUND + end)


def test_a_quote_that_opens_no_field_cuts_nothing_off(told) -> None:
    """A screen of 5 inches, the last of a file with no line's end."""
    text = HEADER.replace("status", "status,desc") + SOUND.replace("paid\n", 'paid,5" screen')

    assert rows(told(f=text), "loan_id", "verdict") == [("A", "accepted")]


def test_words_above_a_sound_line_are_no_footer(told) -> None:
    lines = "id,amount,rate,total_acc\nTotal so far: 5\nA,5,0.5,3\nTotal: 5\n"

    assert rows(told(f=lines), "verdict", "raw") == [
        ("accepted", None),
        ("footer", '{"line":"Total: 5"}'),
        ("quarantined", '{"line":"Total so far: 5"}'),
    ]


def test_raw_keeps_what_a_line_has_beyond_its_header(told) -> None:
    (raw,) = rows(told(f=HEADER + "A,5,1,1,OWN,,,paid,surplus\n"), "raw")

    assert json.loads(str(raw[0])) == {"line": "A,5,1,1,OWN,,,paid,surplus"}


def test_a_rule_may_look_at_the_night(told) -> None:
    future = SOUND.replace("2025-01-02", "2026-03-03")

    assert rows(told(f=HEADER + SOUND + future), "verdict", "reasons") == [
        ("accepted", []),
        ("quarantined", ["opened_by_the_night"]),
    ]


def test_files_of_any_name_are_found_once(spark, contract, landed) -> None:
    """Brackets and braces mean nothing in a name that was found."""
    place = landed(**{"loans [1] {a}+é": HEADER + SOUND, "loans 1 a": HEADER})
    landing = Landing(spark, contract, str(place), date(2026, 3, 2))

    (lines,) = landing.lines(landing.files())

    assert rows(lines, "source_file") == [("loans [1] {a}+é.csv",)]


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
