"""The size of the house: `make house`.

Modules and lines of src/credit_spark (of code: without blank lines, comments and docstrings), its
longest functions and modules, names that more than one class has and, of a junit file, the slowest
tests.
"""

import ast
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

SRC = Path(__file__).parents[1] / "src/credit_spark"
SHOWN = 5
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions() -> Iterator[tuple[Path, Definition]]:
    """Every function and class, with its module."""
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Definition):
                yield path.relative_to(SRC), node


def code_lines(path: Path) -> int:
    """Lines that hold code."""
    no_code = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
               tokenize.ENCODING, tokenize.ENDMARKER}  # fmt: skip
    with path.open("rb") as file:
        tokens = [each for each in tokenize.tokenize(file.readline) if each.type not in no_code]
    lines = {line for each in tokens for line in range(each.start[0], each.end[0] + 1)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        is_documented = isinstance(node, ast.Module | Definition) and ast.get_docstring(node)
        if is_documented:
            docstring, *_ = node.body
            lines -= {*range(docstring.lineno, (docstring.end_lineno or 0) + 1)}
    return len(lines)


def length(node: Definition) -> int:
    """Lines of a definition, without its docstring."""
    first, *_ = node.body
    docstring = ast.get_docstring(node, clean=False)
    said = (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
    return (node.end_lineno or 0) - node.lineno + 1 - said


def slowest(junit: str) -> list[tuple[float, str]]:
    """Seconds and name of the slowest tests of a run with --junit-xml."""
    cases = ET.parse(junit).getroot().iter("testcase")  # noqa: S314
    return sorted((float(each.attrib["time"]), each.attrib["name"]) for each in cases)[-SHOWN:]


def main(*junit: str) -> None:
    """Print the figures."""
    lines = {
        path.relative_to(SRC): len(path.read_text(encoding="utf-8").splitlines())
        for path in SRC.rglob("*.py")
    }
    modules = [path for path in lines if path.name != "__init__.py"]
    code = sum(map(code_lines, SRC.rglob("*.py")))
    print(f"modules {len(modules)}, lines {sum(lines.values()):,}, of code {code:,}")
    for path in sorted(lines, key=lines.__getitem__)[-SHOWN:]:
        print(f"  {lines[path]:5} lines  {path}")
    found = [*definitions()]
    functions = [
        (length(node), path, node) for path, node in found if not isinstance(node, ast.ClassDef)
    ]
    print(f"functions {len(functions)}, the longest:")
    for many, path, node in sorted(functions, key=lambda each: each[0])[-SHOWN:]:
        print(f"  {many:5} lines  {path} {node.name}")
    classes = Counter(node.name for _, node in found if isinstance(node, ast.ClassDef))
    twice = [name for name, many in sorted(classes.items()) if many > 1]
    print(f"names of more than one class: {', '.join(twice) or 'none'}")
    for seconds, name in (each for path in junit for each in slowest(path)):
        print(f"  {seconds:6.1f} s  {name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
