"""Files that are whole or absent, and disk errors in words."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import WorkspaceError


@contextmanager
def replacing(path: Path, writer: str = "") -> Iterator[Path]:
    """A scratch path that takes `path`'s place when the block ends well, and vanishes otherwise.

    The file is whole or absent also after a power cut. Where several machines may write it at once, `writer`
    tells their scratch paths apart.
    """
    scratch = path.with_name(f".{path.name}.{writer}writing")
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


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is whole or absent."""
    with replacing(path) as scratch:
        scratch.write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)


def read_bytes(path: Path, most: int, within: Path | None = None) -> bytes:
    """A stranger's file of at most so many bytes; raises OSError, whose `strerror` says what is wrong.

    Only an ordinary file is read: a pipe would wait for ever, a device never end. With `within`, no link may
    lead out of that folder.
    """
    if within is not None and not path.resolve().is_relative_to(within.resolve()):
        raise OSError(errno.EPERM, f"it is a link that leads out of {within}", str(path))
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
        read = file.read(most + 1) if status.st_size <= most else None
    if read is None or len(read) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
    return read


def read_text(path: Path, most: int, within: Path | None = None) -> str:
    """`read_bytes` as UTF-8; raises UnicodeDecodeError as well. Every line break is a newline."""
    text = read_bytes(path, most, within).decode()
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
