"""Jobs in the owner's own process: each is worked off while it is started.

For tests, and for places where no process can be started. Nothing can be cancelled, and pages wait meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from core.jobs.folder import JobFolder
from core.jobs.runners.processes import withheld_names


class InlineRunner:
    """Works in the call that starts a job."""

    slots = 1

    def start(self, folder: JobFolder, secrets: Mapping[str, str] | None = None) -> None:
        """The whole job; how it ends is its last event."""
        from core.jobs.worker import work

        folder.forget_worker()
        given = _environment(secrets or {})
        with folder.log.open("a") as log, redirect_stdout(log), redirect_stderr(log), given:
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
def _environment(secrets: Mapping[str, str]) -> Iterator[None]:
    """The environment that a worker would have: these secrets, and no others."""
    withheld = withheld_names()
    held = {name: os.environ.pop(name) for name in withheld if name in os.environ}
    os.environ.update(secrets)
    try:
        yield
    finally:
        for name in secrets:
            os.environ.pop(name, None)
        os.environ.update(held)
