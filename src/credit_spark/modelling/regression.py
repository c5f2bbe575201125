"""The fit: Spark ML's logistic regression on the vectors of a design, told as a document's terms.

A design is made of training rows as they are; treatments of the imbalance are then of its vectors.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyspark import StorageLevel
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.sql import DataFrame

from credit_spark.contract.models import Penalty
from credit_spark.modelling.imbalance import WEIGHT
from credit_spark.modelling.pipeline import ASSEMBLED
from credit_spark.scoring.document import Term

MOST_ITERATIONS = 500
# Coefficients then agree with those of other solvers to six digits.
TOLERANCE = 1e-9


class Equation(NamedTuple):
    """Log-odds of bad as terms, in the features' order, and an intercept."""

    terms: tuple[Term, ...]
    intercept: float


class Design(NamedTuple):
    """What a regression sees of a loan, and what its numbers mean.

    `stages` lead from feature columns to the vector `assembled`; `told` makes an equation of the
    slopes of the vector's slots and the intercept.
    """

    stages: PipelineModel
    told: Callable[[Sequence[float], float], Equation]


class Fit(NamedTuple):
    """An equation, and the pipeline that it stands for: the reference of scoring."""

    equation: Equation
    pipeline: PipelineModel


def vectors(design: Design, rows: DataFrame, *beside: str) -> DataFrame:
    """The rows' vectors and the columns `beside` them, made when first asked for, and kept."""
    made = design.stages.transform(rows).select(*beside, ASSEMBLED)
    # Each task of an iteration bears the plan that its rows come from: cut off, a fit of a few
    # thousand rows takes half the time. On disk, since the regression keeps blocks of its own.
    return made.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY)


def fits(design: Design, training: DataFrame, penalties: Sequence[Penalty]) -> list[Fit]:
    """A logistic regression for each penalty, on the same vectors with `label` and `weight`.

    Labels are 1 bad, 0 good.
    """
    found = []
    for penalty in penalties:
        regression = LogisticRegression(
            featuresCol=ASSEMBLED,
            labelCol="label",
            weightCol=WEIGHT,
            regParam=penalty.regularisation,
            elasticNetParam=penalty.elastic_net,
            # The penalty is of coefficients of scaled features. Spark divides by deviations in its
            # own blocks, so that levels stay sparse.
            standardization=True,
            maxIter=MOST_ITERATIONS,
            tol=TOLERANCE,
        ).fit(training)
        equation = design.told(regression.coefficients.toArray().tolist(), regression.intercept)
        found.append(Fit(equation, PipelineModel([*design.stages.stages, regression])))
    return found
