"""A workspace as it is at one moment, read while another process holds it.

DuckDB lets one process in. But its file and its write-ahead log may be copied: what lies there at any moment
is what a crash of that process would leave, which DuckDB reads. A copy counts only if neither file changed
while it was made. Attention and tokens are read where they lie: their files are replaced whole.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from core.errors import WorkspaceError
from core.files import disk_errors
from core.store.database import is_held_here, open_database
from core.store.workspace import ELSEWHERE, Workspace

_DATABASE = "workspace.duckdb"
_QUIET = 0.05  # seconds without a change before a copy: file systems tell times apart by a few hundredths
_PATIENCE = 30.0  # seconds

Stamp = tuple[tuple[int, int, int] | None, ...]  # size, time and number of the database and of its log


class Snapshot:
    """A workspace read from a copy of its database; `close` removes the copy."""

    def __init__(self, folder: Path) -> None:
        """Raises WorkspaceError if there is no workspace, or it is written to all the time."""
        self.folder = folder
        self._place = TemporaryDirectory(prefix="headscript-")
        try:
            copy = Path(self._place.name) / _DATABASE
            self._stamp = copy_database(folder / _DATABASE, copy)
            self.workspace = Workspace(folder, open_database(copy))
        except BaseException:
            self._place.cleanup()
            raise

    def is_current(self) -> bool:
        """Whether nothing was written to the workspace since."""
        return self._stamp == _stamp(self.folder / _DATABASE)

    def close(self) -> None:
        """Let go of the copy."""
        self.workspace.close()
        self._place.cleanup()


def copy_database(source: Path, target: Path, patience: float = _PATIENCE) -> Stamp:
    """Copy a database and its log as they are at one moment, whoever writes to them; what tells that moment.

    Raises WorkspaceError where there is none, after `patience` seconds in which it never rested, and if this
    process holds it: to close the files that were read would end its lock.
    """
    if is_held_here(source):
        raise WorkspaceError(f"{source} is open in this process, which needs no snapshot of it")
    if not source.is_file() or source.is_symlink():
        raise WorkspaceError(
            f"there is no workspace in {source.parent.resolve()}; run `demo`, or name another folder"
        )
    until = time.monotonic() + patience
    while time.monotonic() < until:
        before = _stamp(source)
        newest = max(at for _, at, _ in filter(None, before))
        if abs(time.time_ns() - newest) >= _QUIET * 1e9:
            with disk_errors(target.parent):
                _copy(source, target)
            if _stamp(source) == before:
                return before
        time.sleep(_QUIET)
    raise WorkspaceError(
        f"{source.parent} is written to without a pause; try again when the job that runs there has ended"
    )


def export_snapshot(folder: Path, target: Path) -> int:
    """Write a workspace's state as a workspace of its own, without jobs and downloaded models; its bytes.

    Attention takes no room on the same disk: it is linked, for no file of it is ever changed. Raises
    WorkspaceError if `target` holds anything, or the disk is full.
    """
    with disk_errors(target.parent):
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise WorkspaceError(f"{target} holds something already; name a folder that is not there")
        target.mkdir(parents=True, exist_ok=True)
    try:
        with disk_errors(target):
            copy_database(folder / _DATABASE, target / _DATABASE)
            open_database(target / _DATABASE).close()  # what the log holds goes into the one file
            attention = folder / "attention"
            for source in sorted([*attention.rglob("*.parquet"), *attention.rglob(ELSEWHERE)]):
                if source.parent.name != "partial":
                    _link(source, target / source.relative_to(folder))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _stamp(database: Path) -> Stamp:
    """What changes whenever a database does."""
    found: list[tuple[int, int, int] | None] = []
    for path in (database, _log_of(database)):
        try:
            status = path.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    _log_of(target).unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # there is none, or it ended just now with a checkpoint
        shutil.copyfile(_log_of(source), _log_of(target))


def _log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def _link(source: Path, target: Path) -> None:
    """The same file in two places; a copy where the disk has no links, or is another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
