"""The batch as most users of Spark ML would write it: `spark_ml_night.py LANDING MODEL AS_OF OUT`.

In come a folder of sample files, a model document as JSON and the batch; out go the Delta tables
`loans`, `quarantine` and `scores`. A fitted pipeline of Spark ML's own stages (StringIndexer,
OneHotEncoder, VectorAssembler, StandardScaler, LogisticRegression) scores. Python can fit such
stages but not make all of them from numbers, so those that it cannot are made in Java from the
document's means, deviations and coefficients; nothing is fitted here. Missing numbers are filled by
`na.fill`, as an Imputer's model would.
"""

import sys
from collections.abc import Iterator
from datetime import date
from functools import reduce
from typing import Any, NamedTuple

import book
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegressionModel
from pyspark.ml.common import _py2java
from pyspark.ml.feature import (
    OneHotEncoderModel,
    StandardScalerModel,
    StringIndexerModel,
    VectorAssembler,
)
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import Vectors
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from spark_session import session

MALFORMED = "_corrupt_record"


class Rule(NamedTuple):
    """A rule: its name, what holds, and the text to blame."""

    name: str
    holds: Column
    text: Column


def number(text: Column) -> Column:
    return text.try_cast("double")


def whole(text: Column) -> Column:
    return text.try_cast("double").try_cast("int")


def money(text: Column) -> Column:
    bare = F.regexp_replace(text, r"^[($ ]+|[)$ ]+$", "")
    amount = F.regexp_replace(bare, ",", "").try_cast("double")
    sign = F.when(text.startswith("("), -1).otherwise(1)
    return F.when(bare.rlike(book.PLAIN_MONEY), amount * sign)


def months(text: Column) -> Column:
    return F.regexp_replace(text, " months", "").try_cast("int")


def years(text: Column) -> Column:
    full = F.regexp_extract(text, r"^(\d+)", 1).try_cast("int")
    return F.when(text == "< 1 year", 0).otherwise(full)


def rate(text: Column) -> Column:
    return F.regexp_replace(text, "%$", "").try_cast("double") / 100


def share(text: Column) -> Column:
    highest = F.lit(float(book.HIGHEST_SHARE))
    return F.when(rate(text) > highest, highest).otherwise(rate(text))


def day(text: Column) -> Column:
    formats = [F.try_to_timestamp(text, F.lit(each)) for each in ("MMM-yyyy", "yyyy-MM-dd")]
    return F.coalesce(*formats).cast("date")


READINGS = {
    "text": lambda text: text, "number": number, "whole": whole, "money": money, "months": months,
    "years": years, "rate": rate, "share": share, "day": day,
}  # fmt: skip


def main(landing: str, model: str, as_of: str, out: str) -> None:
    """Read, clean, score and write one batch."""
    spark = session()
    validated = newest(judge(typed(lines(spark, landing)), date.fromisoformat(as_of))).cache()
    key = F.col("loan_number").alias("loan_id")
    accepted, unsound = validated.where("is_sound and nth = 1"), validated.where("not is_sound")
    loans = accepted.select(key, *book.COLUMNS, "outcome", "source_file")
    write(loans, f"{out}/loans")
    write(unsound.select(key, "reasons", "raw", "source_file"), f"{out}/quarantine")
    write(scores(loans, book.read_model(model)), f"{out}/scores")
    spark.stop()


def write(rows: DataFrame, path: str) -> None:
    """Write rows as a Delta table."""
    rows.write.format("delta").save(path)


def lines(spark: SparkSession, landing: str) -> DataFrame:
    """The files' fields as texts, without what stands above and below their loans."""
    schema = ", ".join(f"{name} string" for name in (*book.HEADERS, MALFORMED))
    fields = spark.read.csv(landing, schema=schema, multiLine=True, escape='"', mode="PERMISSIVE")
    around = F.col("id").startswith(book.PREAMBLE) | F.col("id").startswith(book.FOOTER)
    is_header = F.col("id") == "id"
    is_loan = ~F.coalesce(around | is_header, F.lit(False))
    return fields.where(is_loan).withColumn("source_file", F.col("_metadata.file_name"))


def typed(fields: DataFrame) -> DataFrame:
    """The loans' columns beside the texts that they were read from."""
    texts = {f"text_{name}": given(name) for name in book.COLUMNS}
    values = {
        name: READINGS[kind](F.col(f"text_{name}")) for name, (_, kind) in book.COLUMNS.items()
    }
    outcome = F.lit(None).cast("string")
    for name, statuses in book.OUTCOMES.items():
        outcome = F.when(F.col("loan_status").isin(*statuses), name).otherwise(outcome)
    named = fields.withColumns({**texts, "fields": F.struct(*book.HEADERS)})
    return named.withColumns(values).withColumn("outcome", outcome)


def given(name: str) -> Column:
    """A column's text without the spaces around it; null where it stands for nothing."""
    bare = F.trim(book.COLUMNS[name].header)
    return F.when(~bare.isin(*book.missing(name)), bare)


def rules_of(as_of: date) -> Iterator[Rule]:
    """Every rule, in the order of the reasons."""
    nothing = F.lit(None).cast("string")
    status, issued_on, began_on = map(F.col, ("loan_status", "issued_on", "earliest_credit_on"))
    yield Rule(book.CUT_SHORT, F.col(MALFORMED).isNull(), nothing)
    yield Rule("key_is_present", F.col("loan_number").isNotNull(), nothing)
    for name, spec in book.promises():
        yield Rule(f"{name}_{spec}", PROMISES[spec](name), F.col(f"text_{name}"))
    yield Rule("outcome_is_known", status.isNull() | F.col("outcome").isNotNull(), status)
    yield Rule("issued_by_as_of", issued_on.isNull() | (issued_on <= F.lit(as_of)), nothing)
    is_unknown = began_on.isNull() | issued_on.isNull()
    yield Rule("credit_began_before_the_loan", is_unknown | (began_on <= issued_on), nothing)


PROMISES = {
    "is_readable": lambda name: F.col(name).isNotNull() | F.col(f"text_{name}").isNull(),
    "is_present": lambda name: F.col(f"text_{name}").isNotNull(),
    "is_within_range": lambda name: F.col(name).isNull() | F.col(name).between(*book.RANGES[name]),
    "is_one_of_its_set": lambda name: F.col(name).isNull() | F.col(name).isin(*book.SETS[name]),
}


def judge(lines: DataFrame, as_of: date) -> DataFrame:
    """Add the reasons of every line, and whether it has none."""
    reasons = [
        F.when(~F.coalesce(rule.holds, F.lit(False)), blamed(rule)) for rule in rules_of(as_of)
    ]
    told = lines.withColumn("reasons", F.array_compact(F.array(*reasons)))
    return told.withColumn("is_sound", F.size("reasons") == 0)


def blamed(rule: Rule) -> Column:
    """The rule and the text to blame."""
    return F.concat_ws(": ", F.lit(rule.name), rule.text.substr(1, book.BLAMED_LETTERS))


def newest(validated: DataFrame) -> DataFrame:
    """Number the lines of each key, the newest first, and keep what the tables need."""
    order = [F.col("last_payment_on").desc_nulls_last(), F.col("source_file").desc()]
    window = Window.partitionBy("loan_number", "is_sound").orderBy(*order)
    kept = ("outcome", "source_file", "is_sound", "reasons")
    # Only the few unsound lines are put together as text again.
    raw = F.when(~F.col("is_sound"), F.coalesce(F.col(MALFORMED), F.to_json("fields")))
    needed = validated.select(*book.COLUMNS, *kept, raw.alias("raw"))
    return needed.withColumn("nth", F.row_number().over(window))


def scores(loans: DataFrame, model: book.Model) -> DataFrame:
    """Scores of the accepted loans; the features' SQL is the document's own."""
    rated = pipeline(loans.sparkSession, model).transform(featured(loans, model))
    numbers = rated.select(
        "loan_id",
        bounded(vector_to_array("rawPrediction")[1]).alias("log_odds"),
        vector_to_array("scaled").alias("scaled"),
    )
    points = model.points_at_even_odds - model.points_a_log_odds * F.col("log_odds")
    told = numbers.select(
        "loan_id",
        (1 / (1 + F.exp(-F.col("log_odds")))).alias("pd"),
        F.floor(points + 0.5).cast("int").alias("points"),
        ranked(model).alias("costs"),
    )
    chosen = [band(model).alias("band"), decision(model).alias("decision")]
    reasons = [reason(nth).alias(f"reason_{nth + 1}") for nth in range(book.REASONS)]
    return told.select("loan_id", "pd", "points", *chosen, *reasons)


def bounded(log_odds: Column) -> Column:
    widest = F.lit(float(book.WIDEST_LOG_ODDS))
    return F.greatest(F.least(log_odds, widest), -widest)


def ranked(model: book.Model) -> Column:
    """Reasons with what each costs, the dearest first; ties in the document's order."""
    costs = [
        F.struct(
            (-cost).alias("gain"), F.lit(nth).alias("place"), F.lit(each["reason"]).alias("reason")
        )
        for nth, (cost, each) in enumerate(zip(costs_of(model), model.features, strict=True))
    ]
    return F.array_sort(F.array(*costs))


def costs_of(model: book.Model) -> Iterator[Column]:
    """What each feature adds to the log-odds: the sum over its places in the vector."""
    at = 0
    for each in model.features:
        pieces = each.get("levels", [each])
        parts = [F.col("scaled")[at + n] * F.lit(p["coefficient"]) for n, p in enumerate(pieces)]
        yield reduce(Column.__add__, parts)
        at += len(pieces)


def reason(nth: int) -> Column:
    cost = F.get("costs", F.lit(nth))
    return F.when(cost["gain"] < 0, cost["reason"])


def band(model: book.Model) -> Column:
    chosen = F.lit(list(model.bands)[-1])
    for name, below in reversed(model.bands.items()):
        chosen = F.when(F.col("pd") < below, name).otherwise(chosen)
    return chosen


def decision(model: book.Model) -> Column:
    approved = F.when(F.col("pd") < model.approve_below, "approve")
    return approved.when(F.col("pd") >= model.decline_from, "decline").otherwise("review")


def featured(loans: DataFrame, model: book.Model) -> DataFrame:
    """The features, missing numbers filled by the document's, missing texts by a text."""
    types = {"number": "double", "category": "string"}
    values = [
        F.expr(each["sql"]).cast(types[each["kind"]]).alias(each["name"]) for each in model.features
    ]
    fillings = {each["name"]: each.get("imputed", "(missing)") for each in model.features}
    return loans.select("loan_id", *values).na.fill(fillings)


def pipeline(spark: SparkSession, model: book.Model) -> PipelineModel:
    """The document's model as Spark ML's own stages."""
    columns = [slot(each) for each in model.features]
    assembler = VectorAssembler(inputCols=columns, outputCol="features")
    stages = [*encoders(spark, model), assembler, scaler(spark, model), regression(spark, model)]
    return PipelineModel(stages)


def slot(feature: dict[str, Any]) -> str:
    """The column that goes into the vector: of a text, its indicators."""
    return feature["name"] if feature["kind"] == "number" else f"{feature['name']}_indicators"


def encoders(spark: SparkSession, model: book.Model) -> Iterator[Any]:
    """Texts to their indicators: one that was never seen has the last index, which is dropped."""
    texts = [each for each in model.features if each["kind"] == "category"]
    indexes = [f"{each['name']}_index" for each in texts]
    labels = [[level["text"] for level in each["levels"]] for each in texts]
    for each, known, index in zip(texts, labels, indexes, strict=True):
        yield StringIndexerModel.from_labels(known, each["name"], index, handleInvalid="keep")
    sizes = spark.sparkContext._gateway.new_array(spark._jvm.int, len(labels))
    for nth, each in enumerate(labels):
        sizes[nth] = len(each) + 1
    made = spark._jvm.org.apache.spark.ml.feature.OneHotEncoderModel("encoder", sizes)
    encoder = OneHotEncoderModel(made)
    yield encoder.setInputCols(indexes).setOutputCols([slot(each) for each in texts])


def scaler(spark: SparkSession, model: book.Model) -> StandardScalerModel:
    """Every place of the vector less its mean, by its deviation."""
    deviations, means = vector(spark, model, "deviation"), vector(spark, model, "mean")
    made = spark._jvm.org.apache.spark.ml.feature.StandardScalerModel("scaler", deviations, means)
    stage = StandardScalerModel(made).setInputCol("features").setOutputCol("scaled")
    stage.set(stage.withMean, True)
    return stage


def regression(spark: SparkSession, model: book.Model) -> LogisticRegressionModel:
    """The log-odds of bad and its probability."""
    kind = spark._jvm.org.apache.spark.ml.classification.LogisticRegressionModel
    made = kind("regression", vector(spark, model, "coefficient"), model.constant)
    return LogisticRegressionModel(made).setFeaturesCol("scaled")


def vector(spark: SparkSession, model: book.Model, key: str) -> Any:
    """A number of each place of the vector, for Java."""
    pieces = [piece for each in model.features for piece in each.get("levels", [each])]
    return _py2java(spark.sparkContext, Vectors.dense([piece[key] for piece in pieces]))


if __name__ == "__main__":
    main(*sys.argv[1:5])
