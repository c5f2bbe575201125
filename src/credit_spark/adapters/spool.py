"""What a night's tasks leave for its next tasks: lines, typed, in Arrow files beside the tables.

A spool lives as long as one step of one run. What a kill has left is taken away by the night's next
run.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

import polars as pl
import pyarrow as pa
from pyarrow import fs, ipc

from credit_spark.storage.paths import local_folder, opened

OLDEST = pl.CompatLevel.oldest()


class Spool(NamedTuple):
    """A folder of a night, that every task can read and write."""

    place: str

    def writer(self, name: str) -> "closing[SpoolWriter]":
        """Writes a file, block by block, while it is open."""
        system, path = opened(self.place)
        return closing(SpoolWriter(system, f"{path}/{name}"))

    def blocks(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """A file's blocks, as they were written; none where nothing was."""
        system, path = opened(self.place)
        if system.get_file_info(f"{path}/{name}").type == fs.FileType.NotFound:
            return
        with system.open_input_file(f"{path}/{name}") as file:
            chosen = _only(ipc.open_file(file).schema, columns)
            reader = ipc.open_file(file, options=ipc.IpcReadOptions(included_fields=chosen))
            for nth in range(reader.num_record_batches):
                yield pl.DataFrame(reader.get_batch(nth))


class SpoolWriter:
    """Writes blocks of one shape; with no block, there is no file."""

    def __init__(self, system: fs.FileSystem, path: str) -> None:
        self._system = system
        self._path = path
        self._file: pa.NativeFile | None = None
        self._writer: ipc.RecordBatchFileWriter | None = None

    def write(self, lines: pl.DataFrame) -> None:
        """Add a block."""
        if lines.is_empty():
            return
        table = lines.rechunk().to_arrow(compat_level=OLDEST)
        if self._writer is None:
            options = ipc.IpcWriteOptions(compression="lz4")
            self._file = self._system.open_output_stream(self._path)
            self._writer = ipc.new_file(self._file, table.schema, options=options)
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()


@contextmanager
def spooling(night: str, run_id: str) -> Iterator[Spool]:
    """A run's spool; with it goes what earlier runs have left in the folder `night`."""
    place = f"{night}/{run_id}"
    system, path = opened(place)
    system.create_dir(path)
    try:
        yield Spool(place)
    finally:
        system.delete_dir(path)
        if local_folder(night) is not None:
            # The night's lock is ours: nobody else is at work there.
            system.delete_dir(path.rpartition("/")[0])


def _only(schema: pa.Schema, columns: Sequence[str] | None) -> list[int] | None:
    return None if columns is None else [schema.get_field_index(name) for name in columns]
