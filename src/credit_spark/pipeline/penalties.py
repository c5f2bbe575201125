"""The penalty on coefficients, chosen by cross-validation where the contract gives several."""

from typing import NamedTuple

from credit_spark.contract.models import Penalty
from credit_spark.evaluation.calibration import log_loss
from credit_spark.evaluation.cells import by_risk
from credit_spark.evaluation.figures import ALL, Figure
from credit_spark.evaluation.metrics import auc
from credit_spark.pipeline.book import Book
from credit_spark.pipeline.context import RunContext
from credit_spark.pipeline.trials import cross_validated


class Choice(NamedTuple):
    """The penalty that does best on held-out loans, and the figures of each."""

    penalty: Penalty
    figures: tuple[Figure, ...]


def chosen_penalty(run: RunContext, book: Book) -> Choice:
    """The penalty with the least log loss in the folds, of equals the strongest.

    Fitted with no treatment, whose log-odds need no calibration.
    """
    penalties = run.contract.model.penalties
    if len(penalties) == 1:
        return Choice(penalties[0], ())

    cells = [
        by_risk(cell for fold in folds.values() for cell in fold)
        for folds in cross_validated(run, book, ["none"], penalties)
    ]
    losses = [log_loss(each) or 0.0 for each in cells]
    rows = int(book.counts.good + book.counts.bad)
    figures = [
        Figure(None, ALL, None, metric.__name__, metric(each), rows, str(penalty))
        for penalty, each in zip(penalties, cells, strict=True)
        for metric in (log_loss, auc)
    ]
    return Choice(penalties[losses.index(min(losses))], tuple(figures))
