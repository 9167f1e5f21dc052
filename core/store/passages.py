"""Sets of passages as Parquet files named by their content, so that a job can name what it works on.

A set is written once and never changes; jobs on the same passages share its file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import WorkspaceError
from core.files import disk_errors, replacing
from core.types import Sentence, Split

_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "text", "genre", "split")])


def keep_passages(workspace: Path, passages: Sequence[Sentence]) -> str:
    """Write a set of passages, in order, unless it is there; its name. Raises WorkspaceError."""
    columns = {
        "id": [passage.id for passage in passages],
        "text": [passage.text for passage in passages],
        "genre": [passage.genre for passage in passages],
        "split": [str(passage.split) for passage in passages],
    }
    told = "\0".join(text for column in columns.values() for text in column)
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    path = _path(workspace, name)
    if not path.is_file():
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as scratch:
                pq.write_table(pa.table(columns, _SCHEMA), scratch, compression="zstd")
    return name


def read_passages(workspace: Path, name: str) -> list[Sentence]:
    """The passages of a set, in order; raises WorkspaceError if its file is missing or damaged."""
    path = _path(workspace, name)
    try:
        rows = pq.read_table(path, schema=_SCHEMA).to_pylist()
        return [Sentence(row["id"], row["text"], row["genre"], Split(row["split"])) for row in rows]
    except (OSError, ValueError, pa.ArrowException) as error:
        raise WorkspaceError(
            f"the passages {path} that a job names are missing or damaged ({type(error).__name__}); "
            "start the job anew"
        ) from error


def _path(workspace: Path, name: str) -> Path:
    return workspace / "passages" / f"{name}.parquet"
