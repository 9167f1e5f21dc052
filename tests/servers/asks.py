"""`python asks.py -u -c CODE`: that, in a child of the fork server, which has imported what tests need.

It is how the test processes start. By itself it imports next to nothing, and lives as long as the child.
"""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.environ["HEADSCRIPT_FORK_SERVER"])
    socket.send_fds(server, [b"\n"], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[1:], dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    for number in (0, 1):  # the child's alone, who sees by them that the other end is gone
        os.close(number)
    while server.recv(64):
        pass
