"""A training as most users of Spark ML would write it: `spark_ml_training.py LOANS BEFORE FOLDS OUT`.

In comes a Delta table of cleaned loans. One pipeline of Spark ML's own stages is fitted on the loans
with a known outcome that were issued before a day, and once without each fold, whose loans it
scores. Out go the fitted pipeline and the folds' counts by PD as a Delta table. There is no test out
of time, no gate, no calibration, no baseline for monitoring and no report.
"""

import sys

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import (
    Imputer,
    OneHotEncoder,
    StandardScaler,
    StringIndexer,
    VectorAssembler,
)
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from spark_session import session

NUMBERS = (
    "loan_amount", "term_months", "interest_rate", "employment_years", "annual_income",
    "debt_to_income", "delinquencies_2_years", "fico", "inquiries_6_months", "open_accounts",
    "public_records", "revolving_balance", "revolving_utilisation", "total_accounts",
)  # fmt: skip
TEXTS = ("grade", "home_ownership", "purpose")
# As credit-spark has it: coefficients agree with other solvers' to 1e-4.
TOLERANCE, MAX_ITERATIONS = 1e-8, 200


def main(loans: str, before: str, folds: str, out: str) -> None:
    """Fit on all of these loans and without each fold, and write."""
    spark = session()
    older = spark.read.format("delta").load(loans).where(F.col("issued_on") < before)
    rows = labelled(older, int(folds)).localCheckpoint()
    pipeline().fit(rows).write().overwrite().save(f"{out}/pipeline")
    for fold in range(int(folds)):
        fitted = pipeline().fit(rows.where(F.col("fold") != fold))
        scored = fitted.transform(rows.where(F.col("fold") == fold))
        pd = F.round(vector_to_array("probability")[1], 3).alias("pd")
        counts = scored.groupBy("fold", pd, "label").count()
        counts.write.format("delta").mode("append").save(f"{out}/counts")
    spark.stop()


def labelled(loans: DataFrame, folds: int) -> DataFrame:
    """Features, `label` (1.0 bad, 0.0 good) and `fold` of loans with a known outcome."""
    return loans.where(F.col("outcome").isin("good", "bad")).select(
        *[F.col(each).cast("double").alias(each) for each in NUMBERS],
        *[F.coalesce(each, F.lit("(missing)")).alias(each) for each in TEXTS],
        F.when(F.col("outcome") == "bad", 1.0).otherwise(0.0).alias("label"),
        F.pmod(F.xxhash64("loan_id"), F.lit(folds)).alias("fold"),
    )


def pipeline() -> Pipeline:
    """The stages, not fitted."""
    filled, indexed, levels = (
        [f"{stage}_{each}" for each in columns]
        for stage, columns in (("filled", NUMBERS), ("index", TEXTS), ("levels", TEXTS))
    )
    return Pipeline(stages=[
        Imputer(inputCols=list(NUMBERS), outputCols=filled, strategy="median"),
        StringIndexer(inputCols=list(TEXTS), outputCols=indexed, handleInvalid="keep"),
        OneHotEncoder(inputCols=indexed, outputCols=levels),
        VectorAssembler(inputCols=[*filled, *levels], outputCol="assembled"),
        StandardScaler(inputCol="assembled", outputCol="features"),
        LogisticRegression(maxIter=MAX_ITERATIONS, tol=TOLERANCE),
    ])  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:5])
