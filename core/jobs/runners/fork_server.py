"""A process that has imported what workers need, and becomes a worker wherever it is asked to.

It listens on a Unix socket. A connection brings three open files (standard input, output and errors) and a
Request; a child of the server takes its place, says its number, and holds the connection until it ends. The
server ends with the owner that started it, whose end of its standard input closes then; its children go on.
It computes nothing and never looks at a GPU: a child of a process that did could not use one.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

# Not spaCy, which counts the GPUs when it is imported.
OF_WORKERS = (
    "core.jobs.worker",
    "core.jobs.work.audit",
    "core.jobs.work.curve",
    "core.jobs.work.extract",
    "core.jobs.work.hybrid",
    "core.jobs.work.llm",
    "core.jobs.work.search",
    "core.proposers.llm.claude",
    "core.proposers.search.propose",
    "numba",
    "pyarrow.dataset",
    "transformers.generation",
    "transformers.modeling_utils",
)
_FILES = 3  # standard input, output and errors


@dataclass(frozen=True)
class Request:
    """What a child is to do, as after `python -m core`."""

    arguments: tuple[str, ...]
    environment: dict[str, str]

    def dump(self) -> bytes:
        """As it is sent; the environment may hold what is not Unicode."""
        return json.dumps([self.arguments, self.environment]).encode()

    @classmethod
    def load(cls, sent: bytes) -> Request:
        """What was sent; raises ValueError if it is not whole."""
        arguments, environment = json.loads(sent)
        return cls(tuple(arguments), environment)


def serve(listening: int, modules: Sequence[str] = OF_WORKERS) -> list[str]:
    """Fork a child for each connection to this socket; returns in each, with its arguments.

    What all of them would import is imported first, and those who connect meanwhile wait.

    In the server itself it ends with SystemExit, once its standard input is closed and all were served who
    had asked until then.
    """
    with socket.socket(fileno=listening) as server:
        path = Path(server.getsockname())
        server.setblocking(False)
        try:
            for module in modules:
                import_module(module)
            gc.freeze()  # so that collections in children do not copy every page
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children that end leave no zombie
            return _next_child(server)
        except BaseException:
            _remove(path)
            raise


def _next_child(server: socket.socket) -> list[str]:
    """Wait for who connects and fork; returns in a child, raises SystemExit in the server."""
    is_owned = True
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if is_owned:
                is_owned = sys.stdin not in [key.fileobj for key, _ in selector.select()]
            try:
                connection, _ = server.accept()
            except BlockingIOError:
                if is_owned:
                    continue
                raise SystemExit(0) from None
            with connection:
                arguments = _forked(connection)
            if arguments is not None:
                return arguments


def _forked(connection: socket.socket) -> list[str] | None:
    """Its arguments in the new child, None in the server."""
    files: list[int] = []
    try:
        connection.setblocking(True)
        _, files, _, _ = socket.recv_fds(connection, 1, _FILES)
        with connection.makefile("rb") as sent:
            request = Request.load(sent.read())
        return _as_asked(connection, request, files) if os.fork() == 0 else None
    except (OSError, ValueError):  # who asked is gone
        return None
    finally:
        for file in files:
            os.close(file)


def _as_asked(connection: socket.socket, request: Request, files: list[int]) -> list[str]:
    """Make this new child what its owner wants."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(request.environment)
    np.random.seed()  # else all children draw the same
    sys.argv[1:] = request.arguments
    os.dup(connection.fileno())  # open until the process ends, and not inherited by what it starts
    with suppress(OSError):  # the owner may be dead by now
        connection.sendall(b"%d\n" % os.getpid())
    return list(request.arguments)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
        path.parent.rmdir()
