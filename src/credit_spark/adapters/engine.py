"""Great Expectations' engine on Spark, told what was counted before; it asks Spark for the rest."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from great_expectations.execution_engine import SparkDFExecutionEngine

from credit_spark.evaluation.questions import Question


class ToldEngine(SparkDFExecutionEngine):  # type: ignore[misc]
    """Resolves a metric by its answer, where `answers` have one."""

    answers: Mapping[Question, float | None] = MappingProxyType({})

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[Any],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> dict[Any, Any]:
        """The values of metrics, by their ids."""
        told, left = {}, []
        for each in metrics_to_resolve:
            question = question_of(each)
            if question is not None and question in self.answers:
                told[each.id] = self.answers[question]
            else:
                left.append(each)
        return {**told, **super().resolve_metrics(left, metrics, runtime_configuration)}


def question_of(metric: Any) -> Question | None:
    """What a metric asks of all rows and of one column at most; None: it asks otherwise."""
    about = {name: each for name, each in metric.metric_domain_kwargs.items() if each is not None}
    if about.keys() - {"batch_id", "column"}:
        return None
    return Question.on(metric.metric_name, about.get("column", ""), metric.metric_value_kwargs)
