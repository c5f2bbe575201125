"""What the page and its JSON say of a loan, an applicant and a batch: one answer for both."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from math import isclose
from typing import Any, NamedTuple

from credit_spark.config.errors import InputError, listed
from credit_spark.config.models import Contract
from credit_spark.config.tables import DECISIONS, REASONS
from credit_spark.scoring.document import ModelDocument
from credit_spark.scoring.evaluator import RecordScorer, Score
from credit_spark.scoring.policy import Policy, scale_of
from credit_spark.scoring.scorecard import parts
from credit_spark.scoring.sql import columns_read
from credit_spark.serving.fields import FormField, fields_of
from credit_spark.storage.reader import TableReader

GOOD_OR_BAD = {"approve": "good", "review": "manual review", "decline": "bad"}
WRITTEN = ("pd", "points", "band", "decision")
# Engines may differ in the last digits of a PD.
SAME_PD = 1e-9
CLEANED_SINCE = (
    "The loan was cleaned again after it was scored: each feature's points are those of its data "
    "now, and do not add up to the score."
)
HEADLINES = ("ks", "auc", "mean_pd", "observed_rate")


class LoadedModel(NamedTuple):
    """A model made ready to answer: what it takes a request longest to make."""

    document: ModelDocument
    policy: Policy
    scorer: RecordScorer
    fields: list[FormField]
    changed_inputs: list[str]


class ScoringService:
    """Answers on the newest complete batch of one portfolio."""

    def __init__(self, contract: Contract, reader: TableReader) -> None:
        self.title, self._contract, self._reader = contract.title, contract, reader
        self._loaded = lru_cache(maxsize=1)(self._load)
        self._summary = lru_cache(maxsize=1)(self._summarised)

    def batch(self) -> dict[str, Any]:
        """The newest batch at a glance; counted once a run."""
        as_of = self._reader.latest()
        return self._summary(as_of, self._reader.complete_dates()[as_of]["run_id"])

    def _summarised(self, as_of: date, _: str) -> dict[str, Any]:
        decisions, bands = (
            {row[column]: row["loans"] for row in self._reader.sums(as_of, column)}
            for column in ("decision", "band")
        )
        figures = self._reader.date_figures(HEADLINES).get(as_of, {})
        return {
            "as_of": str(as_of),
            "model_version": self._reader.model_of(as_of).version,
            "loans": sum(decisions.values()),
            "decisions": {name: decisions.get(name, 0) for name in DECISIONS},
            "bands": {
                name: bands.get(name, 0)
                for name in self._reader.policy_of(as_of, self._contract).score.bands
            },
            "metrics": {name: figures.get(name) for name in HEADLINES},
        }

    def loan(self, loan_id: str, as_of: date | None = None) -> dict[str, Any] | None:
        """A loan's score of a batch, the newest by default, as it was written, with its parts.

        Raises:
            InputError: the loan has a score, and its data is no longer there.
        """
        as_of = as_of or self._reader.latest()
        row = self._reader.score(loan_id, as_of)
        if row is None:
            return None
        model = self._model_for(row["model_version"], as_of)
        given = self._reader.loan(loan_id, as_of, columns_read(model.document, model.policy))
        if given is None:
            raise InputError(
                f"the loan has a score of {as_of}, and no row in 'loans' any more, so that nothing "
                f"explains it; its row in 'scores' is as it was"
            )
        computed = model.scorer.score(given)
        written = {name: row[name] for name in WRITTEN}
        reasons = tuple(row[name] for name in REASONS if row[name])
        score = computed._replace(**written, reasons=reasons)
        about = {"loan_id": loan_id, "as_of": str(as_of), "outcome": row["outcome"]}
        if isclose(computed.pd, score.pd, rel_tol=SAME_PD):
            return {**about, **_answer(score, score, model)}
        return {**about, **_answer(score, computed, model), "remark": CLEANED_SINCE}

    def applicant(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The score that the newest batch's model gives to an applicant.

        Raises:
            InputError: the contract now has other inputs than the model was fitted on.
        """
        model = self._newest()
        score = model.scorer.score(values)
        return _answer(score, score, model)

    def fields(self) -> list[FormField]:
        """The form's fields.

        Raises:
            InputError: the contract now has other inputs than the model was fitted on.
        """
        return self._newest().fields

    def _newest(self) -> LoadedModel:
        latest = self._reader.latest()
        model = self._model_for(self._reader.model_of(latest).version, latest)
        # The form reads what is typed as the contract says now.
        if model.changed_inputs:
            headline = (
                "applicants cannot be scored: the contract has other inputs than the model "
                f"{model.document.version} was fitted on; put them back, or train a model on the "
                "new ones (nightly --retrain)"
            )
            raise InputError(listed(headline, model.changed_inputs))
        return model

    def _model_for(self, version: str, as_of: date) -> LoadedModel:
        return self._loaded(version, self._reader.policy_of(as_of, self._contract).as_json())

    def _load(self, version: str, policy_json: str) -> LoadedModel:
        document = self._reader.document(version)
        policy = Policy.model_validate_json(policy_json)
        # Of the columns that it was fitted on those of the fit, by which its SQL is typed.
        fitted = document.inputs.columns if document.inputs else {}
        kinds = self._contract.kinds | {name: each["kind"] for name, each in fitted.items()}
        scorer = RecordScorer(document, policy, kinds)
        fields = fields_of(self._contract, document, policy)
        changed = document.changed_inputs(self._contract)
        return LoadedModel(document, policy, scorer, fields, changed)


def _answer(score: Score, explained: Score, model: LoadedModel) -> dict[str, Any]:
    """A score, good or bad, its reasons, and every feature's points of the one `explained`."""
    plan = model.policy.score
    scale = scale_of(plan)
    return {
        "good_or_bad": GOOD_OR_BAD[score.decision],
        **{name: getattr(score, name) for name in WRITTEN},
        "reasons": list(score.reasons),
        "parts": [
            {"feature": each.name, "value": each.value, "points": each.points}
            for each in parts(explained, model.document, plan)
        ],
        "scale": {
            **plan.model_dump(include={"points_at", "odds_at", "points_to_double_odds"}),
            "declined_at": scale.points_of_pd(plan.decisions.decline_from),
            "approved_from": scale.points_of_pd(plan.decisions.approve_below),
        },
        "model_version": model.document.version,
        "remark": None,
    }
