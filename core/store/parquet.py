"""Opening the workspace's Parquet files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import WorkspaceError


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file of a model's attention folder; raises WorkspaceError if it is missing or damaged."""
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise WorkspaceError(
            f"{path} is missing or damaged ({type(error).__name__}); delete the folder "
            f"{path.parent} and run `extract` again: programs and decisions stay"
        ) from error
