"""A model document's SQL run by Spark: a DataFrame of loans in, one of scores or terms out."""

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame

from credit_spark.config.models import Kind
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.policy import Policy
from credit_spark.scoring.sql import scoring_sql, terms_sql

Kinds = Mapping[str, Kind]


def scores_of(
    loans: DataFrame,
    document: ModelDocument,
    policy: Policy,
    kinds: Kinds,
    keep: Sequence[str],
) -> DataFrame:
    """Each loan's `keep` columns and score, as in `scoring_sql`; `kinds` are those of `loans`."""
    return selected(loans, scoring_sql(document, policy, kinds, "spark", keep))


def terms_of(
    loans: DataFrame, document: ModelDocument, kinds: Kinds, keep: Sequence[str]
) -> DataFrame:
    """Each loan's `keep` columns, `log_odds` and terms, as in `terms_sql`."""
    return selected(loans, terms_sql(document, kinds, "spark", keep))


def selected(loans: DataFrame, sql: str) -> DataFrame:
    """The rows of a SELECT from a table `loans`, which this frame is, in this statement only."""
    # Spark's formatter replaces {loans}, and must leave the braces of a contract's texts alone.
    text = sql.replace("{", "{{").replace("}", "}}")
    statement = "\n".join(["with loans as (select * from {loans}) select * from (", text, ")"])
    return loans.sparkSession.sql(statement, loans=loans)
