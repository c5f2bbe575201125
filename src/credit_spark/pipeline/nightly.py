"""The nightly run: every step in order; what they stage is published after the last one.

A line of a landing file becomes a row of `scores` in these modules, in this order:
pipeline/ingest.py; ingest/files.py and layouts.py (which layout the file has), records.py, lines.py
and islands.py (which lines are one record), columns.py, parsers.py, rules.py and deduplication.py;
pipeline/score.py, which reads the staged loans; scoring/frames.py and sql.py. `attempt` in
pipeline/context.py then publishes what storage/tables.py has staged.
"""

from functools import partial

from credit_spark.config.errors import GateError
from credit_spark.config.tables import METRICS, SCORE_DISTRIBUTION, scores
from credit_spark.monitoring.drift import Status
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.ingest import ingest
from credit_spark.pipeline.measure import measure
from credit_spark.pipeline.monitor import monitor
from credit_spark.pipeline.promote import AUTOMATIC, check_gates, make_champion
from credit_spark.pipeline.score import check_champion, score
from credit_spark.pipeline.train import train
from credit_spark.pipeline.validate import validate, validate_table

# The step's note where a model was refused, and no champion stays.
REFUSED = "model refused"


def nightly(run: RunContext, *, retrain: bool = False, fail_on: Status | None = None) -> None:
    """Clean, validate, train if there is no champion yet, score, measure and monitor one date."""
    champion = run.models.champion(run.as_of)
    if champion and not retrain:
        check_champion(run.contract, champion)
    run.step("clean", ingest)
    run.step("validate", validate)
    if retrain or run.models.champion(run.as_of) is None:
        renew(run)
    scored = run.step("score", score)
    run.step("validate scores", partial(validate_table, table=scores(run.contract)))
    measured = run.step("measure", partial(measure, scored=scored))
    run.step("monitor", partial(monitor, measured=measured, fail_on=fail_on))


def renew(run: RunContext) -> None:
    """Train a model; promote it where it passes its gates and promotion is automatic.

    Else a champion that has the contract's inputs stays.

    Raises:
        GateError: there is none, and the model fails its gates or waits for a decision.
    """
    champion = run.models.champion(run.as_of)
    if champion and champion.changed_inputs(run.contract):
        champion = None
    try:
        fitted = run.step("train", train)
        run.step("promote", partial(promote_or_wait, version=fitted.version))
    except GateError as error:
        if champion is None:
            # Nothing scores the date. The fit can be promoted; its figures say why it was not.
            run.tables.publish_alone(METRICS, SCORE_DISTRIBUTION)
            run.summary.note(REFUSED, {})
            raise
        run.summary.note("kept", {"model_version": champion.version, "why": str(error)})


def promote_or_wait(run: RunContext, version: str) -> None:
    """Promote a fit that passes its gates, where the contract says that this is automatic.

    A fit that is champion already stays it, whoever promoted it.

    Raises:
        GateError: it fails a gate, or waits for someone's decision.
    """
    champion = run.models.champion(run.as_of)
    if champion and champion.version == version:
        # Another training on the same loans fits the same model.
        run.summary.note("promote", {"model_version": version, "overruled": []})
        return
    if run.contract.promotion == "automatic":
        make_champion(run, version, AUTOMATIC)
        return
    check_gates(run, version)
    raise GateError(
        f"the model {version} passes its gates and waits for a decision (promotion is manual): "
        f"credit-spark promote --portfolio {run.contract.portfolio} --as-of {run.as_of} "
        f"--model {version} --by NAME --reason TEXT"
    )
