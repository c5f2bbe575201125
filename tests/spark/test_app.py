"""Requests, right and wrong: the status, a sentence, nothing executed, and the server goes on."""

import json
import shutil
from math import inf
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from credit_spark.config.loading import load_contract
from credit_spark.config.models import ContractColumn, HardRule
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.evaluator import RecordScorer
from credit_spark.scoring.policy import Policy
from credit_spark.serving.answers import ScoringService
from credit_spark.serving.app import MAX_BODY_BYTES, application
from credit_spark.serving.fields import FormField, fields_of, read
from credit_spark.storage.reader import TableReader
from tests.batches import arrow
from tests.projects import PROJECT, changed_project

GOOD = {
    "loan_amount": "5000", "term_months": "36", "interest_rate": "7.5", "annual_income": "120000",
    "debt_to_income": "5", "fico": "800", "issued_on": "2012-01-15",
    "earliest_credit_on": "1990-05-01", "home_ownership": "MORTGAGE", "employment_years": "10",
}  # fmt: skip
EVIL = "<script>alert(1)</script>'; drop table loans; --"


@pytest.fixture(scope="module")
def contract():
    return load_contract(PROJECT / "conf/portfolios/lending_club.yml")


@pytest.fixture(scope="module")
def client(done, contract) -> FlaskClient:
    return application(ScoringService(contract, TableReader(str(done)))).test_client()


@pytest.fixture(scope="module")
def scores(done) -> list[dict]:
    return arrow(done / "scores").to_pylist()


def test_the_batch_at_a_glance_is_what_its_tables_say(client, scores) -> None:
    told = client.get("/api/v1/batch").get_json()

    assert told["loans"] == len(scores)
    for name, loans in told["decisions"].items():
        assert loans == sum(row["decision"] == name for row in scores)
    assert sum(told["bands"].values()) == len(scores)
    assert 0.55 < told["metrics"]["auc"] < 0.85
    page = client.get("/").get_data(as_text=True)
    assert f"{len(scores):,}" in page
    assert "2012-01-31" in page


@pytest.mark.parametrize(
    ("decision", "word"), [("approve", "good"), ("decline", "bad"), ("review", "manual review")]
)
def test_a_loan_has_the_score_that_was_written(client, scores, decision, word) -> None:
    row = next(row for row in scores if row["decision"] == decision and row["reason_4"])

    told = client.get(f"/api/v1/loans/{row['loan_id']}").get_json()

    assert told["good_or_bad"] == word
    assert (told["pd"], told["points"], told["band"]) == (row["pd"], row["points"], row["band"])
    assert told["reasons"] == [row[f"reason_{nth}"] for nth in range(1, 5)]
    assert round(sum(part["points"] for part in told["parts"]), 6) == row["points"]
    page = client.get("/loan", query_string={"loan_id": row["loan_id"]}).get_data(as_text=True)
    assert word.capitalize() in page
    assert f"{row['points']} points" in page
    assert row["reason_1"] in page


def test_a_form_and_its_json_give_one_answer(client) -> None:
    told = client.post("/api/v1/applicants", json=GOOD)
    page = client.post("/applicant", data=GOOD)

    assert (told.status_code, page.status_code) == (200, 200)
    answer = told.get_json()
    assert f"{answer['points']} points" in page.get_data(as_text=True)
    assert answer["decision"] == "approve"
    worse = client.post(
        "/api/v1/applicants", json=GOOD | {"fico": 660, "loan_amount": 30_000}
    ).get_json()
    assert worse["points"] < answer["points"]
    assert client.post("/api/v1/applicants", json=GOOD).get_json() == answer


def test_an_applicant_who_equals_a_loan_gets_its_score(client, done, contract) -> None:
    """A rate is typed in percent, which moves its last digit at most."""
    fields = ScoringService(contract, TableReader(str(done))).fields()
    scores = {row["loan_id"]: row for row in arrow(done / "scores").to_pylist()}
    fitted_candidates = 0
    for loan in arrow(done / "loans").to_pylist()[:200]:
        typed = {}
        for field in fields:
            value = loan[field.name]
            if value is not None:
                typed[field.name] = repr(value * 100) if field.spec.kind == "rate" else str(value)
        told = client.post("/api/v1/applicants", json=typed)
        assert told.status_code == 200, told.get_json()
        assert told.get_json()["pd"] == pytest.approx(scores[loan["loan_id"]]["pd"], rel=1e-9)
        fitted_candidates += 1
    assert fitted_candidates == 200


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"annual_income": EVIL}, "annual_income", "write a number"),
        ({"annual_income": "1e999"}, "annual_income", "write a number"),
        ({"annual_income": "nan"}, "annual_income", "write a number"),
        ({"annual_income": "-5"}, "annual_income", "it must be between"),
        ({"interest_rate": "900"}, "interest_rate", "it must be between"),
        ({"loan_amount": ""}, "loan_amount", "this field is needed"),
        ({"issued_on": "31.01.2012"}, "issued_on", "write a day as 2012-01-31"),
        ({"term_months": "36.5"}, "term_months", "write a whole number"),
        ({"term_months": "40"}, "term_months", "choose one of: 36, 60"),
        ({"home_ownership": EVIL}, "home_ownership", "choose one of"),
        ({"purpose": "x" * 300}, "purpose", "at most 200 letters"),
        ({"fico": "1" * 150}, "fico", "it must be between"),
        ({"interest_rate": "1,5"}, "interest_rate", "write a number"),
        ({"loan_amount": "50%"}, "loan_amount", "write a number"),
    ],
)  # fmt: skip
def test_wrong_input_is_kept_and_told_at_its_field(client, change, field, said) -> None:
    told = client.post("/api/v1/applicants", json=GOOD | change)
    page = client.post("/applicant", data=GOOD | change)

    assert told.status_code == page.status_code == 422
    assert said in told.get_json()["fields"][field]
    text = page.get_data(as_text=True)
    assert f'id="{field}-fault"' in text
    assert "<script>" not in text
    assert 'value="120000"' in text or "annual_income" in change
    assert client.post("/applicant", data=GOOD).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("get", f"/api/v1/loans/{EVIL}", {}, 404),
        ("get", "/api/v1/loans/" + "9" * 5000, {}, 404),
        ("get", "/loan?loan_id=nobody", {}, 404),
        ("get", "/loan", {}, 200),
        ("get", "/../../etc/passwd", {}, 404),
        ("get", "/nothing", {}, 404),
        ("post", "/", {}, 405),
        ("get", "/api/v1/loans//1500000", {}, 404),
        ("post", "/api/v1/applicants", {"data": "[" * 60_000, "content_type": "application/json"}, 400),
        ("post", "/api/v1/applicants", {"json": GOOD | {"purpose": ["car"]}}, 422),
        ("post", "/api/v1/applicants", {"json": GOOD | {"purpose": True}}, 422),
        ("post", "/api/v1/applicants", {"json": GOOD | {"loan_amount": [1]}}, 422),
        ("post", "/api/v1/applicants", {"json": GOOD | {"loan_amount": True}}, 422),
        ("post", "/api/v1/applicants", {"json": GOOD | {"purpose": "\ud800"}}, 422),
        ("post", "/api/v1/applicants", {"data": "{", "content_type": "application/json"}, 400),
        ("post", "/api/v1/applicants", {"json": [1, 2]}, 400),
        ("post", "/api/v1/applicants", {"json": {"loan_amount": {"a": 1}}}, 422),
        ("post", "/api/v1/applicants", {"json": {EVIL: 1}}, 422),
        ("post", "/api/v1/applicants", {"data": b"x" * 10_000_000, "content_type": "application/json"}, 413),
        ("post", "/applicant", {"data": b"x" * (MAX_BODY_BYTES + 1), "content_type": "application/x-www-form-urlencoded"}, 413),
    ],
)  # fmt: skip
def test_wrong_requests_have_their_status_and_a_sentence(
    client, method, path, sent, status
) -> None:
    told = getattr(client, method)(path, **sent)

    assert told.status_code == status
    text = told.get_data(as_text=True)
    assert "Traceback" not in text
    assert "<script>" not in text
    if path.startswith("/api"):
        assert told.get_json()["error"]
    assert client.get("/").status_code == 200


def test_a_field_that_there_is_not_is_told_by_its_name(client) -> None:
    page = client.post("/applicant", data=GOOD | {"fica": "1"}).get_data(as_text=True)

    assert "fica: there is no such field" in page


def test_a_method_that_is_not_allowed_names_those_that_are(client) -> None:
    assert client.post("/api/v1/batch").headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_range_without_an_end_is_told_by_its_other_end(contract) -> None:
    (spec,) = [each for name, each in contract.columns.items() if name == "annual_income"]
    field = FormField("x", "", (), spec.model_copy(update={"range": (0.0, inf), "kind": "number"}))
    below = field._replace(spec=field.spec.model_copy(update={"range": (-inf, 5.0)}))

    assert field.schema == {"type": "number", "minimum": 0}
    assert below.schema == {"type": "number", "maximum": 5}
    assert read([field], {"x": "-1"})[1] == {"x": "it must be at least 0"}
    assert read([below], {"x": "6"})[1] == {"x": "it must be at most 5"}


def test_a_loan_that_was_cleaned_again_is_not_explained_by_its_data_now(
    spark, again, contract
) -> None:
    tables = again / "lending_club"
    service = ScoringService(contract, TableReader(str(tables)))
    row = arrow(tables / "scores").to_pylist()[0]
    before = service.loan(row["loan_id"])
    assert before["remark"] is None
    spark.sql(
        f"update delta.`{tables}/loans` set fico = 350, annual_income = 1000 "
        f"where loan_id = '{row['loan_id']}'"
    )

    told = ScoringService(contract, TableReader(str(tables))).loan(row["loan_id"])

    assert "was cleaned again after it was scored" in told["remark"]
    assert (told["pd"], told["points"]) == (row["pd"], row["points"])
    assert "bound of the score" not in {each["feature"] for each in told["parts"]}
    assert sum(each["points"] for each in told["parts"]) < row["points"]


def test_every_answer_has_its_guards(client) -> None:
    for path in ("/", "/nothing", "/api/v1/batch", "/static/page.css"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert "http" not in client.get("/").get_data(as_text=True).replace("http-equiv", "")


def test_with_a_token_nobody_else_is_answered(done, contract) -> None:
    client = application(
        ScoringService(contract, TableReader(str(done))), token="open sesame"
    ).test_client()

    assert client.get("/").status_code == 401
    assert client.get("/", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert client.get("/", auth=("x", "wrong")).status_code == 401
    assert client.get("/", headers={"Authorization": "Bearer open sesame"}).status_code == 200
    assert client.get("/", auth=("anyone", "open sesame")).status_code == 200


def test_another_name_for_this_machine_is_not_answered(client) -> None:
    """A page elsewhere could else read loans through its visitor's browser."""
    assert client.get("/", headers={"Host": "evil.example:8000"}).status_code == 403
    for own in ("127.0.0.1:8000", "127.0.0.2:8000", "localhost", "[::1]", "[::1]:8000"):
        assert client.get("/", headers={"Host": own}).status_code == 200
    assert client.get("/", headers={"Host": "127.0.0.1.example"}).status_code == 403


def test_an_empty_token_is_none(done, contract) -> None:
    service = ScoringService(contract, TableReader(str(done)))
    client = application(service, token="").test_client()

    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403


def test_a_hard_rules_own_column_is_asked_for(done, contract) -> None:
    rule = HardRule(sql="total_accounts < 3", reason="Too few accounts")
    ruled = contract.model_copy(update={"decline_if": {"few": rule}})
    (row,) = arrow(done / "models").to_pylist()
    document = ModelDocument.of(row["document"])
    without = tuple(each for each in document.features if each.name != "total_accounts")
    model, policy = document.model_copy(update={"features": without}), Policy.of(ruled)

    assert "total_accounts" in {field.name for field in fields_of(contract, model, policy)}
    scorer = RecordScorer(model, policy, contract.kinds)
    assert scorer.score({"total_accounts": 2}).decision == "decline"


def test_a_whole_number_that_no_column_holds_is_a_fault_at_its_field(contract) -> None:
    spec = ContractColumn(**{"from": ["n"], "kind": "count", "known": "application"})
    field = FormField("n", "", (), spec)

    assert read([field], {"n": "2147483647"}) == ({"n": 2147483647}, {})
    assert read([field], {"n": "2147483648"})[1] == {"n": "write at most 2,147,483,647"}


def test_thousands_may_have_their_commas(client) -> None:
    plain = client.post("/api/v1/applicants", json=GOOD).get_json()

    assert (
        client.post("/api/v1/applicants", json=GOOD | {"annual_income": "120,000"}).get_json()
        == plain
    )
    assert (
        client.post("/api/v1/applicants", json=GOOD | {"annual_income": 1.2e5}).get_json() == plain
    )


def test_a_refused_promotion_hides_no_batch(run_command, done, contract, tmp_path) -> None:
    shutil.copytree(done, tmp_path / "w/lending_club")
    client = application(
        ScoringService(contract, TableReader(str(tmp_path / "w/lending_club")))
    ).test_client()

    assert run_command("promote", tmp_path / "w", "--model", "nothing").code == 2

    assert client.get("/api/v1/batch").get_json()["as_of"] == "2012-01-31"


def test_a_warehouse_with_no_batch_is_told(contract, tmp_path) -> None:
    client = application(ScoringService(contract, TableReader(str(tmp_path)))).test_client()

    told = client.get("/api/v1/batch")

    assert told.status_code == 503
    assert "run 'credit-spark nightly'" in told.get_json()["error"]
    assert client.get("/").status_code == 503


def test_a_refused_rerun_hides_no_complete_date(run_command, second, contract, tmp_path) -> None:
    """The newest run of a date is refused: the complete run before it counts."""
    shutil.copytree(second.tables, tmp_path / "w/lending_club")
    lake = TableReader(str(tmp_path / "w/lending_club"))
    client = application(ScoringService(contract, lake)).test_client()

    complete = client.get("/api/v1/batch").get_json()
    refused = tmp_path / "empty"
    refused.mkdir()
    told = run_command("clean", tmp_path / "w", "--landing", refused, as_of="2012-02-29")

    assert complete["as_of"] == "2012-02-29"
    assert told.code == 10
    assert client.get("/api/v1/batch").get_json() == complete


def test_no_applicant_is_scored_where_the_contract_has_other_inputs(done, scores, tmp_path) -> None:
    """What is typed would be read as the model never saw it; a loan's own score stays explained."""
    project = changed_project(tmp_path, '"least(public_records, 3)"', '"least(public_records, 2)"')
    changed = load_contract(project / "conf/portfolios/lending_club.yml")
    client = application(ScoringService(changed, TableReader(str(done)))).test_client()

    told = client.post("/api/v1/applicants", json=GOOD)

    assert told.status_code == 503
    assert "features.public_records: it was" in told.get_json()["error"]
    assert client.get("/applicant").status_code == 503
    assert client.get(f"/api/v1/loans/{scores[0]['loan_id']}").status_code == 200


def test_the_openapi_document_names_every_field(client, contract, done) -> None:
    told = client.get("/api/v1/openapi.json").get_json()

    schema = told["paths"]["/api/v1/applicants"]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"]
    assert set(schema["properties"]) == {
        field.name for field in ScoringService(contract, TableReader(str(done))).fields()
    }
    assert schema["required"] == ["loan_amount", "term_months", "annual_income"]
    assert json.dumps(told)
    for path in told["paths"]:
        assert path.startswith("/api/v1/")


def test_a_fault_of_ours_is_a_sentence_without_values(done, contract, monkeypatch, caplog) -> None:
    client = application(ScoringService(contract, TableReader(str(done)))).test_client()

    def broken(*_: object) -> None:
        raise RuntimeError("income 120000 of Jane")

    monkeypatch.setattr(ScoringService, "applicant", broken)
    told = client.post("/api/v1/applicants", json=GOOD)

    assert told.status_code == 500
    assert told.get_json() == {"error": "internal error; see the server log"}
    assert "RuntimeError" in caplog.text
    assert "Jane" not in caplog.text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    folder = PROJECT / "src/credit_spark/serving"
    for path in [*folder.glob("templates/*.html"), *folder.glob("static/*")]:
        text = Path(path).read_text(encoding="utf-8")
        assert "http:" not in text
        assert "https:" not in text
        assert "<script" not in text
