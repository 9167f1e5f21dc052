"""A folder of Parquet files, on a disk of this machine or on any file system that pyarrow knows.

Each file is whole or absent, wherever it lies: on a disk it takes its place in one step, an object of a store
is there once it is uploaded. Credentials are in no address: a store's are in the environment of each node
(`AWS_ACCESS_KEY_ID`, …), as pyarrow reads them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from core.errors import WorkspaceError
from core.files import disk_errors, replacing
from core.store.parquet import damage_told, open_parquet

Address = Path | str  # a folder of this machine, or a URI such as s3://bucket/folder?region=eu-central-1
_AT_ONCE = 2**24  # bytes of an upload


class Depot(Protocol):
    """A folder of Parquet files; its methods raise WorkspaceError."""

    def names(self, below: str = "") -> list[str]:
        """The Parquet files in the folder, or in one below it, in order."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def parquet(self, name: str) -> pq.ParquetFile:
        """A file, open."""

    @contextmanager
    def writing(self, name: str, writer: str = "") -> Iterator[Path]:
        """A path of this machine, whose file is there when the block ends well; as `files.replacing`."""

    def remove(self, below: str) -> None:
        """Remove a folder below; what cannot be removed stays."""

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Whatever fails while an open file is read is a WorkspaceError."""


def depot(address: Address) -> Depot:
    """The folder at an address."""
    return Disk(address) if isinstance(address, Path) else Store(address)


def address_of(written: str) -> Address:
    """The address that a setting or a note gives: a URI, or a path; raises WorkspaceError."""
    if "://" not in written:
        return Path(written).expanduser().resolve()
    _file_system(written)
    return written


def below(address: Address, name: str) -> Address:
    """A folder in the folder at an address."""
    if isinstance(address, Path):
        return address / name
    path, mark, options = address.partition("?")
    return f"{path.rstrip('/')}/{name}{mark}{options}"


@dataclass(frozen=True)
class Disk:
    """A folder on a disk of this machine, or on one that it mounts."""

    folder: Path

    def names(self, below: str = "") -> list[str]:
        """The Parquet files in the folder, or in one below it, in order."""
        return sorted(path.name for path in (self.folder / below).glob("[!.]*.parquet"))

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / name).is_file()

    def parquet(self, name: str) -> pq.ParquetFile:
        """A file, open."""
        return open_parquet(self.folder / name)

    @contextmanager
    def writing(self, name: str, writer: str = "") -> Iterator[Path]:
        """A path of this machine, whose file is there when the block ends well."""
        path = self.folder / name
        with disk_errors(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, writer) as scratch:
                yield scratch

    def remove(self, below: str) -> None:
        """Remove a folder below."""
        shutil.rmtree(self.folder / below, ignore_errors=True)

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Whatever fails while an open file is read is a WorkspaceError."""
        with damage_told(self.folder / name):
            yield


@dataclass(frozen=True)
class Store:
    """A folder of a file system that pyarrow knows by a URI."""

    uri: str

    def names(self, below: str = "") -> list[str]:
        """The Parquet files in the folder, or in one below it, in order."""
        system, folder = _file_system(self.uri)
        with self._told(below):
            found = system.get_file_info(
                fs.FileSelector(f"{folder}/{below}".rstrip("/"), allow_not_found=True)
            )
        return sorted(one.base_name for one in found if one.is_file and one.extension == "parquet")

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        system, folder = _file_system(self.uri)
        with self._told(name):
            return bool(system.get_file_info(f"{folder}/{name}").is_file)

    def parquet(self, name: str) -> pq.ParquetFile:
        """A file, open."""
        system, folder = _file_system(self.uri)
        with self._told(name):
            return pq.ParquetFile(f"{folder}/{name}", filesystem=system)

    @contextmanager
    def writing(self, name: str, writer: str = "") -> Iterator[Path]:
        """A path of this machine, whose file is there when the block ends well."""
        system, folder = _file_system(self.uri)
        with TemporaryDirectory(prefix="headscript-") as scratch, disk_errors(Path(scratch)):
            path = Path(scratch) / "file.parquet"
            yield path
            with self._told(name), path.open("rb") as file:
                system.create_dir(f"{folder}/{name}".rpartition("/")[0])
                with system.open_output_stream(f"{folder}/{name}", compression=None) as upload:
                    shutil.copyfileobj(file, upload, _AT_ONCE)

    def remove(self, below: str) -> None:
        """Remove a folder below."""
        system, folder = _file_system(self.uri)
        with self._told(below):
            for name in self.names(below):
                system.delete_file(f"{folder}/{below}/{name}")

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Whatever fails while an open file is read is a WorkspaceError."""
        with self._told(name):
            yield

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, pa.ArrowException) as error:
            where = below(self.uri.partition("?")[0], name)
            raise WorkspaceError(f"{where} cannot be read or written: {error}") from error


@cache
def _file_system(uri: str) -> tuple[Any, str]:
    """What a URI leads to, and the folder there; raises WorkspaceError."""
    try:
        system, folder = fs.FileSystem.from_uri(uri)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise WorkspaceError(f"{uri!r} is no place that pyarrow knows: {error}") from error
    return system, folder.rstrip("/")
