"""Model documents of earlier formats, and the reason texts that a contract gives a feature."""

import hashlib
import json

import pytest

from credit_spark.config.models import Feature
from credit_spark.scoring.document import (
    Baseline,
    Category,
    Facts,
    HeldOut,
    Level,
    ModelDocument,
    Number,
    Recalibration,
)
from credit_spark.scoring.inputs import Inputs
from credit_spark.scoring.policy import Reasons, reasons_of

FACTS = Facts(
    as_of="2026-03-02", imbalance="smote", rows=3, good=2, bad=1, out_of_time_from=None,
    folds=2, seed=1, regularisation=0.1, elastic_net=0,
)  # fmt: skip
DOCUMENT = ModelDocument(
    portfolio="p", contract_hash="h", left_out=(), intercept=0.5, offset=0.25, facts=FACTS,
    features=(Number(name="x", sql="x", imputed=1, mean=1, deviation=2, coefficient=0.5),),
    baselines=(Baseline(role="feature", name="x", sql="x", edges=(1.0,), counts=(1, 2, 0)),),
    held_out=HeldOut(auc=0.7),
)  # fmt: skip


def with_old_names(**changes: object) -> dict:
    """The document as format 5 wrote it."""
    given = json.loads(DOCUMENT.as_json()) | {"format": 5} | changes
    given["facts"]["treatment"] = given["facts"].pop("imbalance")
    given["watched"] = given.pop("baselines")
    del given["known_as"]
    return given


def version_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_a_document_of_format_5_is_read_and_keeps_its_version() -> None:
    text = json.dumps(with_old_names())

    found = ModelDocument.of(text)

    assert found.version == version_of(text)
    assert found == DOCUMENT.model_copy(update={"known_as": found.version})
    assert ModelDocument.of(found.as_json()) == found


def test_a_document_that_lacks_a_newer_key_keeps_its_version() -> None:
    """Else no score would find its model in a warehouse that an earlier version has written."""
    inputs = Inputs(features={"x": "x"}, columns={}, units={})
    given = json.loads(DOCUMENT.model_copy(update={"inputs": inputs}).as_json())
    del given["inputs"]["missing"]
    text = json.dumps(given)

    found = ModelDocument.of(text)

    assert found.version == version_of(text)
    assert ModelDocument.of(found.as_json()).version == found.version
    assert ModelDocument.of(DOCUMENT.as_json()) == DOCUMENT


def test_a_document_of_format_4_is_read_without_its_policy() -> None:
    given = with_old_names(format=4, score={}, refusals=[], held_out={"auc": 0.7, "gains": [1]})
    given["features"][0]["reason"] = "x is high"
    text = json.dumps(given)

    found = ModelDocument.of(text)

    assert found.version == version_of(text)
    assert found == DOCUMENT.model_copy(update={"known_as": found.version})


def test_a_document_of_format_4_may_have_no_held_out_loans() -> None:
    text = json.dumps(with_old_names(format=4, score={}, refusals=[], held_out=None))

    assert ModelDocument.of(text).held_out is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"expect": "increases_risk", "reason": "r"}, Reasons(above="r")),
        ({"expect": "lowers_risk", "reason": "r"}, Reasons(below="r")),
        ({"reason": "r"}, Reasons(either="r")),
        ({"reason_low": "l", "reason_high": "h"}, Reasons(above="h", below="l")),
        ({"expect": "lowers_risk", "reason": "r", "reason_missing": "m"}, Reasons(below="r", missing="m")),
    ],
)  # fmt: skip
def test_a_reason_is_given_on_the_costly_side(given, expected) -> None:
    assert reasons_of(Feature(sql="x", **given)) == expected


def test_calibration_stretches_every_term_and_moves_the_constant() -> None:
    flag = Level(text="(missing)", mean=0.5, deviation=2, coefficient=0.25)
    number = DOCUMENT.features[0].model_copy(update={"missing": flag})
    text = Category(name="w", sql="w", levels=(flag.model_copy(update={"text": "a"}),))
    line = Recalibration(intercept=0.125, slope=2)

    found = DOCUMENT.model_copy(update={"features": (number, text), "recalibration": line})

    assert found.constant == 0.125 + 2 * (0.5 - 0.25)
    one, other = found.terms
    assert (one.coefficient, one.missing.coefficient) == (1.0, 0.5)
    assert [each.coefficient for each in other.levels] == [0.5]
    assert (one.deviation, one.missing.text, other.name) == (2, "(missing)", "w")


@pytest.mark.parametrize(
    ("coefficient", "low", "high", "best"), [(1, 2, 9, 2), (-1, 2, 9, 9), (1, None, 9, 5), (-1, 2, None, 5)]
)  # fmt: skip
def test_the_best_of_a_number_is_the_end_of_the_least_risk(coefficient, low, high, best) -> None:
    flag = Level(text="(missing)", mean=0.5, deviation=1, coefficient=0.25)
    number = Number(
        name="x", sql="x", imputed=5, mean=5, deviation=4, coefficient=coefficient, low=low,
        high=high, missing=flag,
    )  # fmt: skip

    # Slope a quarter; the indicator shifts the term of a known value by 0.125.
    assert number.reference("best") == (best, (best - 5) * coefficient / 4 - 0.125)
    assert number.reference("mean") == (5, 0.0)
