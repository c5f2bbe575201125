"""Folders of this machine: whether they can be written, and one run of a night at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from credit_spark.contract.errors import InputError, TryAgainError


def local_folder(place: str) -> Path | None:
    """The folder that a place is on this machine; None: it is a URL of some other storage."""
    if "://" not in place:
        return Path(place.removeprefix("file:"))
    return Path(place.removeprefix("file://")) if place.startswith("file://") else None


def writable(place: str, name: str) -> None:
    """Make sure that a folder can be written, and make it where it is not there.

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
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"the {name} {folder} cannot be written ({error.strerror}); nothing was touched. Name "
            f"another with --{name}, or let this user write there"
        ) from None


@contextmanager
def only_run(warehouse: str, night: str) -> Iterator[None]:
    """Hold a night's lock; it ends with the process, however that ends.

    Where the warehouse is not on this machine, Delta alone settles conflicts.

    Raises:
        TryAgainError: another run holds it.
    """
    folder = local_folder(warehouse)
    if folder is None:
        yield
        return
    try:
        with FileLock(folder / f".{night}.lock", timeout=0):
            yield
    except Timeout:
        raise TryAgainError(
            f"another run of {night} is at work; try again when it is done"
        ) from None
