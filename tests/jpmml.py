"""PMML as JPMML evaluates it: an implementation of the standard that has nothing of ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pyarrow as pa

# In come PMML and a table; out go the output fields of each row.
Evaluate = Callable[[str, pa.Table], list[dict[str, Any]]]


@contextmanager
def evaluation() -> Iterator[Evaluate]:
    """What evaluates, for as long as its JVM runs."""
    from jpmml_evaluator import make_evaluator
    from jpmml_evaluator.py4j import Py4JBackend

    backend = Py4JBackend()

    def evaluate(pmml: str, loans: pa.Table) -> list[dict[str, Any]]:
        evaluator = make_evaluator(pmml, backend)
        names = ["loan_id", *(each.name for each in evaluator.getInputFields())]
        outputs = evaluator.evaluateAll(arguments(loans.select(names)))
        assert "errors" not in outputs, outputs["errors"].dropna().unique()[:3]
        return outputs.astype(object).where(outputs.notna(), None).to_dict("records")

    try:
        yield evaluate
    finally:
        Py4JBackend.destroyGateway()


def arguments(loans: pa.Table) -> pd.DataFrame:
    """A table as JPMML takes it: nulls are None, a date is a text."""
    columns = {
        field.name: [
            str(each) if each is not None and pa.types.is_date(field.type) else each
            for each in loans[field.name].to_pylist()
        ]
        for field in loans.schema
    }
    return pd.DataFrame(columns, dtype=object)
