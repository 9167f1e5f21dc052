"""A folder as one file, and back: what a browser can hand over."""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from core.errors import HybridError

_MOST_FILES = 20_000  # a program for each head of the largest models, and what says what they are
_MOST_BYTES = 2**26  # of all files together, unpacked
MAX_PACKED = 2**27  # of an archive
# What `zipfile` raises on archives that are damaged, locked or packed in a way that it does not know.
_UNREADABLE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
    EOFError, NotImplementedError, RuntimeError, OSError,
)  # fmt: skip


def zipped(folder: Path) -> bytes:
    """A folder as a zip archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, Path(folder.name) / path.relative_to(folder))
    return packed.getvalue()


@contextmanager
def unzipped(content: bytes) -> Iterator[Path]:
    """The folder in a zip archive, until the end of the `with`; a folder around everything is stepped into.

    Raises HybridError where it is no archive, is larger than a hybrid can be, or a name leads out of it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                _unpack(archive, Path(scratch))
        except _UNREADABLE as error:
            raise HybridError(f"the archive cannot be read: {error}") from error
        inside = list(Path(scratch).iterdir())
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() else Path(scratch)


def _unpack(archive: zipfile.ZipFile, target: Path) -> None:
    """Every file of an archive as an ordinary file; links come out as what is written in them."""
    files = [member for member in archive.infolist() if not member.is_dir()]
    if len(files) > _MOST_FILES or sum(member.file_size for member in files) > _MOST_BYTES:
        raise HybridError(
            f"the archive holds {len(files):,} files of {sum(member.file_size for member in files):,} bytes; "
            f"a hybrid has at most {_MOST_FILES:,} of {_MOST_BYTES:,}"
        )
    for member in files:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise HybridError(f"the archive names a file outside of itself: {member.filename!r}")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed:
            path.write_bytes(packed.read(member.file_size + 1)[: member.file_size])
