"""Where contracts, settings and suites are found: a project has conf/ and expectations/."""

import sysconfig
from pathlib import Path

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
