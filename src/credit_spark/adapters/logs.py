"""The log: JSON lines, each with a time and an event, and no borrower's values.

Lines go to stderr where it is no terminal, and to the day's file always; traces go to the file.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from deltalake.exceptions import DeltaError
from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

JAVA_FRAMES = 15
# Seconds between two looks at how far a step is.
LOOK_EVERY = 0.5

# Their texts hold the rows that they are about.
HIDDEN = (PySparkException, Py4JJavaError, DeltaError)


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
    def progress(self, step: str, under_way: Callable[[], str]) -> Iterator[None]:
        """Show on a terminal that a step is at work, for how long, and how far it is."""
        if self._to_stderr:
            yield
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[far]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as shown, ended() as is_ended:
            task = shown.add_task(step, total=1, far="")

            def look() -> None:
                while not is_ended.wait(LOOK_EVERY):
                    # Whatever Spark says while it stops is not worth a trace.
                    with suppress(Exception):
                        shown.update(task, far=under_way())

            Thread(target=look, daemon=True).start()
            yield
            is_ended.set()
            shown.update(task, completed=1, far="")

    def trace(self, error: BaseException) -> None:
        """Keep an error's trace, and those of its causes, in the file alone."""
        self._keep(self._line("error", {"trace": [_told(each) for each in _chain(error)]}))

    def _line(self, name: str, facts: dict[str, object]) -> str:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return json.dumps({"at": at, "run_id": self.run_id, "event": name, **facts}, default=str)

    def _keep(self, line: str) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@contextmanager
def ended() -> Iterator[Event]:
    """An event that has come to pass at the end, whatever the end."""
    event = Event()
    try:
        yield event
    finally:
        event.set()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, the last one first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _told(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__}: {_said(error)}"


def _said(error: BaseException) -> str:
    """What an error says; what Spark and Delta say may hold values, so of it only the kind."""
    return java_trace(error) if isinstance(error, HIDDEN) else str(error)


def java_trace(error: BaseException) -> str:
    """A Java exception and its causes: their classes, Spark's names for what happened, the frames.

    Messages are left out. Empty for an error that is not of Java.
    """
    thrown = getattr(error, "java_exception", getattr(error, "_origin", None))
    lines = []
    while thrown is not None:
        lines.append(f"{thrown.getClass().getName()} {_condition(thrown)}".strip())
        lines += [
            f"  at {frame.toString()}" for frame in list(thrown.getStackTrace())[:JAVA_FRAMES]
        ]
        thrown = thrown.getCause()
    return "\n".join(lines)


def _condition(thrown: Any) -> str:
    """Spark's name for what happened, and the name of the check where one was broken."""
    if not is_instance_of(SparkContext._gateway, thrown, "org.apache.spark.SparkThrowable"):
        return ""
    parameters = thrown.getMessageParameters()
    check = parameters.get("constraintName") or ""
    return f"{thrown.getCondition()} {check}".strip()
