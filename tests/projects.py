"""Copies of conf/ and expectations/ that a test may change."""

import json
import shutil
from pathlib import Path

from credit_spark.config.loading import load_contract
from credit_spark.config.models import Contract

PROJECT = Path(__file__).parents[1]
SMALL = PROJECT / "tests/small_lender.yml"


def small_lender(folder: Path, *changes: tuple[str, str]) -> Contract:
    """The small contract after some of its text was changed."""
    text = SMALL.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "small_lender.yml"
    path.write_text(text, encoding="utf-8")
    return load_contract(path)


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


def without_open_accounts(folder: Path) -> Path:
    """A copy whose contract has lost a column and the feature that reads it."""
    path = PROJECT / "conf/portfolios/lending_club.yml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    column, feature = [each for each in lines if each.startswith("  open_accounts:")]
    return changed_project(folder, column, "", (feature, ""))


def closed_book(folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy for LendingClub's real book, whose suite does not ask how new the newest loan is.

    At the batch date when the last loans of 2011 are a year old, no newer ones have come to the file.
    """
    project = changed_project(folder, "", "", *changes)
    path = project / "expectations/lending_club/loans.json"
    suite = json.loads(path.read_text(encoding="utf-8"))
    kept = [each for each in suite["expectations"] if each["kwargs"].get("column") != "age_days"]
    assert len(kept) == len(suite["expectations"]) - 1
    path.write_text(json.dumps({**suite, "expectations": kept}), encoding="utf-8")
    return project
