"""The documents say what the code is."""

import re
from pathlib import Path

import pytest

from tests.documents import writer

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "document", ["docs/tables.md", "docs/metrics.md", "docs/commands.md", "docs/contract.md"]
)
def test_what_is_generated_is_todays(document) -> None:
    text = (PROJECT / document).read_text(encoding="utf-8")
    docs = writer()

    marked = [name for name in docs.GENERATED if f"<!-- begin {name} -->" in text]
    assert marked
    for name in marked:
        assert docs.filled(text, name, docs.GENERATED[name]()) == text, "run 'make docs'"


def test_every_link_leads_somewhere() -> None:
    for path in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")):
        links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        own = [link for link in links if not link.startswith("https://")]
        assert all((path.parent / link).exists() for link in own), path


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE)

    assert {"nightly", "test"} <= set(named)
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in named)
