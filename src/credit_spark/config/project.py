"""Where contracts, settings and suites are found: a project has conf/ and expectations/."""

import shutil
import sysconfig
from pathlib import Path

from credit_spark.config.errors import InputError, listed

CHECKOUT = Path(__file__).resolve().parents[3]
PORTFOLIOS, SUITES, BASE = "conf/portfolios", "expectations", "conf/base.yml"


def shipped() -> Path:
    """The project that comes with credit-spark: of a checkout, or of an installed wheel."""
    if (CHECKOUT / BASE).is_file():
        return CHECKOUT
    return Path(sysconfig.get_path("data")) / "share/credit-spark"


def default_project() -> Path:
    """The working directory where it has contracts, else what comes with credit-spark."""
    here = Path.cwd()
    return here if (here / PORTFOLIOS).is_dir() else shipped()


def base_settings(project: Path) -> Path:
    """The file of all settings: the project's own, else the one that comes with credit-spark."""
    own = project / BASE
    return own if own.is_file() else shipped() / BASE


def examples() -> list[str]:
    """The names of the portfolios that come with credit-spark."""
    return sorted(each.stem for each in (shipped() / PORTFOLIOS).glob("*.yml"))


def copy_example(portfolio: str, folder: Path) -> list[Path]:
    """Copy a shipped portfolio's contract and suites into a folder; the result is what was made.

    Raises:
        InputError: one of the files is there already.
    """
    source = shipped()
    contract = Path(PORTFOLIOS) / f"{portfolio}.yml"
    suites = (source / SUITES / portfolio).glob("*.json")
    files = [contract, *(each.relative_to(source) for each in sorted(suites))]
    if there := [f"{folder / each}" for each in files if (folder / each).exists()]:
        raise InputError(listed("nothing was copied; these files are there already", there))
    for each in files:
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / each, folder / each)
    return [folder / each for each in files]
