"""Copies of conf/ and expectations/ that a test may change."""

import shutil
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def changed_project(folder: Path, old: str = "", new: str = "") -> Path:
    """A copy below a folder, with a change in LendingClub's contract."""
    project = folder / "project"
    for name in ("conf", "expectations"):
        shutil.copytree(PROJECT / name, project / name)
    path = project / "conf/portfolios/lending_club.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return project
