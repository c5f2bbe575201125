"""A model document as PMML 4.4, for the engines that score by it: `export --dialect pmml`.

A loan's columns come in; out go `log_odds`, `pd`, `points`, `band` and `decision` as in `scores`,
and `expected_loss` where the policy has a loss. Reasons are in the SQL of a model alone. A null is
given as missing, and so is a number that is not finite; a text may be any.

A feature is two fields: `value(<feature>)`, which the contract defines, and `term(<feature>)`, what
it adds to the log-odds of bad. A regression adds up the terms.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element, fromstring, indent, tostring

from credit_spark.config.errors import InputError
from credit_spark.config.models import Kind, ScorePlan
from credit_spark.config.pmml import (
    apply,
    compare,
    constant,
    date_parts,
    field,
    if_,
    is_true,
    tree_of,
    value,
)
from credit_spark.config.tables import EXPECTED_LOSS, TYPES, WIDEST_LOG_ODDS
from credit_spark.features.columns import ABSENT, LARGEST
from credit_spark.scoring.document import Category, ModelDocument, Number
from credit_spark.scoring.policy import Policy, scale_of
from credit_spark.scoring.sql import columns_read

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
NAMESPACE, VERSION = "http://www.dmg.org/PMML-4_4", "4.4"
# The optype and the dataType of a field; below, by a column's type in Spark.
NUMBER, WHOLE_NUMBER = ("continuous", "double"), ("continuous", "integer")
TEXT, TRUTH = ("categorical", "string"), ("categorical", "boolean")
FIELDS = {
    "string": TEXT,
    "boolean": TRUTH,
    "date": ("continuous", "date"),
    "int": NUMBER,
    "double": NUMBER,
}
# What XML 1.0 has no way to write, and a carriage return, which readers take for a new line.
NO_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
# No column has such a name.
TOTAL, IS_REFUSED = "total()", "is_refused()"
Term = Number | Category


def pmml(document: ModelDocument, policy: Policy, kinds: Mapping[str, Kind]) -> str:
    """The model, and what a policy makes of its PDs; `kinds` are those of the contract's columns.

    Raises:
        InputError: a feature or a hard rule compares texts by their order, which PMML has not.
    """
    exposure = [policy.loss.exposure] if policy.loss else []
    columns = sorted({*columns_read(document, policy), *exposure})
    root = _with("PMML", [
        _header(document, policy),
        _with("DataDictionary", [_data_field(name, kinds[name]) for name in columns]),
        _with("TransformationDictionary", _derived_fields(document, policy, kinds)),
        _regression(document, policy, columns),
    ], version=VERSION)  # fmt: skip
    return f"{DECLARATION}\n{_indented(root)}\n"


def _indented(root: Element) -> str:
    texts = (text for each in root.iter() for text in (each.text or "", *each.attrib.values()))
    if any(map(NO_XML.search, texts)):
        raise InputError(
            "a text of the model or of its policy has a control character, which PMML cannot hold; "
            "export another dialect"
        )
    # An element may stand in two places of what was made, and be indented in one.
    copy = fromstring(tostring(root))  # noqa: S314
    copy.set("xmlns", NAMESPACE)
    indent(copy)
    return tostring(copy, encoding="unicode")


def _header(document: ModelDocument, policy: Policy) -> Element:
    about = f"model {document.version}, fitted as of {document.facts.as_of}; policy {policy.hash}"
    application = Element("Application", name="credit-spark")
    return _with("Header", [application], description=f"{document.portfolio}: {about}")


def _data_field(name: str, kind: Kind) -> Element:
    optype, data_type = FIELDS[TYPES[kind]]
    return Element("DataField", name=name, optype=optype, dataType=data_type)


def _derived_fields(
    document: ModelDocument, policy: Policy, kinds: Mapping[str, Kind]
) -> Iterator[Element]:
    """Years and months, each feature's value and term, and whether a hard rule declines."""
    values = [tree_of(each.sql, kinds) for each in document.terms]
    rules = [tree_of(each.sql, kinds) for each in policy.refusals]
    for name, part in date_parts([*values, *rules]).items():
        yield _derived(name, NUMBER, part)
    for term, tree in zip(document.terms, values, strict=True):
        yield _derived(_value_of(term), TEXT if isinstance(term, Category) else NUMBER, value(tree))
        yield _derived(_term_of(term), NUMBER, _term(term))
    if rules:
        yield _derived(IS_REFUSED, TRUTH, apply("or", *map(is_true, rules), constant(False)))


def _term(term: Term) -> Element:
    if isinstance(term, Number):
        return _number_term(term)
    # A table has rows; without levels, no text has one.
    return _category_term(term) if term.levels else constant(0.0)


def _number_term(term: Number) -> Element:
    """A value that is missing, or too large to be a number, has the term of missing ones."""
    own = field(_value_of(term))
    ends = [
        compare("greaterOrEqual", own, constant(-LARGEST)),
        compare("lessOrEqual", own, constant(LARGEST)),
    ]
    known = apply("*", apply("-", own, constant(term.mean)), constant(term.slope))
    shifted = apply("-", known, constant(term.shift)) if term.missing else known
    return if_(apply("and", *ends), shifted, constant(term.of_missing))


def _category_term(term: Category) -> Element:
    """The term of the text's level; that of no level for any other text."""
    terms = {level.text: str(term.unseen + level.slope) for level in term.levels}
    unseen = str(term.unseen)
    pair = Element("FieldColumnPair", field=_value_of(term), column="text")
    rows = [_with("row", [_cell("text", text), _cell("term", of)]) for text, of in terms.items()]
    return _with(
        "MapValues",
        [pair, _with("InlineTable", rows)],
        outputColumn="term",
        dataType="double",
        defaultValue=unseen,
        mapMissingTo=terms.get(ABSENT, unseen),
    )


def _regression(document: ModelDocument, policy: Policy, columns: Sequence[str]) -> Element:
    names = map(_term_of, document.terms)
    predictors = [Element("NumericPredictor", name=name, coefficient="1") for name in names]
    return _with("RegressionModel", [
        _with("MiningSchema", [Element("MiningField", name=name) for name in columns]),
        _with("Output", _outputs(policy)),
        _with("RegressionTable", predictors, intercept=str(document.constant)),
    ], modelName=document.portfolio, functionName="regression")  # fmt: skip


def _outputs(policy: Policy) -> Iterator[Element]:
    plan, loss, pd = policy.score, policy.loss, field("pd")
    yield _field("OutputField", TOTAL, NUMBER, feature="predictedValue", isFinalResult="false")
    yield _output("log_odds", NUMBER, _bounded(field(TOTAL)))
    yield _output("pd", NUMBER, _pd(field("log_odds")))
    yield _output("points", WHOLE_NUMBER, _points(plan, field("log_odds")))
    yield _output("band", TEXT, _band(plan, pd))
    yield _output("decision", TEXT, _decision(policy, pd))
    if loss:
        lost = apply("*", apply("*", pd, field(loss.exposure)), constant(loss.given_default))
        yield _output(EXPECTED_LOSS, NUMBER, lost)


def _bounded(total: Element) -> Element:
    """Log-odds within the widest; as in SQL, those that are no number are the widest."""
    low, high = constant(-WIDEST_LOG_ODDS), constant(WIDEST_LOG_ODDS)
    return if_(
        compare("lessThan", total, low),
        low,
        if_(compare("lessOrEqual", total, high), total, high),
    )


def _pd(log_odds: Element) -> Element:
    odds_of_good = apply("exp", apply("*", constant(-1.0), log_odds))
    return apply("/", constant(1.0), apply("+", constant(1.0), odds_of_good))


def _points(plan: ScorePlan, log_odds: Element) -> Element:
    scale = scale_of(plan)
    cost = apply("*", constant(scale.a_unit), log_odds)
    exact = apply("-", constant(scale.at_even_odds), cost)
    return apply("floor", apply("+", exact, constant(0.5)))


def _band(plan: ScorePlan, pd: Element) -> Element:
    *lower, (last, _) = plan.bands.items()
    made = constant(last)
    for name, below in reversed(lower):
        made = if_(compare("lessThan", pd, constant(below)), constant(name), made)
    return made


def _decision(policy: Policy, pd: Element) -> Element:
    """By the cut-offs; a hard rule that holds declines first."""
    cutoffs = policy.score.decisions
    is_low = compare("lessThan", pd, constant(cutoffs.approve_below))
    is_high = compare("greaterOrEqual", pd, constant(cutoffs.decline_from))
    others = if_(is_high, constant("decline"), constant("review"))
    by_pd = if_(is_low, constant("approve"), others)
    return if_(field(IS_REFUSED), constant("decline"), by_pd) if policy.refusals else by_pd


def _value_of(term: Term) -> str:
    return f"value({term.name})"


def _term_of(term: Term) -> str:
    return f"term({term.name})"


def _derived(name: str, types: tuple[str, str], made: Element) -> Element:
    return _field("DerivedField", name, types, made)


def _output(name: str, types: tuple[str, str], made: Element) -> Element:
    return _field("OutputField", name, types, made, feature="transformedValue")


def _field(tag: str, name: str, types: tuple[str, str], *made: Element, **more: str) -> Element:
    optype, data_type = types
    return _with(tag, made, name=name, optype=optype, dataType=data_type, **more)


def _cell(name: str, text: str) -> Element:
    cell = Element(name)
    cell.text = text
    return cell


def _with(tag: str, parts: Iterable[Element], **attributes: str) -> Element:
    made = Element(tag, attributes)
    made.extend([*parts])
    return made
