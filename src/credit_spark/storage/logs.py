"""The log: JSON lines, each with a time and an event, and no borrower's values.

Lines go to stderr where it is no terminal, and always to the file; traces go to the file alone.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.text import Text

from credit_spark.storage.paths import check_writable

JAVA_FRAMES = 15
# The first line of a Java exception, its condition, and the constraint or the column that is
# violated. py4j prefixes the first with a colon.
THROWN = re.compile(
    r"(?:Caused by: |: )?((?:\w+\.)+[\w$]*(?:Exception|Error)\w*)"
    r"(?:: \[([A-Z]\w*(?:\.\w+)*)\])?"
    r"(?: CHECK constraint (\w+) | NOT NULL constraint violated for column: (\w+))?"
)
STDOUT, STDERR = 1, 2
FRAME = re.compile(r"\s+(at [\w.$/<>]+\((?:\w+\.\w+:\d+|Native Method|Unknown Source)\))$")


def say(text: str) -> None:
    """Print a line to stderr; nothing where its reader has ended."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        discard(STDERR)


def discard(descriptor: int) -> None:
    """Send the output of a file descriptor to nowhere: Python writes out its buffer at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


class Log:
    """Writes the events of one run.

    Raises:
        InputError: files of the folder belong to another user.
    """

    def __init__(self, folder: Path, run_id: str, to_stderr: bool | None = None) -> None:
        self.file = folder / "credit-spark.jsonl"
        self.file_of_java = folder / "java.log"
        self.run_id = run_id
        self._to_stderr = not sys.stderr.isatty() if to_stderr is None else to_stderr
        folder.mkdir(parents=True, exist_ok=True)
        check_writable(self.file)
        check_writable(self.file_of_java)

    def event(self, name: str, **facts: object) -> None:
        """Note that something happened, with facts about it."""
        line = self._line(name, facts)
        self._keep(line)
        if self._to_stderr:
            say(line)

    @contextmanager
    def progress(self, step: str, under_way: Callable[[], str]) -> Iterator[None]:
        """Show on a terminal that a step is at work, for how long, and how far it is."""
        if self._to_stderr or not sys.stderr.isatty():
            yield
            return
        times = (TimeElapsedColumn(), TasksColumn(under_way))
        columns = (SpinnerColumn(), "{task.description}", *times)
        with Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task(step, total=1)
            yield
            shown.update(task, completed=1)

    def trace(self, error: BaseException) -> None:
        """Keep an error's trace, and those of its causes, in the file alone."""
        lines = []
        for each in _chain(error):
            frames = "".join(traceback.format_tb(each.__traceback__))
            lines.append(f"{frames}{type(each).__name__}: {message_of(each)}")
        self._keep(self._line("error", {"trace": lines}))

    def _line(self, name: str, facts: dict[str, object]) -> str:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return json.dumps({"at": at, "run_id": self.run_id, "event": name, **facts}, default=str)

    def _keep(self, line: str) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class TasksColumn(ProgressColumn):
    """How far a step is, looked up at most twice a second."""

    max_refresh = 0.5

    def __init__(self, under_way: Callable[[], str]) -> None:
        super().__init__()
        self._under_way = under_way

    def render(self, task: Task) -> Text:
        """Text of the tasks that are done, while the step is at work."""
        # Whatever Spark says while it stops is not worth a trace.
        with suppress(Exception):
            return Text("" if task.finished else self._under_way())
        return Text()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, the last one first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def message_of(error: BaseException) -> str:
    """What an error says; what Spark and Delta say can hold rows' values, so of it only names.

    Of Spark: each exception's class, condition, violated constraint or column, and first frames.
    """
    if isinstance(error, PySparkException | Py4JJavaError):
        return "\n".join(_without_messages(str(error)))
    return "" if isinstance(error, DeltaError) else str(error)


def _without_messages(text: str) -> Iterator[str]:
    """The lines of a printed Java exception that hold names only, each cut down to them."""
    frames = 0
    for line in text.splitlines():
        if found := THROWN.match(line):
            frames = 0
            yield " ".join(filter(None, found.groups()))
        elif found := FRAME.match(line):
            frames += 1
            if frames <= JAVA_FRAMES:
                yield f"  {found[1]}"
