"""Ports of loopback, for servers that have to be told theirs."""

from __future__ import annotations

import socket
from random import SystemRandom

# Below those that the system gives to whoever asks for none: a client, or another server, would get one of
# them between here and the server that it is for. (Ray takes those from 10,000 on.)
_PORTS = range(20_000, 30_000)


def free_port() -> int:
    """A port that nobody has; drawn, so that test processes do not meet."""
    draw = SystemRandom()
    while True:
        port = draw.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
