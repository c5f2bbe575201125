"""What a kind of column needs."""

from typing import get_args

from credit_spark.config.models import Kind
from credit_spark.config.tables import TYPES
from credit_spark.ingest.parsers import PARSERS


def test_each_kind_has_a_type_and_a_parser() -> None:
    assert set(get_args(Kind)) == TYPES.keys() == PARSERS.keys()
