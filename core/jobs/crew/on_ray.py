"""Units worked on by the nodes of a Ray cluster, whose driver is the job's worker.

A hand is an actor on a node: a process that opens stages, holds the model, and takes units. Each has as many
units as it works on at once and one more, so that neither memory nor queues grow with the job. A unit whose
hand is lost, with its node or alone, goes to another; only what comes back to the driver counts, so that
each unit is there once. When the driver ends, however it does, Ray ends the hands.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from core.errors import HeadscriptError, JobError, WorkspaceError
from core.jobs.crew import Bench, Heard, Stage, Station
from core.jobs.crew.cluster import GB, Cluster, Tally
from core.models.names import is_path
from core.types import Told

Unit = TypeVar("Unit")
Found = TypeVar("Found")

_CONNECTING = 10.0  # seconds
_LOOK = 1.0  # seconds between looks at which nodes there are
_OPENING = 120.0  # seconds for which nobody begins while others still open their station
_MOST_LOSSES = 8  # of one unit, after which it is held to be the reason
_TALLY = 0.5  # seconds between notes of how far each node is


@dataclass(frozen=True)
class _Reply:
    """What came of a call to a hand."""

    value: Any = None
    notes: tuple[str, ...] = ()
    error: str = ""  # raised there, for people
    fault: str = ""  # another error's traceback
    is_disk: bool = False  # it was the node's disk


class Hand:
    """Works on units on a node; an actor."""

    def __init__(self, cpus: int, prepare: Callable[[], None]) -> None:
        prepare()
        self._cpus, self._heard = cpus, Heard()
        self._bench = Bench(self._heard)
        self._station: Station[Any, Any] | None = None
        self._one = Lock()

    def open(self, stage: Stage[Any, Any]) -> _Reply:
        """Make what the stage's units need; how many of them are taken at once."""
        import torch

        torch.set_num_threads(self._cpus)
        self._station = None  # its memory first

        def opened() -> int:
            self._station = stage.station(self._bench)
            return self._cpus if self._station.side_by_side else 1

        return self._reply(opened)

    def work(self, unit: Any) -> _Reply:
        """What a unit comes to."""
        import torch

        station = self._station
        assert station is not None
        if station.side_by_side:
            torch.set_num_threads(1)  # of this thread alone
            return self._reply(lambda: station.work(unit))
        with self._one:
            torch.set_num_threads(self._cpus)
            return self._reply(lambda: station.work(unit))

    def _reply(self, work: Callable[[], Any]) -> _Reply:
        try:
            return _Reply(work(), self._heard.taken())
        except Exception as error:  # the driver decides what becomes of it
            is_ours = isinstance(error, HeadscriptError)
            told, trace = (str(error), "") if is_ours else ("", traceback.format_exc())
            return _Reply(None, self._heard.taken(), told, trace, _is_of_disk(error))


def _is_of_disk(error: BaseException | None) -> bool:
    """Whether a full or broken disk is behind an error, which another node may not have."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            return True
        error = error.__cause__
    return False


def _require_listener(address: str) -> None:
    """Raises OSError or ValueError unless somebody listens at HOST:PORT; Ray itself waits for minutes."""
    if address != "auto":
        host, _, port = address.removeprefix("ray://").rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), _CONNECTING).close()


@dataclass(eq=False)
class _Hired:
    """A hand as the driver has it."""

    actor: Any
    node: str  # NodeID
    name: str  # of the node
    stage: Stage[Any, Any] | None = None  # that it has opened
    wanted: Stage[Any, Any] | None = None  # that it opens
    opening: Any = None  # the reply to come
    since: float = 0.0
    slots: int = 1
    units: list[str] = field(default_factory=list)  # it has now


class RayCrew:
    """The nodes of a Ray cluster."""

    begins_alone = False

    def __init__(
        self,
        cluster: Cluster,
        told: Told,
        show: Callable[[Mapping[str, Tally]], None] = lambda tallies: None,
        prepare: Callable[[], None] = lambda: None,
        paths: tuple[str, ...] = (),
    ) -> None:
        """`show` hears how far each node is; hands call `prepare` first; all nodes have to see `paths`."""
        self.bench = Bench(told)
        self._cluster, self._told, self._show, self._prepare = cluster, told, show, prepare
        self._paths = paths
        self._ray: Any = None
        self._hired: list[_Hired] = []
        self._names: dict[str, str] = {}  # of the nodes that were looked at
        self._unfit: set[str] = set()
        self._tallies: dict[str, Tally] = {}
        self._told_at, self._shown, self._looked = 0.0, "", 0.0
        self._begun = False  # with the stage's units
        self._said: set[str] = set()
        self._stage: tuple[Stage[Any, Any], Any] | None = None  # with its place in the object store

    def close(self) -> None:
        """Let go of the cluster; it ends the hands."""
        if self._ray is not None:
            self._ray.shutdown()
            self._ray = None

    def run(self, stage: Stage[Unit, Found], units: Mapping[str, Unit]) -> Iterator[tuple[str, Found]]:
        """What each unit comes to, as they end; raises JobError or what a unit raised, naming the node."""
        if not units:
            return
        ray = self._connected()
        if self._stage is None or self._stage[0] is not stage:
            self._stage = stage, ray.put(stage)
        waiting, running, losses = deque(units), dict[Any, tuple[_Hired, str]](), Counter[str]()
        self._looked, self._begun = 0.0, False
        while waiting or running:
            self._look(stage, len(waiting) + len(running))
            self._hand_out(waiting, running, units)
            awaited = [*running, *(hand.opening for hand in self._hired if hand.opening is not None)]
            if not awaited:
                self._wait_for_nodes(stage)
                continue
            for ref in ray.wait(awaited, num_returns=1, timeout=_LOOK)[0]:
                if ref in running:
                    hand, name = running.pop(ref)
                    hand.units.remove(name)
                    reply = self._heard(ref, hand, name, running, waiting, losses)
                    if reply is not None:
                        self._tally(hand).done += 1
                        yield name, reply.value
                else:
                    self._opened(ref, stage)
            self._tell()
        self._tell(at_once=True)

    # The cluster

    def _connected(self) -> Any:
        if self._ray is not None:
            return self._ray
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if self._cluster.is_local:  # else Ray takes the machine's outer address for its own
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        try:
            import ray
        except ImportError as error:
            raise JobError(
                "`--runner ray` needs Ray; install it with `pip install -r requirements-ray.txt`"
            ) from error
        self._told.progress(f"connecting to the Ray cluster {self._cluster.address}", 0, 0)
        try:
            _require_listener(self._cluster.address)
            ray.init(address=self._cluster.address, logging_level="warning", log_to_driver=True)
        except Exception as error:  # whatever the library raises of an address
            raise JobError(
                f"no Ray cluster answers at {self._cluster.address} ({type(error).__name__}: "
                f"{' '.join(str(error).split())[:200]}); start one with `ray start --head`, or give another "
                "--address"
            ) from error
        self._ray = ray
        return ray

    def _look(self, stage: Stage[Any, Any], units: int) -> None:
        """See which nodes there are, a second after the last look, and hire where hands are missing."""
        if time.monotonic() - self._looked < _LOOK:
            return
        nodes = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        self._inspect(stage, nodes)
        self._looked = time.monotonic()
        places = []
        for id, node in nodes.items():
            if id not in self._unfit:
                held = sum(hand.node == id for hand in self._hired)
                places += [(at, id, share) for at, share in enumerate(self._shares(node)) if at >= held]
        for _, id, (cpus, gpus) in sorted(places)[: max(0, units - len(self._hired))]:
            self._hired.append(_Hired(self._actor(id, cpus, gpus), id, self._names[id]))
        for hand in self._hired:
            if hand.stage is not stage and hand.opening is None and not hand.units:
                assert self._stage is not None
                hand.stage, hand.wanted, hand.since = None, stage, time.monotonic()
                hand.opening = hand.actor.open.remote(self._stage[1])

    def _actor(self, node: str, cpus: int, gpus: float) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_concurrency": cpus,  # the unit that waits does so with Ray
            "max_restarts": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        if self._cluster.memory is not None:
            options["memory"] = int(self._cluster.memory * GB)
        return self._ray.remote(Hand).options(**options).remote(cpus, self._prepare)

    def _inspect(self, stage: Stage[Any, Any], nodes: Mapping[str, Any]) -> None:
        """Have nodes that are new looked at; raises JobError naming what those lack that were there first."""
        new = {id: node for id, node in nodes.items() if id not in self._names}
        if not new:
            return
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from core.jobs.crew import node as inspection

        is_first = not self._names
        taken = Counter(node["NodeName"] for node in nodes.values())
        for id, node in new.items():
            alone = taken[node["NodeName"]] == 1
            self._names[id] = node["NodeName"] if alone else f"{node['NodeName']} ({id[:6]})"
        self._ray.cloudpickle.register_pickle_by_value(inspection)
        look = self._ray.remote(inspection.shortcomings)
        paths = (*self._paths, *([stage.model] if is_path(stage.model) else []))
        asked = {
            look.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(id, soft=False)
            ).remote(inspection.versions(), paths): id
            for id, node in new.items()
            if self._shares(node)
        }
        problems = []
        for ref, id in asked.items():
            try:
                found = self._ray.get(ref)
            except self._ray.exceptions.RayError as error:  # it cannot start a worker, or is gone by now
                found = [f"cannot start work ({' '.join(str(error).split())[:200]})"]
            if found and id in {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}:
                self._unfit.add(id)
                problems.append(f"node {self._names[id]} {', '.join(found)}")
        if problems and is_first:
            raise JobError(
                f"{'; '.join(sorted(problems))}. Put that right, or take the node out of the cluster"
            )
        for problem in problems:
            self._note(f"{problem}, so it is left out")

    def _wait_for_nodes(self, stage: Stage[Any, Any]) -> None:
        if self._unfit and not self._fit():
            raise JobError("no node of the cluster can work on the job; see its notes for what each lacks")
        self._told.progress(f"{stage.title}: waiting for a node of the Ray cluster", 0, 0)
        time.sleep(_LOOK)

    def _fit(self) -> set[str]:
        """Nodes that can work on the job."""
        able = {node["NodeID"] for node in self._ray.nodes() if node["Alive"] and self._shares(node)}
        return able - self._unfit

    def _shares(self, node: Mapping[str, Any]) -> list[tuple[int, float]]:
        return self._cluster.shares(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0))

    # Hands

    def _opened(self, ref: Any, stage: Stage[Any, Any]) -> None:
        """A hand's station is ready, or cannot be; raises what the node lacks."""
        hand = next(hand for hand in self._hired if hand.opening == ref)
        hand.opening = None
        reply = self._got(ref)
        if reply is None:
            self._lose(hand, "while it opened its station")
            return
        self._raise(reply, hand, f"opening: {stage.title}")
        hand.stage, hand.slots = hand.wanted, reply.value

    def _hand_out(
        self, waiting: deque[str], running: dict[Any, tuple[_Hired, str]], units: Mapping[str, Any]
    ) -> None:
        """Give every hand what it works on at once and one unit more; nobody begins before all could."""
        now = time.monotonic()
        if not self._begun and any(h.opening is not None and now - h.since < _OPENING for h in self._hired):
            return
        self._begun = True
        ready = [hand for hand in self._hired if self._stage is not None and hand.stage is self._stage[0]]
        while waiting and ready:
            hand = min(ready, key=lambda hand: len(hand.units) / hand.slots)
            if len(hand.units) > hand.slots:
                return
            name = waiting.popleft()
            running[hand.actor.work.options(name=name).remote(units[name])] = hand, name
            hand.units.append(name)

    def _heard(
        self,
        ref: Any,
        hand: _Hired,
        name: str,
        running: dict[Any, tuple[_Hired, str]],
        waiting: deque[str],
        losses: Counter[str],
    ) -> _Reply | None:
        """What a unit came to; None if it is to be done again, by another hand."""
        reply = self._got(ref)
        if reply is not None and not reply.is_disk:
            self._raise(reply, hand, name)
            return reply
        lost = [name, *hand.units]
        for gone in [ref for ref, (other, _) in running.items() if other is hand]:
            running.pop(gone)
        hand.units.clear()
        waiting.extendleft(reversed(lost))
        losses.update(lost[: hand.slots])
        self._tally(hand).lost += len(lost)
        if reply is not None:
            why = reply.error or reply.fault.strip().splitlines()[-1]
            self._unfit.add(hand.node)
            self._lose(hand, f"left out, because its disk takes nothing more ({why})", is_lost=False)
        else:
            self._lose(hand, f"while it worked on {name}")
        if losses[name] >= _MOST_LOSSES:
            raise JobError(f"{name} ended {losses[name]} workers, on node {hand.name} the last; see the log")
        return None

    def _got(self, ref: Any) -> _Reply | None:
        """A hand's reply; None if the hand is lost."""
        try:
            reply: _Reply = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:  # what it sent or was sent could not be read
            return _Reply(fault=str(error))
        except self._ray.exceptions.RayError:
            return None
        for note in reply.notes:
            self._note(note)
        return reply

    def _raise(self, reply: _Reply, hand: _Hired, what: str) -> None:
        if reply.error:
            raise JobError(f"node {hand.name}: {reply.error}")
        if reply.fault:
            print(f"{what} on node {hand.name}:\n{reply.fault}", file=sys.stderr, flush=True)
            last = reply.fault.strip().splitlines()[-1]
            raise JobError(f"node {hand.name}: {what} failed: {last}")

    def _lose(self, hand: _Hired, when: str, is_lost: bool = True) -> None:
        self._hired.remove(hand)
        self._ray.kill(hand.actor)
        self._note(f"node {hand.name} {'was lost, or a worker of it, ' if is_lost else 'is '}{when}")
        self._looked = 0.0
        if not is_lost and not self._fit():
            raise WorkspaceError(f"node {hand.name} is {when}, and no other is left; free some space")

    # What is told

    def _tally(self, hand: _Hired) -> Tally:
        return self._tallies.setdefault(hand.name, Tally())

    def _tell(self, at_once: bool = False) -> None:
        if not at_once and time.monotonic() - self._told_at < _TALLY:
            return
        self._told_at = time.monotonic()
        for tally in self._tallies.values():
            tally.running = 0
        for hand in self._hired:
            self._tally(hand).running += len(hand.units)
        if (shown := str(self._tallies)) != self._shown:
            self._shown = shown
            self._show(self._tallies)

    def _note(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._told.note(message)
