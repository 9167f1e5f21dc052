"""Jobs in the owner's own process: each is worked off while it is started.

For tests, and for places where no process can be started. Nothing can be cancelled, and pages wait meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from core.jobs.folder import JobFolder
from core.jobs.runners.local import KEY, SECRETS


class InlineRunner:
    """Works in the call that starts a job."""

    slots = 1

    def start(self, folder: JobFolder, api_key: str | None = None) -> None:
        """The whole job; how it ends is its last event."""
        from core.jobs.worker import work

        folder.forget_worker()
        with folder.log.open("a") as log, redirect_stdout(log), redirect_stderr(log), _secrets(api_key):
            try:
                work(folder.path)
            finally:
                folder.forget_worker()  # this process lives on, and is not at it any more

    def is_alive(self, folder: JobFolder) -> bool:
        """Never: what was started has ended."""
        return False

    def stop(self, folder: JobFolder) -> None:
        """What has not been started will not be."""
        folder.call_off()

    def reap_ended(self) -> None:
        """There is nothing left."""

    def reap(self, job: str) -> None:
        """There is nothing left."""


@contextmanager
def _secrets(api_key: str | None) -> Iterator[None]:
    """The environment that a worker would have: this key, or none."""
    held = {name: os.environ.pop(name) for name in SECRETS if name in os.environ}
    if api_key:
        os.environ[KEY] = api_key
    try:
        yield
    finally:
        os.environ.pop(KEY, None)
        os.environ.update(held)
