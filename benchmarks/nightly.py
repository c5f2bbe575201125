"""The commands of credit-spark that are timed."""

import sys
from pathlib import Path

AS_OF = "2012-01-31"
CREDIT_SPARK = str(Path(sys.executable).parent / "credit-spark")


def sample(rows: int, landing: Path) -> list[str]:
    """Make a batch of so many sample loans."""
    return [CREDIT_SPARK, "sample", "--rows", str(rows), "--as-of", AS_OF, "--out", str(landing)]


def night(landing: Path, warehouse: Path, command: str = "nightly") -> list[str]:
    """A batch, or one step of it: it trains where there is no champion yet."""
    flags = ["--landing", str(landing), "--warehouse", str(warehouse)]
    return [CREDIT_SPARK, command, "--portfolio", "lending_club", "--as-of", AS_OF, *flags]
