"""Batches of the other real books, by their contracts alone: known figures, on held-out folds."""

import pytest

from tests.batches import arrow, run

pytestmark = pytest.mark.release

# Loans, then what others found on the same file by other means: AUC and KS in five folds.
BOOKS = {
    "bootcamp": (77_536, (0.99, 1.0), (0.95, 1.0)),
    "german_credit": (1_000, (0.77, 0.81), (0.44, 0.53)),
    "taiwan_credit_card": (30_000, (0.774, 0.784), (0.413, 0.43)),
}


@pytest.mark.parametrize("portfolio", BOOKS)
def test_a_batch_of_a_real_book(real_batch, portfolio) -> None:
    rows, auc, ks = BOOKS[portfolio]

    told = real_batch(portfolio)

    counts, fit = told.summary["clean"], told.summary["train"]
    assert (counts["read"], counts["accepted"], counts["quarantined"]) == (rows, rows, 0)
    assert auc[0] <= fit["cv"]["auc_mean"] <= auc[1]
    assert ks[0] <= fit["cv"]["ks_mean"] <= ks[1]
    assert fit["left_out"] == []
    scores = arrow(told.tables / "scores")
    assert scores.num_rows == len(set(scores["loan_id"].to_pylist())) == rows
    mean_pd = sum(scores["pd"].to_pylist()) / rows
    observed = scores["outcome"].to_pylist().count("bad") / rows
    assert mean_pd == pytest.approx(observed, rel=0.1)


def test_german_credits_other_form_is_trained_on_the_columns_that_it_has(
    spark, capfd, real_data, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = (
        "--portfolio", "german_credit", "--as-of", "2026-01-31", "--warehouse", tmp_path / "w",
        "--landing", real_data / "german_credit/german_credit_data.csv", "--json",
    )  # fmt: skip

    assert run(capfd, "clean", *flags).code == 0
    told = run(capfd, "train", *flags)

    assert told.code == 0, told.err
    fit = told.summary["train"]
    assert (fit["rows"], fit["bad"]) == (1000, 300)
    assert fit["left_out"] == [
        "credit_history", "employment", "owed_income_share", "other_debtors", "property",
        "other_plans", "credits_here", "telephone",
    ]  # fmt: skip
    assert 0.72 <= fit["cv"]["auc_mean"] <= 0.77
