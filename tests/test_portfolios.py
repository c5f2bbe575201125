"""Nights of the other real books, by their contracts alone: known figures, on held-out folds."""

import pytest

from tests.nights import arrow, run

AS_OF = "2026-01-31"
# Loans, then what others found on the same file by other means: AUC and KS in five folds.
BOOKS = {
    "bootcamp": ("bootcamp_lending/lending_data.csv", 77_536, (0.99, 1.0), (0.95, 1.0)),
    "german_credit": ("german_credit/german.data", 1_000, (0.755, 0.815), (0.39, 0.55)),
    "taiwan_credit_card": (
        "taiwan_credit_card/UCI_Credit_Card.csv", 30_000, (0.764, 0.784), (0.40, 0.43)
    ),
}  # fmt: skip


@pytest.mark.parametrize("portfolio", BOOKS)
def test_a_night_of_a_real_book(spark, capfd, real_data, tmp_path, monkeypatch, portfolio) -> None:
    name, rows, auc, ks = BOOKS[portfolio]
    monkeypatch.chdir(tmp_path)
    flags = ("--portfolio", portfolio, "--as-of", AS_OF, "--landing", real_data / name)

    told = run(capfd, "nightly", *flags, "--warehouse", tmp_path / "w", "--json")

    assert told.code == 0, told.err
    counts, fit = told.summary["clean"], told.summary["train"]
    assert (counts["read"], counts["accepted"], counts["quarantined"]) == (rows, rows, 0)
    assert auc[0] <= fit["cv"]["auc_mean"] <= auc[1]
    assert ks[0] <= fit["cv"]["ks_mean"] <= ks[1]
    assert fit["left_out"] == []
    scores = arrow(tmp_path / "w" / portfolio / "scores")
    assert scores.num_rows == len(set(scores["loan_id"].to_pylist())) == rows
    mean_pd = sum(scores["pd"].to_pylist()) / rows
    observed = scores["outcome"].to_pylist().count("bad") / rows
    assert mean_pd == pytest.approx(observed, rel=0.1)
    for row in scores.slice(0, 500).to_pylist():
        reasons = [row[f"reason_{nth}"] for nth in range(1, 5) if row[f"reason_{nth}"]]
        assert len(reasons) == len(set(reasons))
