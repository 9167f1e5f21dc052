"""An HTTP server on a free port of loopback that answers within a block, and the ways it misbehaves in."""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

SIGN_IN = b"<html>Sign in to the hotel network</html>"


class Loopback:
    """One server; its subclass says what it answers."""

    port: int  # 0: a free one
    slow: float  # seconds that the fault "slow" takes
    waiting: int  # calls that are held

    def _listen(self, handler: type[Handler]) -> None:
        """Have the port, to be answered on by such handlers of this owner."""
        self._lock = threading.Lock()
        self._turn = threading.Condition()
        self._left = math.inf  # calls that are answered before one has to wait
        self.waiting = 0
        self._http = _Quiet(("127.0.0.1", self.port), type("Owned", (handler,), {"owner": self}))

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go()
        self._http.shutdown()
        self._http.server_close()

    def hold(self, after: int) -> None:
        """Answer so many calls, and have those that follow wait until they are let go."""
        with self._turn:
            self._left = after

    def let_go(self) -> None:
        """Answer all calls, those that wait among them."""
        with self._turn:
            self._left = math.inf
            self._turn.notify_all()

    def wait_for_turn(self) -> None:
        """Return when this call may be answered."""
        with self._turn:
            self.waiting += 1
            self._turn.wait_for(lambda: self._left > 0)
            self.waiting -= 1
            self._left -= 1

    @property
    def root(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """A request; what is below answers it, well or not."""

    owner: Any
    protocol_version = "HTTP/1.1"
    retry_after: ClassVar[str]  # seconds, so that back-off in tests is short

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at what was called."""

    def send(self, status: int, raw: bytes, kind: str, claims: int | None = None) -> None:
        """An answer of this status and content type, which may claim to be longer than it is."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(claims or len(raw)))
        if status >= 429:
            self.send_header("retry-after", self.retry_after)
        self.end_headers()
        self.wfile.write(raw)

    def cut(self, raw: bytes) -> None:
        """Half of an answer, and no more."""
        self.send(200, raw[: len(raw) // 2], "application/json", claims=len(raw))
        self.close_connection = True

    def time_out(self, status: int) -> None:
        """What a gateway says that gave up on the service."""
        self.send(status, b"<html>upstream request timeout</html>", "text/html")

    def reset(self) -> None:
        """Break the connection off."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def stall(self) -> None:
        """Answer nothing for long."""
        time.sleep(self.owner.slow)
        self.close_connection = True


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed has closed its end; that is what the tests are about."""
