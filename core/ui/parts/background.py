"""Threads of the app that work ahead: nobody waits for one, but the end of the process.

What computes in a daemon thread while Python ends aborts the process (python/cpython#87135, mended in 3.14).
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from threading import Event, Thread
from weakref import WeakSet

_PATIENCE = 20.0  # seconds for what they are at when the process ends
_over = Event()
_threads: WeakSet[Thread] = WeakSet()


def begin(run: Callable[[], object], name: str) -> Thread:
    """Run this in a thread, which should `pause` before it begins what takes long."""
    thread = Thread(target=run, name=name, daemon=True)
    _threads.add(thread)
    thread.start()
    return thread


def pause(seconds: float) -> bool:
    """Wait so long; false, and at once, where the process ends."""
    return not _over.wait(seconds)


@atexit.register
def _end() -> None:
    _over.set()
    until = time.monotonic() + _PATIENCE
    for thread in list(_threads):
        thread.join(max(0.0, until - time.monotonic()))
