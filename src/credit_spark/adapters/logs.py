"""The log: JSON lines, each with a time and an event, and no borrower's values.

Lines go to stderr where it is no terminal, and to the day's file always; traces go to the file.
"""

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Log:
    """Writes the events of one run."""

    def __init__(self, folder: Path, run_id: str, to_stderr: bool | None = None) -> None:
        self.file = folder / "credit-spark.jsonl"
        self.run_id = run_id
        self._to_stderr = not sys.stderr.isatty() if to_stderr is None else to_stderr
        folder.mkdir(parents=True, exist_ok=True)

    def event(self, name: str, **facts: object) -> None:
        """Note that something happened, with facts about it."""
        line = self._line(name, facts)
        self._keep(line)
        if self._to_stderr:
            print(line, file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, step: str) -> Iterator[None]:
        """Show on a terminal that a step is at work, and for how long."""
        if self._to_stderr:
            yield
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task(step, total=1)
            yield
            shown.update(task, completed=1)

    def trace(self, error: BaseException) -> None:
        """Keep an error's trace, in the file alone."""
        text = "".join(traceback.format_exception(error))
        self._keep(self._line("error", {"trace": text}))

    def _line(self, name: str, facts: dict[str, object]) -> str:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return json.dumps({"at": at, "run_id": self.run_id, "event": name, **facts}, default=str)

    def _keep(self, line: str) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
