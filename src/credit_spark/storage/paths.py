"""Where files and tables stand: a folder of this machine, or a URL of some other storage."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pyarrow import fs

from credit_spark.config.errors import InputError, TryAgainError

# Of two letters at least: 'C:' is no scheme.
SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):(//(?=/))?")

# In a path of deltalake's: an escaped letter, or a slash of Windows.
ESCAPE = re.compile(r"%[0-9a-fA-F]{2}|\\")


def local_folder(place: str) -> Path | None:
    """The folder that a place is on this machine; None: it is a URL of some other storage.

    >>> local_folder("file:///tmp/loans"), local_folder("tmp"), local_folder("hdfs://name/loans")
    (PosixPath('/tmp/loans'), PosixPath('tmp'), None)
    """
    scheme = SCHEME.match(place)
    if scheme is None:
        return Path(place)
    return Path(place[scheme.end() :]) if scheme[1].lower() == "file" else None


def url_of(place: str) -> str:
    """A place as Spark finds it from any folder, whatever storage is its default.

    >>> url_of("s3://bucket/loans"), url_of("/tmp/loans")
    ('s3a://bucket/loans', 'file:/tmp/loans')
    """
    folder = local_folder(place)
    return re.sub(r"^s3:", "s3a:", place) if folder is None else f"file:{folder.resolve()}"


def literal(path: str) -> str:
    """A path as a glob of Hadoop's that finds it and nothing else."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def check_folder_of_tables(place: str) -> None:
    """Make sure that readers without Spark find tables in a local folder where Spark writes them.

    Raises:
        InputError: deltalake takes part of its path for another letter.
    """
    folder = local_folder(place)
    if folder and (escape := ESCAPE.search(str(folder.resolve()))):
        raise InputError(
            f"{folder} cannot hold tables: readers without Spark take '{escape[0]}' for another "
            "letter; nothing was touched. Name another folder with --warehouse"
        )


def writable(place: str, instead: str) -> None:
    """Make a folder where it is not there, and see that it can be written; else name `instead`.

    Raises:
        InputError: it cannot be made or written.
    """
    folder = local_folder(place)
    if folder is None:
        return
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        # Another run may probe at the same moment.
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); nothing was touched. Name another "
            f"with {instead}, or let this user write there"
        ) from None


def check_writable(file: Path) -> None:
    """Make sure that this user may write a file, where it is there.

    Raises:
        InputError: it belongs to another user.
    """
    if file.exists() and not os.access(file, os.W_OK):
        raise InputError(
            f"{file} cannot be written; another user has made it. Let this user write it, or run "
            "as that user"
        )


def url_of_tables(place: str) -> str:
    """A place as deltalake and Arrow find it: Hadoop's names of S3 are no names of theirs.

    >>> url_of_tables("s3a://bucket/loans"), url_of_tables("file:///tmp/loans")
    ('s3://bucket/loans', '/tmp/loans')
    """
    folder = local_folder(place)
    return re.sub(r"^s3[an]:", "s3:", place) if folder is None else str(folder.resolve())


@contextmanager
def batch_date_lock(warehouse: str, as_of: str, *, is_locked: bool = True) -> Iterator[None]:
    """Hold the lock of a batch date; it ends with the process, however that ends.

    A second run of the date fails at once. Without a lock (object storage, or a network file system
    without locks), the fence of `Tables` stops one of the two runs when it publishes.

    Raises:
        TryAgainError: another run holds it.
    """
    folder = local_folder(warehouse)
    if folder is None or not is_locked:
        yield
        return
    file = folder / f".{as_of}.lock"
    check_writable(file)
    try:
        with FileLock(file, timeout=0):
            yield
    except Timeout:
        raise TryAgainError(
            f"another run of {as_of} is under way; try again when it has ended"
        ) from None


def put(folder: str, name: str, content: bytes) -> str:
    """Put a file into a folder or URL, whole or not at all, and say where it is."""
    system, path = fs.FileSystem.from_uri(url_of_tables(folder))
    system.create_dir(path)
    with system.open_output_stream(f"{path}/.{name}") as file:
        file.write(content)
    system.move(f"{path}/.{name}", f"{path}/{name}")
    return f"{folder}/{name}"
