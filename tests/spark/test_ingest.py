"""Landing files to loans, quarantine and the account, by small files of every kind."""

import bz2
import gzip
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from pyspark.sql import DataFrame

from credit_spark.config.errors import GateError, InputError, LandingError
from credit_spark.config.models import Contract, ContractColumn
from credit_spark.config.tables import Table
from credit_spark.ingest.files import landing_files
from credit_spark.pipeline.context import RunSummary
from credit_spark.pipeline.ingest import ingest

AS_OF = date(2026, 3, 2)
HEADER = "id,amount,rate,income,home,opened,paid,status\n"
SOUND = 'A,"$9,000",10.65%,50000,OWN,2025-01-02,2026-01-01,paid\n'
KEYLESS = "amount,rate,pay\n5,0.1,100\n5,0.1,100\n6,0.1,100\nlots,1,1\nlots,1,1\n"
TOTALLED = (
    'Notes offered by Prospectus\nid,amount,rate,total_acc\n"A","5","0.5","3"\n'
    "Total so far: 5\nB,5,0.5,3\n\nTotal amount funded in policy code 1: 460296150\n\n"
)


class Ingested(NamedTuple):
    """Rows of loans and of quarantine by column, each file's account, and the run's facts."""

    loans: list[dict]
    aside: list[dict]
    files: dict[str, dict]
    facts: dict
    note: dict


class KeptTables:
    """A run's tables as far as ingest needs them: rows are kept."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict]] = {}

    def stage(self, table: Table, frame: DataFrame) -> None:
        self.rows[table.name] = [row.asDict() for row in frame.select(*table.columns).collect()]

    def replace(self, table: Table, frame: DataFrame) -> int:
        self.stage(table, frame)
        return len(self.rows[table.name])


class Run(NamedTuple):
    spark: object
    as_of: date
    contract: Contract
    landing: str
    tables: KeptTables
    summary: RunSummary


@pytest.fixture(scope="module")
def ingested(spark, contract, tmp_path_factory):
    """Runs ingest on files, by their whole names; texts are written in UTF-8."""

    def run(files: Mapping[str, str | bytes], of: Contract = contract) -> Ingested:
        folder = tmp_path_factory.mktemp("landing")
        (folder / str(AS_OF)).mkdir()
        for name, text in files.items():
            content = text if isinstance(text, bytes) else text.encode()
            (folder / str(AS_OF) / name).write_bytes(content)
        context = Run(spark, AS_OF, of, f"file:{folder}", KeptTables(), RunSummary())
        ingest(context)
        rows, facts = context.tables.rows, context.summary.facts
        accounts = {each["name"]: each for each in json.loads(facts["files"])}
        return Ingested(
            rows["loans"], rows["quarantine"], accounts, facts, context.summary.steps["clean"]
        )

    return run


def changed(contract: Contract, **source: object) -> Contract:
    return contract.model_copy(update={"source": contract.source.model_copy(update=source)})


FILES: dict[str, str | bytes] = {
    "sound.csv": HEADER + SOUND.replace("A,", "sound,"),
    "reasons.csv": HEADER + "".join(
        f"{line}\n" for line in [
            "q1,lots,1,1,OWN,,,", "q2,,1,1,OWN,,,", "q3,NA,1,1,OWN,,,", "q4,200000,1,1,OWN,,,",
            ",5,1,1,OWN,,,", "q6,5,1,1,TENT,,,", "q7,5,1,1,OWN,2025-02-30,,", "q8,5,1,1,OWN,,,sold",
            "q9,5,1,1,OWN", "q10,5,1,1,OWN,,,paid,x", "q11,x,y,1,TENT,,,", "q12,5,1,1,OWN,2026-03-03,,",
            'q13,"0,799",1,1,OWN,,,',
        ]
    ),
    "outside.csv": HEADER + "o1,5,1204.5%,0,OWN,,,\n" + "o2,5,50%,10,OWN,,,\n",
    "keyless.csv": KEYLESS,
    "one id.csv": "amount,rate,pay\n5,0.1,\n",
    "totalled.csv": TOTALLED.replace('"A"', '"T"').replace("B,", "U,"),
    "misspelt.csv": HEADER.replace("income", "Incom") + SOUND.replace("A,", "misspelt,"),
    "a.csv": HEADER + SOUND,
    "b.csv": HEADER + SOUND + SOUND.replace("OWN", "RENT"),
    "newer.csv": HEADER + "N,5,1,1,OWN,,2026-01-01,\n" + "N,6,1,1,OWN,,,\n" + "N,7,1,1,OWN,,2025-01-01,\n"
    + "N,lots,1,1,OWN,,2026-02-01,\n",
    "packed [1]+é %41.csv.gz": gzip.compress((HEADER + SOUND.replace("A,", "gz,")).encode()),
    "packed.csv.bz2": bz2.compress((HEADER + SOUND.replace("A,", "bz2,")).encode()),
    "bytes.csv": (HEADER + "".join(f"y{nth},5,1,1,OWN,,,\n" for nth in range(3))).encode()
    + b"y3,5,1,1,caf\xe9,,,\n",
    "old_mac.csv": (HEADER + SOUND.replace("A,", "mac,")).replace("\n", "\r"),
    "two_returns.csv": (HEADER + SOUND.replace("A,", "r1,") + SOUND.replace("A,", "r2,")).replace("\n", "\r\r\n").encode(),
    "form_feed.csv": ("\x0c\n" + HEADER + SOUND.replace("A,", "ff,") + "\u00a0\n").encode(),
    "_hidden.csv": "nothing", ".hidden.csv": "nothing",
}  # fmt: skip


@pytest.fixture(scope="module")
def found(ingested) -> Ingested:
    return ingested(FILES)


def of_file(found: list[dict], name: str) -> list[dict]:
    return sorted((row for row in found if row["source_file"] == name), key=str)


def test_a_sound_line_is_typed_and_accepted(found) -> None:
    assert of_file(found.loans, "sound.csv") == [
        {
            "loan_id": "sound", "number": "sound", "amount": 9000.0, "rate": 0.1065, "income": 50000.0,
            "owned": "OWN", "opened_on": date(2025, 1, 2), "paid_on": date(2026, 1, 1), "status": "paid",
            "outcome": "good", "source_file": "sound.csv",
        }
    ]  # fmt: skip


def test_a_header_that_is_nearly_a_columns_own_is_remarked_on(found) -> None:
    (loan,) = of_file(found.loans, "misspelt.csv")
    (remark,) = found.note["remarks"]

    assert loan["income"] is None
    assert remark.startswith("misspelt.csv: ")
    assert "'Incom'" in remark
    assert "columns.income.from" in remark


def test_two_keys_of_two_parts_are_not_one_where_a_part_holds_the_separator(
    ingested, contract
) -> None:
    line = "{},5,1,1,{},,,\n"
    columns = {**contract.columns}
    columns["owned"] = columns["owned"].model_copy(update={"one_of": None})
    of_two = contract.model_copy(update={"key": ("number", "owned"), "columns": columns})

    found = ingested({"a.csv": HEADER + line.format("1|2", "3") + line.format("1", "2|3")}, of_two)

    assert sorted(row["loan_id"] for row in found.loans) == ["1\\|2|3", "1|2\\|3"]


def test_a_key_is_a_value_however_it_is_written(ingested, contract) -> None:
    numbered = contract.columns["number"].model_copy(update={"kind": "count"})
    columns = {**contract.columns, "number": numbered}
    of = contract.model_copy(update={"columns": columns, "key": ("number", "opened_on")})
    dated = "id,amount,rate,opened\n"

    found = ingested({
        "a.csv": dated + "7,1,0.1,2025-01-01\n007,2,0.1,Jan-2025\n8,3,0.1,2025-01-01\n",
        "b.csv": dated + "7.0,4,0.1,Jan-2025\nseven,5,0.1,Jan-2025\n",
    }, of)  # fmt: skip

    assert {row["loan_id"]: row["amount"] for row in found.loans} == {
        "7|2025-01-01": 4.0, "8|2025-01-01": 3.0,
    }  # fmt: skip
    assert [(row["loan_id"], row["reasons"]) for row in found.aside] == [
        ("seven|2025-01-01", ["number_is_readable: seven"])
    ]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("number", ["9007199254740992", "9007199254740993"]),
        ("range", ["10-20", "10-30"]),
        ("date", ["2025-01-01 10:15", "2025-01-01 16:40"]),
    ],
)
def test_two_keys_that_have_one_value_are_two_loans(ingested, contract, kind, written) -> None:
    formats = ("yyyy-MM-dd HH:mm",) if kind == "date" else ()
    number = contract.columns["number"].model_copy(update={"kind": kind, "formats": formats})
    of = contract.model_copy(update={"columns": {**contract.columns, "number": number}})

    found = ingested(
        {"a.csv": "id,amount,rate\n" + "".join(f"{each},1,0.1\n" for each in written)}, of
    )

    assert [row["loan_id"] for row in found.loans] == written


def test_an_unsound_row_lists_every_failed_rule(found) -> None:
    aside = {row["loan_id"]: row["reasons"] for row in of_file(found.aside, "reasons.csv")}

    assert aside == {
        "q1": ["amount_is_readable: lots"], "q2": ["amount_is_present"], "q3": ["amount_is_present"],
        "q4": ["amount_is_within_range: 200000"], None: ["key_is_present"],
        "q6": ["owned_is_one_of_its_set: TENT"], "q7": ["opened_on_is_readable: 2025-02-30"],
        "q8": ["outcome_is_known: sold"], "q9": ["line_has_the_fields_of_its_header"],
        "q10": ["line_has_the_fields_of_its_header"],
        "q11": ["amount_is_readable: x", "rate_is_readable: y", "owned_is_one_of_its_set: TENT"],
        "q12": ["opened_by_as_of"], "q13": ["amount_is_readable: 0,799"],
    }  # fmt: skip


def test_raw_has_the_fields_by_their_header_or_the_whole_line(found) -> None:
    raws = {row["loan_id"]: json.loads(row["raw"]) for row in of_file(found.aside, "reasons.csv")}

    assert raws["q1"] == {"id": "q1", "amount": "lots", "rate": "1", "income": "1", "home": "OWN"}
    assert raws["q10"] == {"line": "q10,5,1,1,OWN,,,paid,x"}
    assert raws["q13"]["amount"] == "0,799"


def test_values_outside_are_clipped_or_nulled_and_counted(found) -> None:
    rows = [(row["rate"], row["income"]) for row in of_file(found.loans, "outside.csv")]

    assert rows == [(1.0, None), (0.5, 10.0)]
    assert json.loads(found.facts["replaced"])["income"] == 1


def test_the_newest_of_a_key_stays_and_no_unsound_row_supersedes_it(found) -> None:
    assert [row["amount"] for row in of_file(found.loans, "newer.csv")] == [5.0]
    assert found.files["newer.csv"]["superseded"] == 2
    assert found.files["newer.csv"]["quarantined"] == 1


def test_of_equally_new_rows_that_of_the_later_file_and_place_stays(found) -> None:
    own = [row for row in found.loans if row["loan_id"] == "A"]

    assert [(row["source_file"], row["owned"]) for row in own] == [("b.csv", "RENT")]
    assert (found.files["a.csv"]["superseded"], found.files["b.csv"]["superseded"]) == (1, 1)


def test_equal_rows_with_no_key_are_loans_of_their_own(found) -> None:
    ids = [row["loan_id"] for row in of_file(found.loans, "keyless.csv")]

    assert len(set(ids)) == 3
    assert sorted(each.rsplit("-", 1)[1] for each in ids) == ["1", "1", "2"]
    assert [row["loan_id"][-2:] for row in of_file(found.aside, "keyless.csv")] == ["-1", "-2"]
    assert of_file(found.loans, "keyless.csv")[0]["income"] == 1200.0


def test_an_id_from_the_content_is_the_same_for_ever(found) -> None:
    """Analysts join batch dates by it."""
    assert [row["loan_id"] for row in of_file(found.loans, "one id.csv")] == [
        "d931121f48abd22a3e898f70e54d26aa-1"
    ]


def test_preamble_and_footer_are_no_loans_and_words_above_a_loan_are_no_footer(found) -> None:
    account = found.files["totalled.csv"]

    assert [row["loan_id"] for row in of_file(found.loans, "totalled.csv")] == ["T", "U"]
    assert [row["raw"] for row in of_file(found.aside, "totalled.csv")] == [
        '{"line":"Total so far: 5"}'
    ]
    names = ("lines", "header", "preamble", "footer", "blank", "accepted", "quarantined")
    assert {name: account[name] for name in names} == {
        "lines": 8, "header": 1, "preamble": 1, "footer": 1, "blank": 2, "accepted": 2, "quarantined": 1,
    }  # fmt: skip


def test_packed_files_of_any_name_and_old_line_breaks_are_read(found) -> None:
    ids = {row["source_file"]: row["loan_id"] for row in found.loans}

    assert ids["packed [1]+é %41.csv.gz"] == "gz"
    assert ids["packed.csv.bz2"] == "bz2"
    assert ids["old_mac.csv"] == "mac"
    assert not {"_hidden.csv", ".hidden.csv"} & found.files.keys()


def test_two_returns_end_one_line_and_a_form_feed_is_no_header(found) -> None:
    """One carriage return too many has quoted fields read as in any other file."""
    for name, ids, blank in (("two_returns.csv", ["r1", "r2"], 0), ("form_feed.csv", ["ff"], 2)):
        assert [row["loan_id"] for row in of_file(found.loans, name)] == ids
        assert of_file(found.aside, name) == []
        assert (found.files[name]["header"], found.files[name]["blank"]) == (1, blank)


def test_a_pattern_may_name_the_folder(spark, contract, tmp_path) -> None:
    of, landing = changed(contract, path="{landing}/{as_of}"), tmp_path / "[a] b"
    folder = landing / str(AS_OF)
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.csv").write_text(HEADER + SOUND, encoding="utf-8")

    (file,) = landing_files(spark, of, f"file:{landing}", AS_OF)
    assert file.name == "a.csv"

    (folder / "deeper/b.csv").write_text(HEADER + SOUND, encoding="utf-8")
    with pytest.raises(LandingError, match="in a folder, 'deeper'"):
        landing_files(spark, of, f"file:{landing}", AS_OF)


def test_bytes_that_are_no_text_quarantine_their_row(found) -> None:
    (aside,) = of_file(found.aside, "bytes.csv")

    assert aside["loan_id"] == "y3"
    assert aside["reasons"][0] == "text_is_in_the_encoding"
    assert found.files["bytes.csv"]["accepted"] == 3


def test_every_line_is_accounted_for(found) -> None:
    for name, account in found.files.items():
        parts = ["header", "preamble", "footer", "blank"]
        parts += [f"{status}_lines" for status in ("accepted", "quarantined", "superseded")]
        assert account["lines"] == sum(account[part] for part in parts)
        assert len(account["content_hash"]) == 16
        if isinstance(FILES[name], str):
            assert account["lines"] == len(FILES[name].splitlines())
    assert found.facts["rows_accepted"] == len(found.loans)
    assert found.facts["rows_quarantined"] == len(found.aside) == found.note["quarantined"]
    assert found.facts["rows_read"] == sum(
        found.facts[f"rows_{status}"] for status in ("accepted", "quarantined", "superseded")
    )


WESTERN = {"ISO-8859-1": "Höhe", "cp1252": "5 €", "utf-16": "漢", "utf-16-le": "漢", "utf-32": "漢"}


@pytest.mark.parametrize("encoding", WESTERN)
def test_files_are_read_in_the_stated_encoding(ingested, contract, encoding) -> None:
    text = f'id,amount,rate,status,{WESTERN[encoding]}\r\n{WESTERN[encoding]},5,1,paid,"a\r\nb"\r\n'

    read = ingested({"f.csv": text.encode(encoding)}, changed(contract, encoding=encoding))

    assert [row["loan_id"] for row in read.loans] == [WESTERN[encoding]]
    assert read.files["f.csv"]["lines"] == 3


def test_a_file_mostly_in_another_encoding_is_refused(ingested) -> None:
    text = HEADER + "".join(f"é{nth},5,1,1,OWN,,,\n" for nth in range(5))

    with pytest.raises(LandingError, match=r"f\.csv: of 6 lines 5 are not in the encoding UTF-8"):
        ingested({"f.csv": text.encode("latin-1"), "g.csv": HEADER + SOUND})


def test_packed_files_that_are_cut_off_are_refused_all_at_once(ingested) -> None:
    lines = HEADER + "".join(SOUND.replace("A,", f"{nth * 7919},") for nth in range(5000))
    whole = gzip.compress(lines.encode())
    cut = whole[: len(whole) // 2]

    with pytest.raises(LandingError, match="cut off in transfer") as error:
        ingested({"a.csv.gz": cut, "b.csv.gz": whole, "c.csv.gz": cut})
    assert "a.csv.gz" in str(error.value)
    assert "c.csv.gz" in str(error.value)
    assert "b.csv.gz" not in str(error.value)


def test_where_no_row_is_accepted_the_run_ends(ingested) -> None:
    with pytest.raises(LandingError, match=r"every line broke a rule .* amount_is_readable \(1\)"):
        ingested({"f.csv": HEADER + "A,lots,1,1,OWN,,,\n"})
    with pytest.raises(GateError, match="none has an outcome that the contract names"):
        ingested({"f.csv": HEADER + "A,5,1,1,OWN,,,sold\n"})
    with pytest.raises(LandingError, match="the files have no lines"):
        ingested({"f.csv": HEADER})


def test_unknown_codes_are_quarantined_or_kept_as_the_contract_says(ingested, contract) -> None:
    def coded(unknown: str) -> Contract:
        codes = {"codes": {"A11": "OWN", "A12": "RENT"}, "unknown_codes": unknown, "one_of": None}
        owned = contract.columns["owned"].model_copy(update=codes)
        return contract.model_copy(update={"columns": {**contract.columns, "owned": owned}})

    text = HEADER + "".join(f"c{code},5,1,1,{code},,,\n" for code in ("A11", "B11", "RENT", ""))

    strict, loose = (ingested({"f.csv": text}, coded(each)) for each in ("quarantine", "keep"))

    assert {row["owned"] for row in strict.loans} == {"OWN", "RENT", None}
    assert [row["reasons"] for row in strict.aside] == [["owned_is_one_of_its_codes: B11"]]
    assert {row["owned"] for row in loose.loans} == {"OWN", "B11", "RENT", None}


def test_an_empty_field_is_missing_quoted_or_not(ingested, contract) -> None:
    """Also where a layout names other texts: as a key, it would make one loan of all."""
    layouts = contract.source.layouts
    plain = layouts["plain"].model_copy(update={"missing": ("NA",)})
    lines = "".join(f"{key},5,1,1,OWN,,,\n" for key in ("", '""', '" "', "NA", "k"))

    found = ingested(
        {"f.csv": HEADER + lines}, changed(contract, layouts={**layouts, "plain": plain})
    )

    assert [row["loan_id"] for row in found.loans] == ["k"]
    assert [row["reasons"] for row in found.aside] == [["key_is_present"]] * 4


@pytest.mark.parametrize(
    ("bounds", "clipped"),
    [
        ((1, 5e9), [1, 3, None]),
        ((float("-inf"), 2), [0, 2, None]),
        ((float("-inf"), float("inf")), [0, 3, None]),
    ],
)
def test_a_whole_number_is_clipped_at_the_ends_that_it_can_reach(
    ingested, contract, bounds, clipped
) -> None:
    spec = ContractColumn(
        **{
            "from": ["n"],
            "kind": "count",
            "known": "application",
            "range": bounds,
            "outside": "clip",
        }
    )
    given = contract.model_copy(update={"columns": {**contract.columns, "n": spec}})

    found = ingested({"f.csv": "id,amount,rate,n\na,5,1,0\nb,5,1,3\nc,5,1,\n"}, given)

    assert [row["n"] for row in sorted(found.loans, key=lambda row: row["loan_id"])] == clipped


def faults(spark, contract, place: Path | str) -> str:
    with pytest.raises((LandingError, InputError)) as error:
        landing_files(spark, contract, str(place), AS_OF)
    return str(error.value)


def test_every_fault_of_the_landing_files_is_named_at_once(spark, contract, tmp_path) -> None:
    folder = tmp_path / str(AS_OF)
    (folder / "deep").mkdir(parents=True)
    for name, text in {
        "f.csv": HEADER, "empty.csv": "", "odd.csv": "colour,size\n", "g.pdf": HEADER,
        "deep/g.csv": HEADER, "deep/f.csv": HEADER,
    }.items():  # fmt: skip
        (folder / name).write_text(text, encoding="utf-8")

    named = faults(spark, contract, f"file:{tmp_path}")

    for words in (
        "empty.csv: the file is empty", "odd.csv: no layout of the contract fits",
        "g.pdf: this kind of file is not read", "g.csv: it is in a folder, 'deep'",
        "f.csv: 2 files have this name",
    ):  # fmt: skip
        assert words in named


def test_a_place_that_is_one_file_is_the_landing_file(spark, contract, tmp_path) -> None:
    (tmp_path / "one [a].csv").write_text(HEADER + SOUND, encoding="utf-8")

    (file,) = landing_files(spark, contract, f"file:{tmp_path}/one [a].csv", AS_OF)

    assert (file.name, file.size) == ("one [a].csv", len(HEADER + SOUND))
    assert "there are no files of 2026-03-02" in faults(spark, contract, f"file:{tmp_path}")
    assert "knows no such storage" in faults(spark, contract, "nosuch://place")
