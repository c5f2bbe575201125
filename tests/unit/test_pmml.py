"""The parts of a model's PMML, without an engine that evaluates it."""

from xml.etree import ElementTree as ET

import pytest

from credit_spark.config.errors import InputError
from credit_spark.config.expressions import expression
from credit_spark.config.models import Loss
from credit_spark.features.columns import ABSENT
from credit_spark.scoring.document import Category, ModelDocument
from credit_spark.scoring.pmml import NAMESPACE, pmml
from tests.unit.test_scoring_sql import document, number, policy, refusal, word

KINDS = {
    "x": "number", "n": "count", "w": "category", "opened_on": "date", "is_new": "flag",
    "unused": "money", "amount": "money",
}  # fmt: skip


def of_sql(sql: str, **about) -> ModelDocument:
    """A model of one feature."""
    found = expression(sql, KINDS)
    if found.is_text:
        return document([Category(name="e", sql=found.sql, levels=())])
    return document([number("e", 1.0).model_copy(update={"sql": found.sql, **about})])


def written(model: ModelDocument, **about) -> ET.Element:
    return ET.fromstring(pmml(model, policy(model, **about), KINDS))


def parts(root: ET.Element, tag: str) -> list[ET.Element]:
    return [*root.iter(f"{{{NAMESPACE}}}{tag}")]


def named(root: ET.Element, tag: str) -> dict[str, tuple[str | None, str | None]]:
    return {
        each.attrib["name"]: (each.get("optype"), each.get("dataType")) for each in parts(root, tag)
    }


def test_only_columns_that_are_read_are_fields_each_by_its_kind() -> None:
    model = of_sql("case when is_new and w = 'a' then x + n when year(opened_on) > 2000 then 1 end")

    root = written(model, loss=Loss(exposure="amount", given_default=0.5))

    assert named(root, "DataField") == {
        "amount": ("continuous", "double"),
        "is_new": ("categorical", "boolean"),
        "n": ("continuous", "double"),
        "opened_on": ("continuous", "date"),
        "w": ("categorical", "string"),
        "x": ("continuous", "double"),
    }
    assert [*named(root, "MiningField")] == [*named(root, "DataField")]


def test_fields_are_made_before_they_are_read() -> None:
    model = document(
        [*of_sql("year(opened_on) - month(opened_on)").features, number("x", 0.1), word(a=1.0)]
    )

    root = written(model, refusals=[refusal("low", "x < 0 and w = 'b'")])

    known = set()
    for field in (
        *parts(root, "DataField"),
        *parts(root, "DerivedField"),
        *parts(root, "OutputField"),
    ):
        assert {each.attrib["field"] for each in parts(field, "FieldRef")} <= known
        known.add(field.attrib["name"])
    assert {each.attrib["name"] for each in parts(root, "NumericPredictor")} <= known
    assert {"year(opened_on)", "month(opened_on)"} <= known


def test_what_comes_out_is_the_score_without_its_reasons() -> None:
    model = document([number("x", 1.0)])
    score = ["total()", "log_odds", "pd", "points", "band", "decision"]

    assert [*named(written(model), "OutputField")] == score
    with_loss = written(model, loss=Loss(exposure="amount", given_default=0.5))
    assert [*named(with_loss, "OutputField")] == [*score, "expected_loss"]


def test_the_header_says_of_which_model_and_policy_it_is() -> None:
    model = document([number("x", 1.0)])

    (header,) = parts(written(model), "Header")

    assert model.version in header.attrib["description"]
    assert policy(model).hash in header.attrib["description"]


def test_every_text_of_a_level_comes_back_as_it_was() -> None:
    texts = ["", " x ", "it's", 'a<b&"c', "é", ABSENT]
    model = document([word(**{text: float(nth) for nth, text in enumerate(texts)})])

    (table,) = parts(written(model), "MapValues")

    assert [each.text or "" for each in parts(table, "text")] == texts
    assert [float(each.text) for each in parts(table, "term")] == [0, 1, 2, 3, 4, 5]
    assert float(table.attrib["mapMissingTo"]) == 5
    assert float(table.attrib["defaultValue"]) == 0


def test_numbers_are_written_to_their_last_digit() -> None:
    model = document([number("x", 0.1 + 0.2, 1 / 3)], 1e-17)

    root = written(model)

    (table,) = parts(root, "RegressionTable")
    constants = {each.text for each in parts(root, "Constant")}
    assert float(table.attrib["intercept"]) == 1e-17
    assert {repr(0.1 + 0.2), repr(1 / 3)} <= constants


@pytest.mark.parametrize(
    "sql", ["w > 'wo'", "not w < 'wo'", "w between 'a' and 'b'", "least(w, 'b')", "'b' >= w"]
)
def test_texts_that_are_compared_by_their_order_are_refused(sql) -> None:
    with pytest.raises(InputError, match=r"order of texts.* w"):
        written(of_sql(sql))


@pytest.mark.parametrize("text", ["ho\x0buse", "ho\ruse", "\x00"])
def test_a_text_that_xml_cannot_hold_is_refused(text) -> None:
    model = document([word(**{text: 1.0})])

    with pytest.raises(InputError, match="control character"):
        written(model)
