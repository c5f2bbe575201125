"""Time whole nights on sample loans: `make bench-growth NIGHTS="1000000 5000000"`.

For each number of rows: the sample, a first night that trains, then a night that only scores, as a
process of its own each. Prints seconds of each step of the second, rows a second of clean and
score together, and the peak memory of the largest process. Only ratios within one run say much.
"""

import json
import sys
import tempfile
from pathlib import Path

from processes import run

AS_OF = "2012-01-31"
CREDIT_SPARK = str(Path(sys.executable).parent / "credit-spark")


def main(rows: list[int]) -> None:
    """Time a night of each size, the smallest first."""
    print(f"{'rows':>10} {'night':>7} {'clean':>7} {'score':>7} {'rows/s':>8} {'peak MB':>8}")
    for each in sorted(rows):
        with tempfile.TemporaryDirectory() as folder:
            print(timed(each, Path(folder)), flush=True)


def timed(rows: int, folder: Path) -> str:
    """One line of the table."""
    landing, warehouse = str(folder / "landing"), str(folder / "warehouse")
    run([CREDIT_SPARK, "sample", "--rows", str(rows), "--as-of", AS_OF, "--out", landing])
    flags = ["--portfolio", "lending_club", "--as-of", AS_OF, "--landing", landing]
    night = [CREDIT_SPARK, "nightly", *flags, "--warehouse", warehouse]
    run(night)
    seconds, peak, log = run(night)
    steps = steps_of(log)
    rate = rows / (steps["clean"] + steps["score"])
    return (
        f"{rows:>10,} {seconds:>7.1f} {steps['clean']:>7.1f} {steps['score']:>7.1f} "
        f"{rate:>8,.0f} {peak:>8,.0f}"
    )


def steps_of(log: list[str]) -> dict[str, float]:
    """The seconds of each step that a night has logged."""
    events = [json.loads(line) for line in log if line.startswith("{")]
    return {each["step"]: each["seconds"] for each in events if each["event"] == "step"}


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [1_000_000, 5_000_000])
