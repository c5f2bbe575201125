"""A PostgreSQL server that tests start themselves, spoken to by psql."""

import csv
import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

NULL = "(null)"


class Server(NamedTuple):
    """A server that listens on a socket in a folder."""

    binaries: Path
    folder: Path

    def run(self, sql: str, given: str | None = None) -> str:
        """What psql prints for a statement."""
        words = [
            str(self.binaries / "psql"), "-h", str(self.folder), "-U", "tests", "-d", "postgres",
            "-v", "ON_ERROR_STOP=1", "-X", "-q", "-c", sql,
        ]  # fmt: skip
        told = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        return told.stdout

    def copy(self, table: str, rows: pa.Table) -> None:
        """Fill a table with rows, as CSV."""
        text = io.StringIO()
        writer = csv.writer(text)
        for row in rows.to_pylist():
            writer.writerow([_written(each) for each in row.values()])
        self.run(f"copy {table} from stdin (format csv, null '{NULL}')", text.getvalue())

    def rows(self, sql: str) -> list[dict]:
        """The rows of a query; null is None."""
        text = self.run(f"copy ({sql}) to stdout (format csv, header, null '{NULL}')")
        return [
            {name: None if value == NULL else value for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(text))
        ]


def _written(value: object) -> object:
    if value is None:
        return NULL
    return repr(value) if isinstance(value, float) else value


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A server on a new cluster in a folder, ended when the work is done."""
    binaries = _binaries()
    data, owner = folder / "data", _owner()
    data.mkdir()
    if owner:
        for each in (folder, data):
            shutil.chown(each, owner, owner)
        _let_through(folder)
    as_owner = ["runuser", "-u", owner, "--"] if owner else []
    subprocess.run(
        [*as_owner, binaries / "initdb", "-D", data, "-U", "tests", "--no-sync", "--locale=C", "--encoding=UTF8"],
        check=True, capture_output=True,
    )  # fmt: skip
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    control = [*as_owner, binaries / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-o", options, "-l", folder / "log", "start"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Server(binaries, folder)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    place = shutil.which("initdb")
    assert place, "PostgreSQL's server is needed: apt-get install postgresql"
    return Path(place).parent


def _owner() -> str | None:
    """Who owns the server's files: not root, whom PostgreSQL refuses."""
    return "postgres" if os.geteuid() == 0 else None


def _let_through(folder: Path) -> None:
    """Let another user reach the folder below pytest's own, which only its owner may enter."""
    for each in folder.parents:
        if each.stat().st_uid == os.geteuid() and not each.stat().st_mode & 0o001:
            each.chmod(each.stat().st_mode | 0o011)
