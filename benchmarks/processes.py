"""Whole processes: how long they take, and the most memory that they and their own hold."""

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SAMPLED_EVERY = 0.1
# A higher memory is one that is higher by this.
HIGHER = 1.02
PROCESSES = Path("/proc")


class Run(NamedTuple):
    """A finished process: its wall seconds, the family's peak memory in MB, its log.

    The family is the process and all that it has started (of Spark: Java, Python's workers).
    """

    seconds: float
    peak: float
    log: list[str]


def run(
    words: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Run:
    """Run a command to its end; a failure shows the end of its log."""
    with tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=log, env=environment, cwd=folder
        )
        try:
            peak = _watched(process)
        finally:
            # Where this program is ended meanwhile, what it has started ends too.
            process.terminate()
        seconds = time.monotonic() - began
        log.seek(0)
        lines = log.read().splitlines()
    assert process.returncode == 0, "\n".join(lines[-5:])
    return Run(seconds, peak, lines)


def _watched(process: subprocess.Popen) -> float:
    """The family's peak memory in MB, once the process has ended."""
    watch = Watch()
    while process.poll() is None:
        watch.look(_family(process.pid))
        time.sleep(SAMPLED_EVERY)
    return watch.peak


class Watch:
    """The most memory, in MB, that a family of processes held at a moment.

    What a process shares is counted once, which takes the kernel 10 milliseconds a GB; so it is
    asked only where the resident memory, which is told at once, is higher than ever before.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self._resident = 0.0

    def look(self, family: set[int]) -> None:
        """Take the memory of this moment into account."""
        resident = sum(map(_resident, family))
        if resident > self._resident * HIGHER:
            self._resident = resident
            self.peak = max(self.peak, sum(map(_held, family)))


def _family(pid: int) -> set[int]:
    """A process and those that it, or one of them, has started."""
    parents = {int(each.name): _parent(each) for each in PROCESSES.glob("[0-9]*")}
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _parent(process: Path) -> int | None:
    """The process that has started this one; None where it is gone."""
    # The name, which stands in brackets before it, may hold anything.
    _, _, after = _text(process / "stat").rpartition(")")
    return int(after.split()[1]) if after else None


def _resident(pid: int) -> float:
    """A process's resident memory in MB, shared pages and all; 0 where it is gone."""
    return _field(PROCESSES / str(pid) / "status", "VmRSS:") or 0.0


def _held(pid: int) -> float:
    """A process's own memory and its part of what it shares, in MB.

    Where that may not be read, the resident memory stands for it.
    """
    return _field(PROCESSES / str(pid) / "smaps_rollup", "Pss:") or _resident(pid)


def _field(path: Path, name: str) -> float | None:
    lines = [line for line in _text(path).splitlines() if line.startswith(name)]
    return int(lines[0].split()[1]) / 1024 if lines else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
