"""The newest snapshot of a workspace, lent to requests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from core.errors import WorkspaceError
from core.store import Snapshot

_FRESH = 2.0  # seconds in which nobody looks whether there is something newer


class Snapshots:
    """A workspace as it is now, for many threads; an old state is removed when nobody reads it any more."""

    def __init__(self, folder: Path, fresh: float = _FRESH) -> None:
        """Raises WorkspaceError if there is no workspace."""
        self._folder, self._fresh = folder, fresh
        self._newest = Snapshot(folder)
        self._looked_at = time.monotonic()
        self._readers: dict[Snapshot, int] = {self._newest: 0}
        self._lock, self._renewing = Lock(), Lock()

    @contextmanager
    def lent(self) -> Iterator[Snapshot]:
        """The newest state, which stays until the block ends."""
        if time.monotonic() - self._looked_at >= self._fresh and self._renewing.acquire(blocking=False):
            try:
                self._renew()
            finally:
                self._renewing.release()
        with self._lock:
            snapshot = self._newest
            self._readers[snapshot] += 1
        try:
            yield snapshot
        finally:
            with self._lock:
                self._readers[snapshot] -= 1
            self._remove_unread()

    def close(self) -> None:
        """Remove every state; nobody may read one any more."""
        for snapshot in self._readers:
            snapshot.close()
        self._readers.clear()

    def _renew(self) -> None:
        """Take a newer state in if there is one; where it cannot be had just now, the old one serves."""
        if not self._newest.is_current():
            with suppress(WorkspaceError):
                newer = Snapshot(self._folder)
                with self._lock:
                    self._newest = newer
                    self._readers[newer] = 0
                self._remove_unread()
        self._looked_at = time.monotonic()

    def _remove_unread(self) -> None:
        with self._lock:
            unread = [one for one, count in self._readers.items() if not count and one is not self._newest]
            for snapshot in unread:
                del self._readers[snapshot]
        for snapshot in unread:
            snapshot.close()
