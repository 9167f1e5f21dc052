"""A real Ray cluster on loopback: nodes that are processes of this machine, each of one core."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

STORE = 100 * 2**20  # bytes of each node's object store
_LOOPBACK = "127.0.0.1"
_HAND = re.compile(r"ray::(?!IDLE|DashboardAgent|RuntimeEnvAgent|shortcomings)(Hand\b|(?P<unit>\S+))")
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # everything on loopback
    "RAY_memory_monitor_refresh_ms": "0",  # what others use of this machine's memory ends no worker
}


class LoopbackCluster:
    """A head without cores, and nodes that can be killed and added."""

    def __init__(self, *names: str, **of_head: Any) -> None:
        os.environ.update(ENVIRONMENT)
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "node_name": "head", "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head | self._given() | of_head)
        self.nodes: dict[str, Any] = {}
        for name in names:
            self.add(name)

    @staticmethod
    def _given() -> dict[str, Any]:
        return {"node_ip_address": _LOOPBACK, "object_store_memory": STORE}

    @property
    def address(self) -> str:
        address: str = self._cluster.address
        return address

    def add(self, name: str, **environment: str) -> None:
        """A node of one core, whose processes have this environment as well."""
        self.nodes[name] = self._cluster.add_node(
            num_cpus=1, node_name=name, env_vars=environment, **self._given()
        )

    def kill(self, name: str) -> None:
        """End a node as a power cut would."""
        self._cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def kill_head(self) -> None:
        """End the head as a power cut would."""
        self._cluster.head_node.kill_gcs_server(check_alive=False)
        self._cluster.head_node.kill_raylet(check_alive=False)

    def hands(self, name: str) -> dict[int, str]:
        """Processes on a node that hold a hand, with the unit that each works on, if any.

        Ray gives a process the name of its task for a title, which is the unit's name while there is one.
        """
        raylet = psutil.Process(self.nodes[name].all_processes["raylet"][0].process.pid)
        titles = {process.pid: _HAND.match(_title(process)) for process in raylet.children(recursive=True)}
        return {pid: title["unit"] or "" for pid, title in titles.items() if title}

    def kill_hand(self, name: str) -> bool:
        """End one process on a node that works on a unit; False if none does."""
        for pid in [pid for pid, unit in self.hands(name).items() if unit][:1]:
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    def shutdown(self) -> None:
        self._cluster.shutdown()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def cluster(*names: str, **of_head: Any) -> Iterator[LoopbackCluster]:
    """A cluster of these nodes, gone when the block ends; its head has these options of Ray's as well."""
    started = LoopbackCluster(*names, **of_head)
    try:
        yield started
    finally:
        started.shutdown()
