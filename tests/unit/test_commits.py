"""Delta's conflicts, as the classic session and Spark Connect raise them."""

import pytest
from delta.exceptions import ConcurrentAppendException

from credit_spark.config.errors import TryAgainError
from credit_spark.storage.commits import delta_errors

CONNECT = type(
    "ConcurrentAppend", (ConcurrentAppendException,), {"__module__": "delta.connect.exceptions"}
)


@pytest.mark.parametrize("raised", [ConcurrentAppendException, CONNECT])
def test_a_conflict_is_to_be_tried_again(raised) -> None:
    with (
        pytest.raises(TryAgainError, match="other runs wrote to 'runs'"),
        delta_errors("file:/w/runs"),
    ):
        raise raised("a borrower's value")
