"""Copies of conf/ and expectations/ that a test may change."""

import shutil
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def changed_project(folder: Path, old: str = "", new: str = "", *more: tuple[str, str]) -> Path:
    """A copy below a folder, with changes in LendingClub's contract."""
    project = folder / "project"
    for name in ("conf", "expectations"):
        shutil.copytree(PROJECT / name, project / name)
    path = project / "conf/portfolios/lending_club.yml"
    text = path.read_text(encoding="utf-8")
    for before, after in ((old, new), *more):
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    return project
