"""The whole night. Loans are judged while they are scored; no score is seen before they pass."""

from functools import partial

from credit_spark.contract.errors import GateError
from credit_spark.contract.tables import loans
from credit_spark.evaluation.drift import Status
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.ingest import clean
from credit_spark.pipeline.measure import measure
from credit_spark.pipeline.monitor import monitor
from credit_spark.pipeline.promote import promote
from credit_spark.pipeline.score import score
from credit_spark.pipeline.train import train
from credit_spark.pipeline.validate import Counted, asked_of, check_suites, validate


def nightly(night: RunContext, *, retrain: bool = False, fail_on: Status | None = None) -> None:
    """Clean, validate, train where there is no champion yet, score, measure, monitor one night."""
    check_suites(night.suites, night.contract)
    table = loans(night.contract)
    asked = asked_of(night, table)
    staged = night.step("clean", partial(clean, asked=asked))
    counted = Counted.when_staged(asked, night.tables.path(table), staged)
    with night.meanwhile("validate", partial(validate, counted=counted)) as gate:
        if retrain or night.models.champion(night.as_of) is None:
            gate.result()
            renew(night)
        tally = night.step("score", partial(score, gate=gate))
    night.step("measure", partial(measure, tally=tally))
    night.step("monitor", partial(monitor, fail_on=fail_on))


def renew(night: RunContext) -> None:
    """Train, and promote what passes its gates; where there is a champion, it may stay.

    Raises:
        GateError: the fit did not pass, and there is no champion to stay.
    """
    champion = night.models.champion(night.as_of)
    try:
        fitted = night.step("train", train)
        night.step("promote", partial(promote, version=fitted.version))
    except GateError:
        if champion is None:
            raise
        night.ledger.note("kept", {"model_version": champion.version})
