"""A challenger that scores the loans that the champion has scored."""

from types import SimpleNamespace

from credit_spark.config.models import Loss
from credit_spark.pipeline.measure import SHADOW, _in_shadow
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import columns_read
from tests.batches import arrow


def test_a_shadow_needs_no_exposure(spark, done, lending_club) -> None:
    """Models and hard rules do not read it, so what was kept of the loans need not have it."""
    loss = Loss(exposure="total_paid", given_default=0.5)
    contract = lending_club.model_copy(update={"loss": loss})
    (model,) = arrow(done / "models").to_pylist()
    document, policy = ModelDocument.of(model["document"]), Policy.of(contract)
    loans, scores = (
        spark.read.format("delta").load(str(done / name)) for name in ("loans", "scores")
    )
    decided = scores.select("loan_id", "outcome", "decision")
    read = loans.select("loan_id", *columns_read(document, policy))
    by_champion = read.join(decided, "loan_id", "inner")

    measured = _in_shadow(SimpleNamespace(contract=contract), policy, by_champion, document)

    assert sum(each.loans for each in measured.score_bins[SHADOW][None]) == scores.count()
