"""Time whole nights on sample loans: `make bench NIGHTS="1000000 5000000"`.

For each number of rows: the sample, a first night that trains, then a night that only scores, as a
process of its own each. Prints seconds of each step of the second, rows a second of clean and
score together, and the peak memory of the largest process. Only ratios within one run say much.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    command([CREDIT_SPARK, "sample", "--rows", str(rows), "--as-of", AS_OF, "--out", landing])
    flags = ["--portfolio", "lending_club", "--as-of", AS_OF, "--landing", landing]
    night = [CREDIT_SPARK, "nightly", *flags, "--warehouse", warehouse]
    command(night)
    began = time.monotonic()
    steps, peak = command(night)
    seconds = time.monotonic() - began
    rate = rows / (steps["clean"] + steps["score"])
    return (
        f"{rows:>10,} {seconds:>7.1f} {steps['clean']:>7.1f} {steps['score']:>7.1f} "
        f"{rate:>8,.0f} {peak:>8,.0f}"
    )


def command(words: list[str]) -> tuple[dict[str, float], float]:
    """Run a command; the seconds of its steps, and the peak memory of its largest process in MB."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=log)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, peak_of_the_family(process.pid))
            time.sleep(1)
        log.seek(0)
        lines = log.read().splitlines()
    assert process.returncode == 0, "\n".join(lines[-5:])
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return {each["step"]: each["seconds"] for each in events if each["event"] == "step"}, peak


def peak_of_the_family(pid: int) -> float:
    """The largest peak of resident memory, in MB, of a process and those that it started."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()[1:]]
    family = {pid}
    for _ in range(4):
        family |= {child for child, parent in pairs if parent in family}
    return max(map(peak_of, family))


def peak_of(pid: int) -> float:
    """A process's peak of resident memory in MB; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    lines = [line for line in text.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [1_000_000, 5_000_000])
