"""Runs a command of credit-spark that dies by SIGKILL at a point of its own choice.

`python tests/e2e/dying.py POINT COMMAND...`: whoever reads of a step and kills from without comes
too late on a busy machine. Java dies too: both are of one process group. POINT is

  STEP          the step's end
  STEP+SECONDS  so long after it, within the next step
  commit=N      after the N-th commit of a table's rows, whichever step makes it
"""

import os
import signal
import sys
from itertools import count
from threading import Timer

from credit_spark.cli import launch, main
from credit_spark.storage import commits
from credit_spark.storage.logs import Log


def die() -> None:
    os.killpg(0, signal.SIGKILL)


def die_after_commit(number: int) -> None:
    commit, numbers = commits.commit, count(1)

    def fatal(*given: object) -> object:
        made = commit(*given)
        if next(numbers) == number:
            die()
        return made

    commits.commit = fatal


def die_after_step(step: str, seconds: float) -> None:
    class DyingLog(Log):
        def event(self, name: str, **facts: object) -> None:
            super().event(name, **facts)
            if facts.get("step") == step:
                Timer(seconds, die).start() if seconds else die()

    launch.Log = DyingLog  # type: ignore[misc]


if __name__ == "__main__":
    point, *command = sys.argv[1:]
    name, _, number = point.replace("+", "=").partition("=")
    if name == "commit":
        die_after_commit(int(number))
    else:
        die_after_step(name, float(number or 0))
    sys.exit(main(command))
