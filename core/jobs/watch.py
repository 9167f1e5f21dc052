"""A thread that keeps an owner's jobs going while no page is open."""

from __future__ import annotations

import logging
from threading import Event, Thread

from core.jobs.queue import JobQueue

_SECONDS = 0.5


class Watch:
    """Takes in events and starts what waits, until `stop`."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._over = Event()
        self._thread = Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; jobs that run go on."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_SECONDS):
            try:
                self._jobs.start_next()
            except Exception:  # a full disk, say: it must be tried again, not end the queue
                logging.getLogger(__name__).exception("jobs could not be taken care of; trying again")
