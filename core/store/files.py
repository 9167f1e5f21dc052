"""Files that are whole or absent, and disk errors in words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import WorkspaceError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch path that takes `path`'s place when the block ends well, and vanishes otherwise."""
    scratch = path.with_name(f".{path.name}.writing")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


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
