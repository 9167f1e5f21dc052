"""A job's folder, the only thing that owner and worker share.

`spec.json` says what to do (a Task, its kind, where to work) and never changes. `events.jsonl` only
grows, one flushed line an event, numbered from 1; a result event names a file in `results/` that was
complete before the event was written. `worker.json` says which process works on it, and that process holds
`worker.lock`.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Generic, Self, TypeVar

import psutil
from filelock import FileLock, Timeout

from core import wire
from core.errors import JobError, WireError
from core.files import disk_errors, write_json, write_whole
from core.jobs.crew import Crew
from core.jobs.crew.cluster import Tally
from core.jobs.crew.local import LocalCrew
from core.jobs.place import Place
from core.jobs.results import NAME_OF, RESULTS
from core.jobs.tasks import Task
from core.store.scores import write_scores
from core.types import Json, Score

AnyTask = TypeVar("AnyTask", bound=Task, covariant=True)


@dataclass(frozen=True)
class Spec:
    """What `spec.json` holds; the task as plain values, since its kind says its type."""

    kind: str
    place: Place
    task: Json


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job; its name is the job's id."""

    path: Path

    @classmethod
    def create(cls, jobs: Path, kind: str, place: Place, task: Task) -> JobFolder:
        """A new folder under `jobs` whose spec says what to do."""
        folder = cls(jobs / f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}-{uuid.uuid4().hex[:6]}")
        with disk_errors(jobs):
            (folder.path / "results").mkdir(parents=True)
            spec = Spec(kind, place, wire.plain(task))
            write_whole(folder.path / "spec.json", wire.dump(spec))
        return folder

    @property
    def id(self) -> str:
        """The job's id."""
        return self.path.name

    def spec(self) -> Spec:
        """What to do; raises JobError if that is damaged, or an older version of Headscript wrote it."""
        path = self.path / "spec.json"
        try:
            return wire.load(Spec, path.read_bytes(), str(path))
        except (OSError, WireError) as error:
            raise JobError(
                f"what the job was asked cannot be read ({error}); if an older version of Headscript asked "
                "it, start it anew: what it finished is kept"
            ) from error

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.path / "worker.log"

    def events(self, after: int = 0) -> Iterator[tuple[int, Json]]:
        """Numbered events later than `after`; a line still being written is left for next time.

        A line that is no event, which only a damaged disk leaves, is the event `damaged`.
        """
        path = self.path / "events.jsonl"
        if not path.is_file():
            return
        with path.open() as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith("\n"):
                    return  # its rest may be there by the next line, and is none of its own
                if number > after:
                    yield number, _event(line)

    def finished(self) -> set[str]:
        """Names of the result files that were announced."""
        return {event["file"] for _, event in self.events() if event["event"] == "result"}

    def result(self, what: str, name: str) -> Any:
        """The value in a result file, of the type that RESULTS gives for `what`; raises WireError."""
        path = self.path / "results" / name
        return wire.load(RESULTS[what], path.read_bytes(), str(path))

    def show_nodes(self, tallies: Mapping[str, Tally]) -> None:
        """Note how far each node of a cluster is with the job's units."""
        write_json(self.path / "nodes.json", {name: asdict(tally) for name, tally in tallies.items()})

    def nodes(self) -> dict[str, Tally]:
        """How far each node of a cluster is; none where no cluster works on the job."""
        try:
            noted = json.loads((self.path / "nodes.json").read_text())
            return {name: Tally(**tally) for name, tally in noted.items()}
        except (OSError, ValueError, TypeError):
            return {}

    def scores(self, name: str) -> Path:
        """The Parquet file of scores that a result names."""
        return self.path / "results" / Path(name).name

    def log_tail(self, lines: int = 40) -> str:
        """The last lines that the worker printed."""
        if not self.log.is_file():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 200 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def claim(self) -> FileLock | None:
        """Note that this process works on the job, for as long as it holds what it gets.

        None if another process does: there may be two after an owner died while it started one; or if the
        job was called off before this process was at it.
        """
        lock = FileLock(self.path / "worker.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        if self._called_off.exists():
            lock.release()
            return None
        write_json(self.path / "worker.json", {"pid": os.getpid(), "started": _start_time(os.getpid())})
        return lock

    def forget_worker(self) -> None:
        """Make room for the next worker's note."""
        (self.path / "worker.json").unlink(missing_ok=True)
        self._called_off.unlink(missing_ok=True)

    def call_off(self) -> None:
        """Let no worker that is still starting claim the job."""
        with suppress(OSError):  # the folder may be gone
            self._called_off.touch()

    def has_ended(self) -> bool:
        """Whether the last worker has said that it is done or failed; it may take a while to leave."""
        last = ""
        for _, event in self.events():
            last = event["event"]
        return last == "end"

    @property
    def _called_off(self) -> Path:
        return self.path / "called-off"

    def worker(self) -> psutil.Process | None:
        """The living worker. A process that merely has the same number does not count."""
        try:
            noted = json.loads((self.path / "worker.json").read_text())
            process = psutil.Process(noted["pid"])
            alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            # A clock that was set moves every process's start; the lock is then what tells.
            is_it = alive and (process.create_time() == noted["started"] or self._is_claimed())
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process if is_it else None

    def _is_claimed(self) -> bool:
        try:
            with FileLock(self.path / "worker.lock", blocking=False):
                return False
        except Timeout:
            return True


class EventWriter:
    """Appends to a job's events, from any thread; only the worker has one."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        path = folder.path / "events.jsonl"
        _drop_unfinished_line(path)
        self._file = path.open("a")
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def start(self) -> None:
        """A worker is at it, for the first time or again."""
        self._append({"event": "start"})

    def progress(self, stage: str, done: int, total: int) -> None:
        """How far the current stage is."""
        self._append({"event": "progress", "stage": stage, "done": done, "total": total})

    def result(self, name: str, value: object) -> None:
        """Something finished, of a type in RESULTS: written whole to a file of its own, then announced."""
        write_whole(self._folder.path / "results" / f"{name}.json", wire.dump(value))
        self._append({"event": "result", "what": NAME_OF[type(value)], "file": f"{name}.json"})

    def result_anew(self, name: str, value: object) -> None:
        """What every start of the job finds anew: a result, unless it was announced and is the same."""
        file = f"{name}.json"
        if file not in self._folder.finished() or self._folder.result(NAME_OF[type(value)], file) != value:
            self.result(name, value)

    def scores(self, name: str, scores: Sequence[Score]) -> str:
        """Write the scores that a result will name; what it names them."""
        file = f"{name}.parquet"
        write_scores(self._folder.scores(file), scores)
        return file

    def note(self, message: str) -> None:
        """Something the user should know."""
        self._append({"event": "note", "message": message})

    def cost(self, usd: float, **tokens: float) -> None:
        """What the job has paid so far, in all."""
        self._append({"event": "cost", "usd": usd, **tokens})

    def end(self, state: str, message: str = "") -> None:
        """The last event: `done` or `failed`."""
        self._append({"event": "end", "state": state, "message": message})

    def _append(self, event: Json) -> None:
        with self._lock:
            self._file.write(json.dumps(event | {"at": time.time()}) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def _event(line: str) -> Json:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) and "event" in event else {"event": "damaged"}


def _drop_unfinished_line(path: Path) -> None:
    """Cut the half line that a killed worker may have left, so that the next event starts a line."""
    if path.is_file():
        raw = path.read_bytes()
        if not raw.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(raw.rfind(b"\n") + 1)


def _start_time(pid: int) -> float:
    started: float = psutil.Process(pid).create_time()
    return started


@dataclass(frozen=True)
class Job(Generic[AnyTask]):
    """A job as its worker has it."""

    folder: JobFolder
    place: Place
    task: AnyTask
    events: EventWriter
    hands: Crew | None = None

    @cached_property
    def crew(self) -> Crew:
        """Who works on its units: this process, unless others were given."""
        return self.hands or LocalCrew(self.events)
