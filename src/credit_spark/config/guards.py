"""What must hold between the parts of a contract: columns exist, fit their use, are known in time.

Each guard yields faults as sentences, each begun by its path in the file.
"""

import codecs
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import chain, pairwise
from string import Formatter

from credit_spark.config import unused
from credit_spark.config.edges import undefined_at_edge
from credit_spark.config.errors import instead_of
from credit_spark.config.expressions import (
    Expression,
    ExpressionError,
    condition,
    expression,
    is_name,
)
from credit_spark.config.models import (
    NUMBER_KINDS,
    TEXT_KINDS,
    UNITS,
    Contract,
    ContractColumn,
    Feature,
    Kind,
)
from credit_spark.config.tables import MAX_POINTS, REASONS, WIDEST_LOG_ODDS

RESERVED = frozenset({
    "loan_id", "as_of", "run_id", "outcome", "source_file", "raw", "reasons",
    "pd", "log_odds", "points", "band", "decision", "model_version", "policy_hash", "champions",
    # What suites see beside the columns.
    "is_bad", "age_days",
    # Of lines on their way to the tables.
    "expected_loss", "key", "content", "place", "hash", "line", "nth", *REASONS,
})  # fmt: skip
NAME = re.compile(r"[a-z][a-z0-9_]*")
# Of a fixed width: a text of another length is no such date, and need not be tried.
DATE_FORMAT = re.compile(r"(yyyy|yy|MMM|MM|dd|HH|mm|ss|[ ./:,_-])+")
TWO_DIGIT_YEAR = re.compile(r"(?<!y)yy(?!y)")
# Encodings of Python that Java does not know.
NOT_READ_BY_SPARK = frozenset({"hp-roman8", "iso8859-16", "ptcp154", "iso2022_jp", "utf-7"})
# Words of a reason that say on which side of others a value lies, or what it is.
DIRECTION = re.compile(
    r"\b((high|low|small|long|short|few|old|young|great|weak|poor|strong)(er|est)?|"
    r"(large|late)(r|st)?|earl(y|ier|iest)|heav(y|ier|iest)|thin(ner|nest)?|big(ger|gest)?|"
    r"wors(e|t)|many|most|much|more|little|least|less|close|recent(ly)?|"
    r"(in|un)?sufficient|inadequate|excessive(ly)?|excess|limited|lacks?|lacking|good|bad|"
    r"above|below|beyond|over|under|too|increased|reduced|frequent|seldom|never|"
    r"is no|are no|not|no|there is|there are)\b",
    re.IGNORECASE,
)
# Words of a reason that say that there is no value.
ABSENCE = re.compile(r"\b(is no|are no|not|no|there is|there are|lacks?|lacking)\b", re.IGNORECASE)
PATH_FIELDS = ("landing", "as_of")
Compiler = Callable[[str, Mapping[str, Kind]], Expression]


def faults(contract: Contract) -> list[str]:
    """Everything that is wrong between the parts of a contract; none where it can be used."""
    guards = (source, headless, names, columns, references, outcome, units, rules, features,
              penalty, decline_if, analyses, score, loss, unused.faults)  # fmt: skip
    return [fault for guard in guards for fault in guard(contract)]


def source(contract: Contract) -> Iterator[str]:
    """The path has no blank that nothing fills; encoding and escapes can be read by Spark."""
    for name in placeholders(contract.source.path):
        if name not in PATH_FIELDS:
            yield f"source.path: nothing fills '{{{name}}}'; {instead_of(name, PATH_FIELDS)}"
    yield from _encoding(contract.source.encoding)
    for name, layout in contract.source.layouts.items():
        if layout.escape in ('"', contract.source.delimiter_of(layout)):
            path = f"source.layouts.{name}.escape"
            yield f"{path}: it escapes a quote, so it is no quote or delimiter; leave it out"


def _encoding(name: str) -> Iterator[str]:
    """The encoding is one of text, which Spark reads, too."""
    try:
        "".encode(name)
        canonical = codecs.lookup(name).name
    except LookupError:
        yield f"source.encoding: there is no encoding '{name}'"
        return
    if canonical.startswith("mac-") or canonical in NOT_READ_BY_SPARK:
        yield f"source.encoding: Spark does not read '{name}'; have the files delivered in UTF-8"


def headless(contract: Contract) -> Iterator[str]:
    """Files with no header differ from each other, and have the required columns."""
    seen: dict[tuple[str, int], str] = {}
    for name, layout in contract.source.layouts.items():
        names, path = layout.no_header, f"source.layouts.{name}.no_header"
        if not names:
            continue
        for twice in sorted({each for each in names if names.count(each) > 1}):
            yield f"{path}: '{twice}' is there more than once"
        for column, spec in contract.columns.items():
            if spec.required and not set(spec.headers) & set(names):
                known = " or ".join(spec.headers)
                yield f"{path}: it lacks the required '{column}', named {known}"
        key = (contract.source.delimiter_of(layout), len(names))
        if key in seen:
            yield f"{path}: its files have as many fields as those of '{seen[key]}', and no header"
        seen.setdefault(key, name)


def placeholders(text: str) -> list[str]:
    """The names in braces of a text that is to be filled in.

    >>> placeholders("{landing}/{as_of}/*")
    ['landing', 'as_of']
    """
    try:
        return [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError:
        return [text]


def names(contract: Contract) -> Iterator[str]:
    """Names can stand in SQL."""
    for part in ("columns", "rules", "features", "analyses"):
        for name in getattr(contract, part):
            if not NAME.fullmatch(name):
                yield f"{part}.{name}: write a name in small letters, digits and underscores"
    parts = (contract.features, contract.rules, contract.decline_if, contract.analyses)
    written = [plan.sql for part in parts for plan in part.values()]
    for name in contract.columns:
        if not is_name(name) and any(_has_word(name, sql) for sql in written):
            yield f"columns.{name}: this is a key word of SQL; write `{name}` in SQL"


def _has_word(word: str, sql: str) -> bool:
    """Whether SQL has a word that is not in back quotes."""
    return re.search(rf"(?<![`\w]){word}(?![`\w])", sql, re.IGNORECASE) is not None


def columns(contract: Contract) -> Iterator[str]:
    """No column has a reserved name, and each promise fits its column's kind."""
    for name, spec in contract.columns.items():
        path = f"columns.{name}"
        if name in RESERVED:
            yield f"{path}: this name is reserved, as are {', '.join(sorted(RESERVED))}"
        if spec.range and spec.kind not in NUMBER_KINDS - {"flag"}:
            yield f"{path}.range: a {spec.kind} has no range"
        yield from _date_formats(path, spec)
        if spec.unknown_codes == "keep" and not spec.codes:
            yield f"{path}.unknown_codes: the column has no codes; take it out"
        if spec.outside == "clip" and (spec.one_of or not spec.range):
            yield f"{path}.outside: only a column with a range, and no one_of, can be clipped"


def _date_formats(path: str, spec: ContractColumn) -> Iterator[str]:
    if spec.kind == "date" and not spec.formats:
        yield f"{path}.formats: a date needs its formats, such as [yyyy-MM-dd]"
    for pattern in spec.formats:
        if not DATE_FORMAT.fullmatch(pattern):
            yield (
                f"{path}.formats: '{pattern}' is no format of a fixed width; it is made of "
                "yyyy, yy, MMM (as in Dec), MM, dd, HH, mm, ss and the separators"
            )
    has_short_years = any(TWO_DIGIT_YEAR.search(each) for each in spec.formats)
    if has_short_years and spec.pivot is None:
        yield f"{path}.formats: a year of two digits needs a pivot; 70 makes 1970 of 70, 2069 of 69"
    if spec.pivot is not None and not has_short_years:
        yield f"{path}.pivot: no format of the column has a year of two digits (yy); take it out"


def references(contract: Contract) -> Iterator[str]:
    """Every column that is named anywhere is declared."""
    told_by, loss = contract.outcome, contract.loss
    named: dict[str, Iterable[str | None]] = {
        "newest_by": contract.newest_by,
        "segments": contract.segments,
        "observed_on": [contract.observed_on],
        "model.borrower": [contract.model.borrower],
        "outcome.from": [told_by.column if told_by else None],
        "key": [] if contract.key == "content" else contract.key,
        "loss.exposure": [loss.exposure if loss else None],
    }
    for name, layout in contract.source.layouts.items():
        named[f"source.layouts.{name}.units"] = layout.units
        named[f"source.layouts.{name}.key"] = layout.key if isinstance(layout.key, tuple) else []
    for path, columns in named.items():
        for column in columns:
            if column is not None and column not in contract.columns:
                known = instead_of(column, contract.columns)
                yield f"{path}: there is no column '{column}'; {known}"
    observed = contract.columns.get(contract.observed_on or "")
    if observed and observed.kind != "date":
        yield f"observed_on: '{contract.observed_on}' is a {observed.kind}, not a date"
    if contract.model.out_of_time_from and not contract.observed_on:
        yield "model.out_of_time_from: a split by time needs observed_on, the column of the date"


def outcome(contract: Contract) -> Iterator[str]:
    """The outcome is a text, and no text has two meanings."""
    if contract.outcome is None:
        return
    column = contract.outcome.column
    kind = contract.kinds.get(column)
    if kind not in (None, *TEXT_KINDS):
        yield (
            f"outcome.from: '{column}' is a {kind}, and good and bad are texts; make it a category"
        )
    meanings = {name: getattr(contract.outcome, name) for name in ("good", "bad", "open")}
    for text in dict.fromkeys(chain(*meanings.values())):
        own = [meaning for meaning, texts in meanings.items() if text in texts]
        if len(own) > 1:
            yield f"outcome: '{text}' is in {' and '.join(own)}"


def units(contract: Contract) -> Iterator[str]:
    """A unit is given for a column whose kind can have it."""
    for name, layout in contract.source.layouts.items():
        for column, unit in layout.units.items():
            kind, path = contract.kinds.get(column), f"source.layouts.{name}.units.{column}"
            if kind not in (None, UNITS[unit]):
                yield f"{path}: '{unit}' is a unit of a {UNITS[unit]}, and this is a {kind}"


def rule_kinds(contract: Contract) -> dict[str, Kind]:
    """What a row rule may speak of: the columns, and the batch date `as_of`."""
    return contract.kinds | {"as_of": "date"}


def rules(contract: Contract) -> Iterator[str]:
    """Row rules can be compiled."""
    for name, rule in contract.rules.items():
        yield from _compiled(f"rules.{name}", condition, rule.sql, rule_kinds(contract))


def features(contract: Contract) -> Iterator[str]:
    """Features can be compiled and rest only on what is known when a loan is scored."""
    for name, feature in contract.features.items():
        path = f"features.{name}"
        for own in (f"f_{name}", f"feature_{name}"):
            if own in contract.columns:
                yield f"columns.{own}: this name is reserved for the feature '{name}'"
        compiled = yield from _compiled(path, expression, feature.sql, contract.kinds)
        if compiled is None:
            continue
        yield from _texts(path, feature, is_text=compiled.is_text)
        if feature.expect and (where := undefined_at_edge(compiled, contract)):
            yield (
                f"{path}.sql: it has no value where {where}, and would be scored as a missing one; "
                "give it a floor, such as greatest(income, 1000), or the column another range"
            )
        yield from _of_form(path, feature, contract, is_text=compiled.is_text)
        if not feature.accepted_leak:
            late = "is scored; take it out, or the model learns its own answer"
            yield from _late(contract, f"{path}.sql", compiled.columns, late)


def _texts(path: str, feature: Feature, *, is_text: bool) -> Iterator[str]:
    """Each reason can be given, and there is one."""
    sides = [name for name in ("reason_low", "reason_high") if getattr(feature, name)]
    if is_text and feature.expect:
        yield f"{path}.expect: a text has no higher value; take it out"
    if sides and (is_text or feature.expect):
        why = "a text has no sides" if is_text else "with expect, only one side costs points"
        yield f"{path}.{sides[0]}: it is never given, since {why}; take it out"
    elif sides and feature.reason:
        yield f"{path}.reason: give it, or reason_low and reason_high, not both"
    elif not sides and not feature.reason:
        yield f"{path}.reason: this key is missing"
    if feature.reason_missing in _reasons_of_values(feature):
        yield (
            f"{path}.reason_missing: it is also a reason of a value; say that the value is not "
            "known, or take it out"
        )


def _of_form(path: str, feature: Feature, contract: Contract, *, is_text: bool) -> Iterator[str]:
    """Keys that only one form of the model, or only a number, has a use for."""
    given = {
        "special": bool(feature.special),
        "breaks": bool(feature.breaks),
        "missing": feature.missing is not None,
    }
    own = {"linear": ("missing",), "binned": ("special", "breaks")}[contract.model.form]
    for name in (name for name, is_given in given.items() if is_given):
        if is_text:
            yield f"{path}.{name}: the feature is a text, and this is for numbers; take it out"
        elif name not in own:
            yield f"{path}.{name}: a {contract.model.form} form makes no use of it; take it out"
    if list(feature.breaks) != sorted({*feature.breaks}):
        yield f"{path}.breaks: each one lies above the one before it"


def penalty(contract: Contract) -> Iterator[str]:
    """The penalty is one that the fit can keep to."""
    plan = contract.model
    if not any(plan.elastic_net):
        return
    if not any(plan.regularisation):
        yield "model.elastic_net: it is a share of regularisation, which is 0; take it out"
    expecting = [name for name, each in contract.features.items() if each.expect]
    if expecting:
        yield (
            f"model.elastic_net: a fit that keeps to expect ({', '.join(expecting)}) has no L1 "
            "penalty; take elastic_net out, or expect"
        )


def remarks(contract: Contract) -> Iterator[str]:
    """What may mislead, though the contract can be used: values that vanish, and reasons."""
    for name, feature in contract.features.items():
        if where := undefined_at_edge(expression(feature.sql, contract.kinds), contract):
            yield (
                f"features.{name}.sql: it has no value where {where}, and is scored as a missing "
                "one; a floor, such as greatest(income, 1000), would keep it apart"
            )
        if feature.expect:
            yield from _null_outside_range(contract, name)
        yield from _claims(f"features.{name}", feature)
    yield from _shared_texts(contract)


def _claims(path: str, feature: Feature) -> Iterator[str]:
    """Reasons that claim a direction, and are given of any value, or of a missing one."""
    claim = DIRECTION.search(feature.reason or "")
    if claim and not feature.expect:
        yield (
            f"{path}.reason: it claims a direction ('{claim[0]}'), and is given of any value that "
            "costs points; state expect, or reason_low and reason_high, or a text that claims none"
        )
    if claim := DIRECTION.search(ABSENCE.sub("", feature.reason_missing or "")):
        yield (
            f"{path}.reason_missing: it claims a direction ('{claim[0]}'), and is given of a value "
            "that is not known; say no more than that"
        )


def _shared_texts(contract: Contract) -> Iterator[str]:
    """Texts that several features or hard rules give."""
    texts: dict[str, list[str]] = {}
    for name, feature in contract.features.items():
        for each in (*_reasons_of_values(feature), feature.reason_missing):
            if each:
                texts.setdefault(each, []).append(f"features.{name}")
    for name, rule in contract.decline_if.items():
        texts.setdefault(rule.reason, []).append(f"decline_if.{name}")
    for text, paths in texts.items():
        if len(paths) > 1:
            yield f"{', '.join(paths)}: they give one reason, '{text}', once a loan, costs added"


def _reasons_of_values(feature: Feature) -> list[str]:
    return [each for each in (feature.reason, feature.reason_low, feature.reason_high) if each]


def _null_outside_range(contract: Contract, feature: str) -> Iterator[str]:
    """Columns whose values beyond their range become null: no risk is then higher than theirs."""
    for column in sorted(expression(contract.features[feature].sql, contract.kinds).columns):
        spec = contract.columns[column]
        if spec.outside == "null" and spec.range and not spec.one_of:
            yield (
                f"columns.{column}.outside: features.{feature} has expect, and a value beyond the "
                "range is scored as a missing one, which may look better than the end of the "
                "range; clip takes it for the end"
            )


def is_known_late(contract: Contract, feature: str) -> bool:
    """Whether a feature rests on columns that are not known when a loan is scored."""
    columns = expression(contract.features[feature].sql, contract.kinds).columns
    return any(contract.columns[each].known != "application" for each in columns)


def decline_if(contract: Contract) -> Iterator[str]:
    """Hard rules can be compiled and rest only on what is known when a loan is scored."""
    for name, rule in contract.decline_if.items():
        path = f"decline_if.{name}"
        compiled = yield from _compiled(path, condition, rule.sql, contract.kinds)
        if compiled:
            yield from _late(contract, f"{path}.sql", compiled.columns, "is decided on")


def _compiled(
    path: str, compiler: Compiler, sql: str, kinds: Mapping[str, Kind]
) -> Generator[str, None, Expression | None]:
    """The compiled SQL; None after its faults."""
    try:
        return compiler(sql, kinds)
    except ExpressionError as error:
        yield f"{path}.sql: {error}"
        return None


def _late(contract: Contract, path: str, columns: Iterable[str], when: str) -> Iterator[str]:
    """The columns that are not known when the loan is scored or decided on."""
    for column in sorted(columns):
        known = contract.columns[column].known
        if known != "application":
            yield f"{path}: '{column}' is known only at the {known} stage, after the loan {when}"


def analyses(contract: Contract) -> Iterator[str]:
    """Analyses can be compiled, and stand against others that there are."""
    for name, analysis in contract.analyses.items():
        path = f"analyses.{name}"
        yield from _compiled(path, expression, analysis.sql, contract.kinds)
        if analysis.against not in (None, *contract.analyses):
            known = instead_of(str(analysis.against), contract.analyses)
            yield f"{path}.against: there is no analysis '{analysis.against}'; {known}"
    if contract.performance_months and not contract.observed_on:
        yield "performance_months: a loan's age needs observed_on, the column of its date"


def score(contract: Contract) -> Iterator[str]:
    """Bands and decisions rise and cover every PD; points of every PD fit the table."""
    bounds = list(contract.score.bands.values())
    if any(lower >= upper for lower, upper in pairwise([0.0, *bounds])) or bounds[-1] != 1:
        yield "score.bands: each band ends at a higher PD than the one before it, the last at 1"
    decisions = contract.score.decisions
    if decisions.approve_below > decisions.decline_from:
        yield "score.decisions: approve_below may not lie above decline_from"
    plan, widest = contract.score, contract.score.points_a_unit * WIDEST_LOG_ODDS
    lowest, highest = plan.points_at_even_odds - widest, plan.points_at_even_odds + widest
    if not -MAX_POINTS <= lowest <= highest <= MAX_POINTS:
        yield (
            f"score: points lie between {lowest:.0f} and {highest:.0f}, and may between "
            f"{-MAX_POINTS} and {MAX_POINTS}; change points_at, odds_at or points_to_double_odds"
        )


def loss(contract: Contract) -> Iterator[str]:
    """The exposure is an amount that is known when a loan is scored."""
    if contract.loss is None or (name := contract.loss.exposure) not in contract.columns:
        return
    if (kind := contract.columns[name].kind) not in ("money", "number"):
        yield f"loss.exposure: '{name}' is a {kind}, not an amount of money"
    yield from _late(contract, "loss.exposure", [name], "is scored")
