"""Landing files: their encoding, and the shape that their first lines show; no Spark.

A file's header picks its layout. Where the layout says so, lines may stand above the header and
below the last loan.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from credit_spark.config.errors import instead_of
from credit_spark.config.models import (
    CONTENT,
    NUMBER_KINDS,
    Contract,
    ContractColumn,
    Layout,
    Source,
)

ABOVE_THE_HEADER = 9
# Two names at least so similar, by their letters and digits, may be one that is misspelt.
SIMILARITY = 0.88
# A line with so many names of the contract is no loan.
NAMES_OF_A_HEADER = 2
# How a number begins in any of its notations, such as '$5', '< 1 year' and '(1,200)'.
NUMBER = re.compile(r"[^A-Za-z]*\d")
# What bytes of another encoding are read as.
UNREADABLE = ("\u0000", "\ufffd")


class LayoutError(ValueError):
    """A file that no layout of the contract fits; the text says what it lacks."""


class Shape(NamedTuple):
    """How one file is laid out.

    The names of its columns, its preamble's lines, its layout's name, its delimiter.
    """

    header: tuple[str, ...]
    preamble: tuple[tuple[str, ...], ...]
    layout: str
    delimiter: str


class Encoding(NamedTuple):
    """How a file's bytes are read: Java's name of its charset, and what ends a line."""

    charset: str
    line_break: str = "\n"


UTF_8 = Encoding("UTF-8")


class LandingFile(NamedTuple):
    """A landing file: path, name, size in bytes, encoding, shape, and the texts of its head.

    `head` are the lines of the preamble and, last, the header, as they stand in the file.
    """

    path: str
    name: str
    size: int
    encoding: Encoding
    shape: Shape
    head: tuple[str, ...]


def shape_of(first_lines: Sequence[str], contract: Contract) -> Shape:
    """The shape of a file, from its first lines of text.

    Raises:
        LayoutError: it is empty, no layout fits its header, or a required column is not there.
    """
    source, lines = contract.source, [line for line in first_lines if line.strip()]
    if not lines:
        raise LayoutError("the file is empty; have it delivered again")
    for above, line in enumerate(lines[: ABOVE_THE_HEADER + 1]):
        name = _fitting(line, source, has_preamble=above > 0)
        if name:
            delimiter = source.delimiter_of(source.layouts[name])
            preamble = tuple(fields_of(each, delimiter) for each in lines[:above])
            shape = Shape(fields_of(line, delimiter), preamble, name, delimiter)
            _check(shape, contract)
            _check_preamble(shape, contract)
            return shape
    _check_is_no_header(lines, contract)
    headless = _without_header(lines[0], source)
    if headless:
        _check(headless, contract)
        return headless
    if any(mark in lines[0] for mark in UNREADABLE):
        raise LayoutError(
            f"it is not in the encoding {source.encoding}; name its own in source.encoding, or "
            "have it delivered in this one"
        )
    raise LayoutError(_difference(lines, source))


def fields_of(line: str, delimiter: str, escape: str | None = None) -> tuple[str, ...]:
    """The fields of one line, without the spaces around them."""
    # A byte order mark is no part of the first name.
    bare = tidied(line.removeprefix("\ufeff"), delimiter)
    return tuple(field.strip() for field in parts_of(bare, delimiter, escape))


def tidied(line: str, delimiter: str) -> str:
    """A line with one blank between its fields, where they stand between blanks.

    One with quotes, which may hold some, stays as it is.

    >>> tidied(" A11  6 A34 ", " "), tidied("a, b", ",")
    ('A11 6 A34', 'a, b')
    """
    return line if delimiter != " " or '"' in line else " ".join(line.split())


def parts_of(line: str, delimiter: str, escape: str | None = None) -> list[str]:
    r"""The fields of one line, however malformed it is; `escape` stands before a quote in quotes.

    >>> parts_of(r'a,"say \"b, c\"",d', ",", escape="\\")
    ['a', 'say "b, c"', 'd']
    """
    try:
        rows = list(csv.reader([_with_doubled_quotes(line, escape)], delimiter=delimiter))
    except csv.Error:
        return [line]
    return [part for row in rows for part in row]


def _with_doubled_quotes(line: str, escape: str | None) -> str:
    """A line whose escaped quotes are doubled instead.

    Python's csv would take an escape before a delimiter, too; Spark's patterns do not.
    """
    if escape is None:
        return line
    return re.sub(f"{re.escape(escape)}(.)", lambda pair: '""' if pair[1] == '"' else pair[0], line)


def column_at(header: Sequence[str], spec: ContractColumn) -> int | None:
    """The position of a column in a header; of several names, the first that the contract lists."""
    return next((header.index(name) for name in spec.headers if name in header), None)


def misspelled_headers(header: Sequence[str], contract: Contract) -> Iterator[tuple[str, str]]:
    """Columns of the contract that a header lacks, each with a name in it that is nearly theirs."""
    known = {name for spec in contract.columns.values() for name in spec.headers}
    unread = {_letters(name): name for name in header if name and name not in known}
    for column, spec in contract.columns.items():
        if column_at(header, spec) is None:
            near = (
                match
                for name in spec.headers
                for match in get_close_matches(_letters(name), unread, n=1, cutoff=SIMILARITY)
            )
            if found := next(near, None):
                yield column, unread[found]


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def key_of(layout: Layout, contract: Contract) -> tuple[str, ...] | None:
    """The key's columns in files of a layout; None: the record id comes from the content."""
    key = layout.key or contract.key
    return None if key == CONTENT else tuple(key)


def _fitting(line: str, source: Source, *, has_preamble: bool) -> str | None:
    fits = [
        name
        for name, layout in source.layouts.items()
        if layout.header
        and set(layout.header) <= set(fields_of(line, source.delimiter_of(layout)))
        and not (has_preamble and layout.preamble == "none")
    ]
    return max(fits, key=lambda name: len(source.layouts[name].header), default=None)


def _check_is_no_header(lines: Sequence[str], contract: Contract) -> None:
    """Refuse a first line that has names of the contract, where files may have no header.

    It would be quarantined as a loan, and all others be read by the places of their fields.
    """
    source = contract.source
    known = {name for spec in contract.columns.values() for name in spec.headers}
    known = known.union(*(layout.header for layout in source.layouts.values()))
    for layout in (each for each in source.layouts.values() if each.no_header):
        fields = fields_of(lines[0], source.delimiter_of(layout))
        # Numbers may be names, and a loan's values.
        named = dict.fromkeys(
            each for each in fields if each in known and any(map(str.isalpha, each))
        )
        if len(named) < NAMES_OF_A_HEADER:
            continue
        if any(_names(lines[0], each, source) for each in source.layouts.values()):
            raise LayoutError(_difference(lines, source))
        raise LayoutError(
            f"its first line is a header ({_quoted(named)}) that no layout of the contract has; "
            "have it delivered without, or give its layout header in place of no_header"
        )


def _without_header(line: str, source: Source) -> Shape | None:
    """The shape of a file whose first line is a loan, found by its number of fields."""
    for name, layout in source.layouts.items():
        delimiter = source.delimiter_of(layout)
        if len(layout.no_header) == len(fields_of(line, delimiter, layout.escape)):
            return Shape(layout.no_header, (), name, delimiter)
    return None


def _check(shape: Shape, contract: Contract) -> None:
    twice = sorted({name for name in shape.header if name and shape.header.count(name) > 1})
    if twice:
        raise LayoutError(f"its header has {_quoted(twice)} more than once")
    lacking = [
        f"'{name}' (a header named {_or(spec.headers)})"
        for name, spec in contract.columns.items()
        if spec.required and column_at(shape.header, spec) is None
    ]
    if lacking:
        raise LayoutError(f"it lacks what the contract requires: {', '.join(lacking)}")


def _check_preamble(shape: Shape, contract: Contract) -> None:
    """Refuse a line above the header that looks like a loan: as preamble it would be lost."""
    key = key_of(contract.source.layouts[shape.layout], contract) or ()
    places = {name: column_at(shape.header, spec) for name, spec in contract.columns.items()}
    found = {name: at for name, at in places.items() if at is not None}
    columns = contract.columns
    needed = [at for name, at in found.items() if columns[name].required or name in key]
    numbers = [at for name, at in found.items() if columns[name].kind in NUMBER_KINDS]
    for fields in (each for each in shape.preamble if len(each) == len(shape.header)):
        is_given = all(NUMBER.match(fields[at]) if at in numbers else fields[at] for at in needed)
        if is_given and any(NUMBER.match(fields[at]) for at in numbers):
            raise LayoutError(
                "a line above its header may be a loan, which would be lost; have it delivered "
                "again, with the header first"
            )


def _difference(lines: Sequence[str], source: Source) -> str:
    """What the line nearest to any layout's header lacks of it."""
    layouts = {name: layout for name, layout in source.layouts.items() if layout.header}
    headless = [layout for layout in source.layouts.values() if layout.no_header]
    if headless and not any(
        _names(line, layout, source) for line in lines for layout in layouts.values()
    ):
        wanted = [
            f"{len(each.no_header)} between '{source.delimiter_of(each)}'" for each in headless
        ]
        found = [
            len(fields_of(lines[0], source.delimiter_of(each), each.escape)) for each in headless
        ]
        return (
            "it has no header that the contract knows, and its first line has "
            f"{_or(map(str, found))} fields, not {_or(wanted)}. Have it delivered again, or add "
            "its layout to the contract"
        )
    pairs = [
        (fields_of(line, source.delimiter_of(layout)), name)
        for line in lines
        for name, layout in layouts.items()
    ]
    line, name = max(pairs, key=lambda pair: len(set(layouts[pair[1]].header) & set(pair[0])))
    lacking = [each for each in layouts[name].header if each not in line]
    if not lacking:
        return (
            f"the header of the layout '{name}' is below other lines; take them away, or say "
            f"'preamble: detect' in that layout"
        )
    # A line that has no name of the header may be a loan, whose values nobody may read here.
    is_header = {*map(_letters, layouts[name].header)} & {*map(_letters, line)}
    hint = instead_of(lacking[0], line) if is_header else ""
    near = f" (for '{lacking[0]}', {hint})" if hint.startswith("did you mean") else ""
    return (
        f"no layout of the contract fits its header; the nearest, '{name}', also needs "
        f"{_quoted(lacking)}{near}. Take the file away, or add its layout to the contract"
    )


def _names(line: str, layout: Layout, source: Source) -> set[str]:
    """The names of a layout's header that stand in a line."""
    return set(layout.header) & set(fields_of(line, source.delimiter_of(layout)))


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
