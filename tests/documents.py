"""Tables in documents that a test counts: the test fails where the document has other ones."""

import importlib.util
import os
from pathlib import Path

from tests.projects import PROJECT


def writer():
    """The program that fills documents."""
    spec = importlib.util.spec_from_file_location("write", PROJECT / "scripts/write_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_filled(document: Path, name: str, text: str) -> None:
    """Hold a document's marks against a text; `make NAME` writes it there."""
    if os.environ.get("WRITE") == name:
        writer().refilled(document, name, text)
    written = document.read_text(encoding="utf-8")
    assert f"<!-- begin {name} -->" in written
    assert written == writer().filled(written, name, text), f"run 'make {name}'"
