"""Runs a command of credit-spark that dies by SIGKILL as it says that a step is done.

`python tests/e2e/dying.py STEP COMMAND...`: whoever reads of the step and kills from without
comes too late on a busy machine. Java dies too: both are of one process group.
"""

import os
import signal
import sys

from credit_spark.cli import launch, main
from credit_spark.storage.logs import Log


class DyingLog(Log):
    """A log that nothing is written to after a step's end."""

    step = ""

    def event(self, name: str, **facts: object) -> None:
        super().event(name, **facts)
        if facts.get("step") == self.step:
            os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    DyingLog.step, *command = sys.argv[1:]
    launch.Log = DyingLog  # type: ignore[misc]
    sys.exit(main(command))
