"""Which Ray cluster a job's worker hands its units to, and how much of a node each of its hands takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core import wire
from core.errors import JobError

VARIABLE = "HEADSCRIPT_CREW"  # by which the runner tells the worker
GB = 10**9


@dataclass(frozen=True)
class Cluster:
    """A cluster; a hand is a process on one of its nodes that holds the model and works on units."""

    address: str  # auto, HOST:PORT or ray://HOST:PORT
    cpus: int | None = None  # of a hand; all that its node has, shared among its GPUs' hands, if None
    gpus: float | None = None  # of a hand, where the node has any; one if None
    memory: float | None = None  # GB of a hand that Ray sets aside; none if None

    def __post_init__(self) -> None:
        for name, value in (("CPUS", self.cpus), ("GPUS", self.gpus), ("MEMORY", self.memory)):
            if value is not None and not value > 0:
                raise JobError(f"HEADSCRIPT_RAY_{name} is {value:g}; it takes a number above 0")

    @property
    def is_local(self) -> bool:
        """Whether all of it is on this machine's loopback address."""
        host = self.address.removeprefix("ray://").rpartition(":")[0]
        return host in ("127.0.0.1", "localhost", "[::1]")

    def dump(self) -> str:
        """As the worker's environment holds it."""
        return wire.dump(self)

    @classmethod
    def load(cls, written: str) -> Cluster:
        """What `dump` wrote; raises WireError."""
        return wire.load(cls, written, VARIABLE)

    def shares(self, cpus: float, gpus: float) -> list[tuple[int, float]]:
        """CPUs and GPUs of each hand that a node with so many takes; none where it is too small."""
        if gpus:
            each = self.gpus or 1.0
            count = int(gpus / each + 1e-9)
            of_each = self.cpus or max(1, int(cpus) // max(1, count))
            return [(of_each, each)] * min(count, int(cpus) // of_each)
        of_each = self.cpus or max(1, int(cpus))
        return [(of_each, 0.0)] * (int(cpus) // of_each)


@dataclass
class Tally:
    """How far a node is with the units of a job."""

    running: int = 0
    done: int = 0
    lost: int = 0


def by_node(tallies: Mapping[str, Tally]) -> list[str]:
    """Tallies in words, a line a node."""
    return [
        f"{name}: {tally.done:,} done, {tally.running} at hand"
        + (f", {tally.lost} lost" if tally.lost else "")
        for name, tally in sorted(tallies.items())
    ]
