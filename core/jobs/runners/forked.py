"""Workers forked from a process that has imported torch and transformers already.

They start seconds earlier than new processes. For Linux: elsewhere libraries may not survive a fork.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from core.errors import JobError
from core.jobs.folder import JobFolder
from core.jobs.runners.fork_server import Request
from core.jobs.runners.processes import ROOT, ProcessRunner, Started, worker_environment


class ForkServer:
    """A server of this process's own; it ends when this process does, or lets go of it."""

    def __init__(self, log: Path, module: Sequence[str] = ("core", "fork-server")) -> None:
        """What it prints goes to `log`: why it did not start, if it did not.

        The module, with its arguments, is handed a listening socket's number and calls `serve`.
        """
        self.address = Path(tempfile.mkdtemp(prefix="headscript-")) / "fork-server"
        with socket.socket(socket.AF_UNIX) as listening, log.open("ab") as output:
            listening.bind(str(self.address))
            listening.listen(128)  # who connects before it has imported everything waits
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module, str(listening.fileno())],
                cwd=ROOT,
                env=worker_environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[listening.fileno()],
            )

    def is_alive(self) -> bool:
        """Whether it takes requests."""
        return self._process.poll() is None

    def close(self) -> None:
        """Wait until it has ended; what it forked goes on."""
        self._process.communicate()


class ForkedRunner(ProcessRunner):
    """Workers are children of a server: the one at an address, or else this process's own."""

    _own: ForkServer | None = None  # shared by all runners of a process

    def __init__(self, address: Path | None = None) -> None:
        super().__init__()
        self._address = address

    def _start_process(self, folder: JobFolder, environment: dict[str, str]) -> Started:
        arguments = ("worker", str(folder.path.resolve()))
        address = self._address or self._own_server(folder.log).address
        with folder.log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            files = [nothing.fileno(), log.fileno(), log.fileno()]
            return ForkedProcess(address, Request(arguments, environment), files)

    @staticmethod
    def _own_server(log: Path) -> ForkServer:
        own = ForkedRunner._own
        if own is None or not own.is_alive():
            own = ForkedRunner._own = ForkServer(log)
        return own


class ForkedProcess:
    """A child of a server's, which says its number and closes the connection by ending."""

    def __init__(self, address: Path, request: Request, files: Sequence[int]) -> None:
        """Ask the server at this address for it; `files` are its standard input, output and errors."""
        self._connection = socket.socket(socket.AF_UNIX)
        self._heard = b""
        self._has_ended = False
        try:
            self._connection.connect(str(address))
            socket.send_fds(self._connection, [b"\n"], files)
            self._connection.sendall(request.dump())
            self._connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._connection.close()
            raise JobError(
                f"no fork server answers at {address} ({error}); start Headscript again"
            ) from error

    def is_alive(self) -> bool:
        """Whether it runs, or will."""
        self._hear(socket.MSG_DONTWAIT)
        return not self._has_ended

    def process(self) -> psutil.Process | None:
        """It, once it runs and while it does."""
        if not self.is_alive() or not self._heard.endswith(b"\n"):
            return None
        try:
            return psutil.Process(int(self._heard))
        except psutil.NoSuchProcess:
            return None

    def wait(self) -> None:
        """Return when it has ended, or has not begun: the job that it then finds was called off."""
        self._hear(socket.MSG_DONTWAIT)
        while self._heard and not self._has_ended:
            self._hear()
        self.close()

    def close(self) -> None:
        """Follow it no longer; it goes on."""
        self._connection.close()

    def _hear(self, flags: int = 0) -> None:
        with suppress(BlockingIOError):
            while not self._has_ended:
                try:
                    heard = self._connection.recv(64, flags)
                except ConnectionError:  # the server died before it served us
                    heard = b""
                self._heard += heard
                if not heard:
                    self._has_ended = True
                    self._connection.close()
