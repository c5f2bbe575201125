"""Whole processes: how long they take, and the most memory that one of them held."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """A finished process: wall seconds, peak memory of its largest process in MB, its log."""

    seconds: float
    peak: float
    log: list[str]


def run(words: Sequence[str]) -> Run:
    """Run a command to its end; a failure shows the end of its log."""
    with tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=log)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _peak_of_the_family(process.pid))
            time.sleep(0.2)
        seconds = time.monotonic() - began
        log.seek(0)
        lines = log.read().splitlines()
    assert process.returncode == 0, "\n".join(lines[-5:])
    return Run(seconds, peak, lines)


def _peak_of_the_family(pid: int) -> float:
    """The largest peak of resident memory, in MB, of a process and those that it started."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()[1:]]
    family = {pid}
    for _ in range(4):
        family |= {child for child, parent in pairs if parent in family}
    return max(map(_peak_of, family))


def _peak_of(pid: int) -> float:
    """A process's peak of resident memory in MB; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    lines = [line for line in text.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0
