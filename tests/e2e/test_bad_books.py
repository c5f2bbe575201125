"""Books that cannot be learnt from, or only in part: a sentence, and no half-written model."""

import math
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from credit_spark.scoring.document import ModelDocument
from tests.batches import arrow, run
from tests.projects import PROJECT

pytestmark = pytest.mark.release

AS_OF = "2026-03-02"
SMALL = PROJECT / "tests/small_lender.yml"


def loans(count: int = 600, seed: int = 5, **change: Callable[[Random, bool], str]) -> str:
    """Lines of loans, a third of them bad, whose rates say a little of it; columns changed."""
    draw = Random(seed)
    lines = ["id,amount,rate,income,home,opened,status"]
    for nth in range(count):
        bad = draw.random() < 1 / 3
        row = {
            "id": f"n{nth}",
            "amount": f"{draw.uniform(500, 20_000):.2f}",
            "rate": f"{draw.uniform(4, 20) + 4 * bad:.3f}",
            "income": f"{draw.uniform(20_000, 90_000):.0f}",
            "home": draw.choice(["OWN", "RENT"]),
            "opened": f"{draw.choice([2024, 2025])}-0{draw.randint(1, 9)}-15",
            "status": "lost" if bad else "paid",
        }
        row |= {name: make(draw, bad) for name, make in change.items()}
        lines.append(",".join(row.values()))
    return "\n".join(lines) + "\n"


@pytest.fixture
def trained(spark, capfd, tmp_path, monkeypatch):
    """Cleans and trains a book by a changed contract; gives what both said and the tables."""
    monkeypatch.chdir(tmp_path)

    def command(text: str, *changes: tuple[str, str], asked: tuple[str, ...] = ()):
        contract = SMALL.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in contract
            contract = contract.replace(old, new)
        (tmp_path / "small_lender.yml").write_text(contract, encoding="utf-8")
        (tmp_path / "loans.csv").write_text(text, encoding="utf-8")
        flags = (
            "--portfolio", tmp_path / "small_lender.yml", "--as-of", AS_OF,
            "--landing", tmp_path / "loans.csv", "--warehouse", tmp_path / "w",
        )  # fmt: skip
        cleaned = run(capfd, "clean", *flags, "--json")
        if cleaned.code:
            return cleaned
        return run(capfd, "train", *flags, *asked, "--json")

    return command


def tables(tmp_path: Path) -> set[str]:
    return {each.name for each in (tmp_path / "w/small_lender").iterdir()}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"status": lambda draw, bad: "paid"}, 11, "600 good and 0 bad loans in the book: too few"),
        ({"status": lambda draw, bad: "lost"}, 11, "0 good and 600 bad loans"),
        ({"status": lambda draw, bad: "lost" if draw.random() < 0.005 else "paid"}, 11, "too few to train on"),
        ({"status": lambda draw, bad: "running"}, 11, "0 good and 0 bad loans"),
        ({"status": lambda draw, bad: "Verloren: ja" if bad else draw.choice(["open", "paid"])}, 11, "208 good and 0 bad loans in the book: too few to train on, at least 50 of each are needed. Train on a date with more known outcomes, or name the outcomes of 392 lines in quarantine"),
        ({"status": lambda draw, bad: "Verloren" if bad else "Bezahlt"}, 11, "of 600 lines none has an outcome that the contract names; compare the values of 'status'"),
        ({"amount": lambda draw, bad: "lots", "status": lambda draw, bad: "Verloren" if bad else "paid"}, 10, "every line broke a rule of the contract: amount_is_readable (600), outcome_is_known (209)"),
        ({"amount": lambda draw, bad: "lots", "status": lambda draw, bad: "Bezahlt"}, 10, "amount_is_readable (600), outcome_is_known (600)"),
        ({"income": lambda draw, bad: "", "rate": lambda draw, bad: "9", "home": lambda draw, bad: "OWN"}, 11, "there is nothing to train on. amount_to_income: only 0 loans have a value; rate: every loan"),
        ({"rate": lambda draw, bad: "19" if bad else "5"}, 2, "features.rate: it separates good from bad almost alone (AUC 1.000)"),
    ],
    ids=["no bad", "no good", "few bads", "all open", "some other texts", "other texts", "no line sound", "nothing as it should be", "no feature left", "the answer itself"],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_told(trained, tmp_path, change, code, said) -> None:
    told = trained(loans(**change))

    assert told.code == code
    assert said in told.sentence
    assert "Traceback" not in told.err
    assert not tables(tmp_path) & {"models", "metrics", "score_distribution"}


@pytest.mark.parametrize(
    ("change", "changes", "left_out"),
    [
        ({"income": lambda draw, bad: ""}, [], ["amount_to_income"]),
        ({}, [('sql: "amount / income"', 'sql: "amount / (rate - rate)"')], ["amount_to_income"]),
        ({"home": lambda draw, bad: "RENT"}, [], ["home"]),
        ({}, [('sql: "amount / income"', 'sql: "amount * 1e305 * income"')], ["amount_to_income"]),
        ({}, [('sql: "amount / income"', 'sql: "1e200 * amount"')], ["amount_to_income"]),
    ],
    ids=["all null", "division by zero", "one text", "all infinite", "too large to square"],
)  # fmt: skip
def test_a_feature_that_says_nothing_is_left_out(trained, change, changes, left_out) -> None:
    told = trained(loans(**change), *changes)

    assert told.code == 0, told.err
    assert told.summary["train"]["left_out"] == left_out
    assert told.summary["train"]["cv"]["auc_mean"] > 0.55


@pytest.mark.parametrize("count", [600, 6000])
def test_a_text_that_nearly_every_loan_has_for_itself_is_left_out(trained, count) -> None:
    """Its levels' own rates would tell all of the outcomes that they were counted on."""
    given = loans(count=count, home=lambda draw, bad: f"No. {draw.random()}")

    told = trained(given, (", one_of: [OWN, RENT]", ""))

    assert told.code == 0, told.err
    assert told.summary["train"]["left_out"] == ["home"]


def test_an_lstm_has_loans_in_each_fold_or_is_refused(trained, tmp_path) -> None:
    given = loans(
        amount=lambda draw, bad: draw.choice(["1000", "2000"]),
        rate=lambda draw, bad: draw.choice(["7", "9"]),
        income=lambda draw, bad: "30000",
        opened=lambda draw, bad: "2025-01-15",
    )

    told = trained(given, ("folds: 3", "folds: 20"), asked=("--benchmarks", "lstm"))

    assert told.code == 2, told.err
    assert "a fold has no loan: too few borrowers, or too few loans that differ" in told.sentence
    assert not tables(tmp_path) & {"models", "metrics", "score_distribution"}


def test_a_feature_that_is_mostly_null_is_remarked(trained) -> None:
    given = loans(count=3000, income=lambda draw, bad: "40000" if draw.random() < 0.03 else "")

    told = trained(given)

    assert told.code == 0, told.err
    (remark,) = told.summary["train"]["remarks"]
    assert remark.startswith("amount_to_income: it is null for 9")


def test_two_features_that_part_the_book_together_give_finite_figures(trained, tmp_path) -> None:
    """Neither tells it alone; their sum does, to the last loan."""

    def amount(draw: Random, bad: bool) -> str:
        amount.last = draw.uniform(1_000, 19_000)
        return f"{amount.last:.2f}"

    def rate(draw: Random, bad: bool) -> str:
        return f"{20 - amount.last / 1_000 + (0.6 if bad else -0.6):.4f}"

    told = trained(
        loans(amount=amount, rate=rate),
        ('sql: "amount / income"', 'sql: "amount"'),
        ("regularisation: 0.001", "regularisation: 0"),
    )

    assert told.code == 0, told.err
    fit = told.summary["train"]
    assert fit["cv"]["auc_mean"] > 0.999
    assert any("cv.auc is" in gate for gate in fit["failed_gates"])
    (model,) = arrow(tmp_path / "w/small_lender/models").to_pylist()
    assert "Infinity" not in model["document"]
    assert "NaN" not in model["document"]
    values = arrow(tmp_path / "w/small_lender/metrics").to_pylist()
    assert all(row["value"] is None or math.isfinite(row["value"]) for row in values)


def test_a_text_that_only_later_loans_have_is_scored_as_unseen(trained, tmp_path) -> None:
    text = loans().splitlines()
    lines = [text[0]]
    for line in text[1:]:
        fields = line.split(",")
        fields[4] = "TENT" if fields[5].startswith("2025") and len(lines) % 3 == 0 else fields[4]
        lines.append(",".join(fields))

    told = trained(
        "\n".join(lines) + "\n",
        (", one_of: [OWN, RENT]", ""),
        ("folds: 3", "folds: 3, out_of_time_from: 2025-01-01"),
    )

    assert told.code == 0, told.err
    fit = told.summary["train"]
    assert fit["out_of_time"]["auc"] > 0.55
    (model,) = arrow(tmp_path / "w/small_lender/models").to_pylist()
    assert "TENT" not in model["document"]


def presence(of_bad: float, of_good: float) -> Callable[[Random, bool], str]:
    """A rate that is the same wherever it is known, and known for such shares of bad and good."""
    return lambda draw, bad: "9" if draw.random() < (of_bad if bad else of_good) else ""


def test_a_feature_of_one_value_or_nothing_is_learnt_from_by_its_presence(
    trained, tmp_path
) -> None:
    text = loans(1500, rate=presence(0.5, 0.1))

    told = trained(text)

    assert told.code == 0, told.err
    assert told.summary["train"]["left_out"] == []
    (row,) = arrow(tmp_path / "w/small_lender/models").to_pylist()
    (rate,) = (each for each in ModelDocument.of(row["document"]).features if each.name == "rate")
    assert rate.slope == 0
    assert rate.missing.slope < -0.8
    assert told.summary["train"]["cv"]["auc_mean"] > 0.6
    # As the median alone, it says nothing.
    told = trained(text, ('rate: {sql: "rate"', 'rate: {missing: median, sql: "rate"'))
    assert told.summary["train"]["left_out"] == ["rate"]


def test_a_missing_value_is_the_median_where_presence_carries_no_weight(trained, tmp_path) -> None:
    some = {
        "income": lambda draw, bad: (
            "" if draw.random() < 0.3 else f"{draw.uniform(20_000, 90_000):.0f}"
        )
    }
    fits = []
    for change in ([], [("amount_to_income: {sql", "amount_to_income: {missing: indicator, sql")]):
        told = trained(loans(1500, **some), *change)
        assert told.code == 0, told.err
        fits.append(told.summary["train"]["model_version"])
    rows = {
        row["model_version"]: row for row in arrow(tmp_path / "w/small_lender/models").to_pylist()
    }
    first, second = (ModelDocument.of(rows[each]["document"]).features[0] for each in fits)
    assert first.missing is None
    assert second.missing is not None


def test_a_feature_whose_presence_is_the_answer_is_refused(trained) -> None:
    """By itself it ranks no better than others: half of the bad loans have no value either."""
    text = loans(rate=presence(0.5, 0.0))

    told = trained(text)

    assert told.code == 2
    assert (
        "features.rate: whether the value is missing almost determines the outcome: "
        in told.sentence
    )
    assert "with a value are bad" in told.sentence
    told = trained(text, ('rate: {sql: "rate"', 'rate: {accepted_leak: "a try", sql: "rate"'))
    assert told.code == 0, told.err
    assert any("almost determines the outcome" in each for each in told.summary["train"]["remarks"])
