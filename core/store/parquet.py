"""Opening the workspace's Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import WorkspaceError


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Whatever fails while a Parquet file of a model's attention folder is read is a WorkspaceError."""
    try:
        yield
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        MemoryError,
        AttributeError,
        pa.ArrowException,
    ) as error:
        raise WorkspaceError(
            f"{path} is missing or damaged ({type(error).__name__}); delete the folder "
            f"{path.parent} and run `extract` again: programs and decisions stay"
        ) from error


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file of a model's attention folder; raises WorkspaceError if it is missing or damaged."""
    with damage_told(path):
        return pq.ParquetFile(path, memory_map=True)
