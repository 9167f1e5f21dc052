"""Files that are whole or absent, and disk errors in words."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import WorkspaceError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch path that takes `path`'s place when the block ends well, and vanishes otherwise.

    The file is whole or absent also after a power cut.
    """
    scratch = path.with_name(f".{path.name}.writing")
    try:
        yield scratch
        _sync(scratch, os.O_RDWR)
        scratch.replace(path)
        if os.name == "posix":  # elsewhere a folder cannot be opened
            _sync(path.parent, os.O_RDONLY)
    finally:
        scratch.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a file that is whole or absent."""
    write_whole(path, json.dumps(content))


def write_whole(path: Path, text: str) -> None:
    """Write a file that is whole or absent."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8", errors="replace")


def _sync(path: Path, flags: int) -> None:
    """Have the disk itself hold what was written to a file, or which files a folder has."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a failed write into a WorkspaceError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise WorkspaceError(
                f"the disk that holds {folder} is full; free some space and run the same command again: "
                "it goes on where it stopped"
            ) from error
        raise WorkspaceError(f"cannot write to {folder}: {error}") from error
