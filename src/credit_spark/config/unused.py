"""Keys of a contract that could never act: they are refused, so that none is silently ignored.

Each guard yields faults as sentences, each begun by its path in the file.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain, combinations

from credit_spark.config.errors import instead_of
from credit_spark.config.models import (
    CONTENT,
    NO,
    NUMBER_KINDS,
    TEXT_KINDS,
    YES,
    Contract,
    ContractColumn,
    Feature,
    Layout,
)
from credit_spark.config.tables import TYPES

# They are taken off a field before it is looked at.
BLANKS = " \t\r\n\u00a0"
DAY = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?")


def faults(contract: Contract) -> Iterator[str]:
    """Every key of a contract that could never act."""
    guards = (source, layouts, columns, keys, outcome, features, others)
    return chain.from_iterable(guard(contract) for guard in guards)


def source(contract: Contract) -> Iterator[str]:
    """What the source states for all layouts holds for one of them."""
    given = contract.source
    for name in ("delimiter", "decimal"):
        is_stated = name in given.model_fields_set
        if is_stated and all(getattr(each, name) for each in given.layouts.values()):
            yield f"source.{name}: every layout has its own; take it out"


def layouts(contract: Contract) -> Iterator[str]:
    """Each layout is that of some file, and each of its keys says something of such a file."""
    has_numbers = any(each in NUMBER_KINDS - {"flag"} for each in contract.kinds.values())
    for name, layout in contract.source.layouts.items():
        path = f"source.layouts.{name}"
        yield from _padded(f"{path}.missing", layout.missing)
        if layout.decimal and not has_numbers:
            yield f"{path}.decimal: no column is a number; take it out"
        if layout.no_header:
            yield from _of_no_header(path, layout, contract)
    for (name, first), (other, second) in combinations(contract.source.layouts.items(), 2):
        if _hides(first, second, contract):
            yield (
                f"source.layouts.{other}: a file that it fits has the layout '{name}', whose "
                "header is the same; give it a name that only its own files have"
            )


def _of_no_header(path: str, layout: Layout, contract: Contract) -> Iterator[str]:
    if layout.preamble == "detect":
        yield f"{path}.preamble: the lines above a header are found by it; take it out"
    for column in layout.units:
        spec = contract.columns.get(column)
        if spec and not set(spec.headers) & set(layout.no_header):
            yield f"{path}.units.{column}: its files have no such column; take it out"


def _hides(first: Layout, second: Layout, contract: Contract) -> bool:
    """Whether all files of the second layout are taken for those of the first."""
    delimiter_of = contract.source.delimiter_of
    return (
        bool(first.header)
        and {*first.header} == {*second.header}
        and len(first.header) >= len(second.header)
        and delimiter_of(first) == delimiter_of(second)
        and (first.preamble == "detect" or second.preamble == "none")
    )


def columns(contract: Contract) -> Iterator[str]:
    """Each key of a column is one that its kind and its other keys make use of."""
    missing = _always_missing(contract)
    for name, spec in contract.columns.items():
        path = f"columns.{name}"
        yield from _padded(f"{path}.missing", spec.missing)
        yield from _bounds(path, spec)
        yield from _codes(path, spec, missing | {*spec.missing})
        if spec.formats and spec.kind != "date":
            yield f"{path}.formats: a {spec.kind} has none; take it out"


def _bounds(path: str, spec: ContractColumn) -> Iterator[str]:
    if spec.one_of == ():
        yield f"{path}.one_of: it is empty, and would forbid nothing; take it out"
    if spec.outside == "null" and not spec.range and not spec.one_of:
        yield f"{path}.outside: the column has no range and no one_of; take it out"
    for each in spec.one_of or ():
        is_text = isinstance(each, str)
        if spec.kind in TEXT_KINDS and not is_text:
            yield f"{path}.one_of: {each:g} is a number, and no text; put it in quotes"
        if spec.kind in NUMBER_KINDS - {"flag"} and is_text:
            yield f"{path}.one_of: '{each}' is a text, and the column a {spec.kind}; take it out"
        if TYPES[spec.kind] == "int" and not is_text and each % 1:
            yield f"{path}.one_of: {each:g} is not whole, as every {spec.kind} is; take it out"
        if spec.kind == "date" and not _is_day(each):
            yield f"{path}.one_of: '{each}' is no day; write one in quotes, as '2012-01-31'"
        if spec.kind == "flag" and not _is_yes_or_no(each):
            yield f"{path}.one_of: '{each}' is neither yes nor no"


def _is_yes_or_no(given: str | float) -> bool:
    # True and false are numbers here.
    text = given.lower() if isinstance(given, str) else f"{given:g}"
    return text in (*YES, *NO)


def _is_day(given: str | float) -> bool:
    """Whether Spark reads a text as a day."""
    parts = DAY.fullmatch(str(given))
    try:
        return bool(parts and date(int(parts[1]), int(parts[2]), int(parts[3] or 1)))
    except ValueError:
        return False


def _codes(path: str, spec: ContractColumn, missing: set[str]) -> Iterator[str]:
    yield from _padded(f"{path}.codes", spec.codes)
    for code in spec.codes:
        if code in missing:
            yield f"{path}.codes: '{code}' means missing before it is looked up; take it out"
    if spec.codes and spec.unknown_codes == "keep" and spec.kind not in TEXT_KINDS:
        yield f"{path}.unknown_codes: a {spec.kind} may have other texts than codes; take it out"


def _padded(path: str, texts: Iterable[str]) -> Iterator[str]:
    for each in texts:
        if each != each.strip(BLANKS):
            yield f"{path}: no field is '{each}', since blanks around it are taken off"


def _always_missing(contract: Contract) -> set[str]:
    """The texts that mean missing in files of every layout; an empty one always does."""
    return {""} | set.intersection(*({*each.missing} for each in contract.source.layouts.values()))


def keys(contract: Contract) -> Iterator[str]:
    """No name is twice in a list, and rows are compared only where some can share a key."""
    listed = {
        "key": () if contract.key == CONTENT else contract.key,
        "newest_by": contract.newest_by,
        "segments": contract.segments,
    }
    for path, names in listed.items():
        for twice in sorted({each for each in names if names.count(each) > 1}):
            yield f"{path}: '{twice}' is there more than once"
    given = {"key": contract.key} | {
        f"source.layouts.{name}.key": each.key for name, each in contract.source.layouts.items()
    }
    for path, key in given.items():
        if key == ():
            yield f"{path}: it names no column; name one, or write content"
    own = [each.key or contract.key for each in contract.source.layouts.values()]
    if contract.newest_by and all(each == CONTENT for each in own):
        yield "newest_by: with key: content no loan replaces another; take it out"


def outcome(contract: Contract) -> Iterator[str]:
    """Each text of the outcome is one that its column can have."""
    told_by = contract.outcome
    spec = contract.columns.get(told_by.column) if told_by else None
    if told_by is None:
        if contract.performance_months:
            yield "performance_months: it is about outcomes, and there is no outcome; take it out"
        return
    if spec is None or spec.kind not in TEXT_KINDS:
        return
    texts, missing = _texts_of(spec), _always_missing(contract) | {*spec.missing}
    for name in ("good", "bad", "open"):
        own = getattr(told_by, name)
        if not spec.codes:
            yield from _padded(f"outcome.{name}", own)
        for each in own:
            if texts is not None and each not in texts:
                known = instead_of(each, texts)
                yield f"outcome.{name}: '{told_by.column}' is never '{each}'; {known}"
            elif each in missing and not spec.codes:
                yield f"outcome.{name}: '{each}' means missing in '{told_by.column}'; take it out"


def _texts_of(spec: ContractColumn) -> set[str] | None:
    """The texts that a column can have; None: any."""
    sets = []
    if spec.one_of:
        sets.append({str(each) for each in spec.one_of})
    if spec.codes and spec.unknown_codes == "quarantine":
        sets.append({*spec.codes.values()})
    return set.intersection(*sets) if sets else None


def features(contract: Contract) -> Iterator[str]:
    """Bins of a feature that is a column are of values that the column can have."""
    for name, feature in contract.features.items():
        spec = contract.columns.get(feature.sql.strip())
        if spec is None:
            continue
        yield from _special(f"features.{name}.special", feature, contract)
        if spec.range is None:
            continue
        low, high = spec.range
        for key in ("special", "breaks"):
            for each in getattr(feature, key):
                # A bin begins at a break: at the lowest value, none would lie below it.
                if not low <= each <= high or (key == "breaks" and each == low):
                    yield (
                        f"features.{name}.{key}: {each:g} parts no values of '{feature.sql}', "
                        f"whose range is {low:g} to {high:g}; take it out"
                    )


def _special(path: str, feature: Feature, contract: Contract) -> Iterator[str]:
    """Special values are among those that a column may have, and do not mean missing."""
    name = feature.sql.strip()
    spec = contract.columns[name]
    if spec.kind not in NUMBER_KINDS - {"flag"}:
        return
    # A code, and a number in another unit, is written as another text than its value.
    has_units = any(name in each.units for each in contract.source.layouts.values())
    texts = set() if spec.codes or has_units else _always_missing(contract) | {*spec.missing}
    missing = {number for text in texts if (number := _number(text)) is not None}
    for each in feature.special:
        if each in missing:
            yield f"{path}: {each:g} means missing in '{feature.sql}'; take it out there, or here"
        elif spec.one_of and each not in spec.one_of:
            yield f"{path}: {each:g} is not in one_of of '{feature.sql}'; add it, or take it out"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def others(contract: Contract) -> Iterator[str]:
    """An analysis has another one beside it, and gates are bounds that a figure can reach."""
    for name, analysis in contract.analyses.items():
        if analysis.against == name:
            yield f"analyses.{name}.against: it is this analysis itself; name another one"
    low, high = contract.model.gates.auc
    if low < 0 or high > 1:
        yield "model.gates.auc: an AUC lies between 0 and 1, such as [0.6, 0.95]"
    if contract.model.gates.mean_pd_over_observed[0] < 0:
        yield "model.gates.mean_pd_over_observed: a ratio of shares is never below 0"
