"""The worker: runs one job in a process of its own and never opens the database."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core import wire
from core.errors import HeadscriptError, is_out_of_memory
from core.jobs.crew import Crew
from core.jobs.crew.cluster import VARIABLE, Cluster
from core.jobs.crew.local import LocalCrew
from core.jobs.folder import EventWriter, Job, JobFolder
from core.jobs.kinds import KINDS
from core.jobs.place import Place
from core.jobs.tasks import Task
from core.store.workspace import shared_folder


def work(path: Path, prepare: Callable[[], None] | None = None) -> int:
    """Run the job in folder `path`; the exit code. Its end, good or bad, is its last event.

    Does nothing if another worker is at it. Processes that help with its units call `prepare` first;
    without it there are none.
    """
    folder = JobFolder(path)
    claim = folder.claim()
    if claim is None:
        return 0
    with claim, EventWriter(folder) as events:
        events.start()
        try:
            spec = folder.spec()
            kind = KINDS.named(spec.kind)
            task = wire.read(kind.task, spec.task, f"{folder.path / 'spec.json'}: task")
            with crew_for(folder, spec.place, task, events, prepare) as crew:
                kind.run(Job(folder, spec.place, task, events, crew))
        except HeadscriptError as error:
            events.end("failed", str(error))
            return error.exit_code
        except Exception as error:  # the owner must hear of any end; the log has the details
            traceback.print_exc(file=sys.stderr)
            events.end("failed", _in_words(error, folder))
            return 4
        events.end("done")
        return 0


def _in_words(error: Exception, folder: JobFolder) -> str:
    if is_out_of_memory(error):
        return (
            "the memory of this machine ran out; what is finished stays. Close what else uses it and try "
            "again, or give fewer or shorter passages, or a smaller model"
        )
    return f"unexpected {type(error).__name__}: {error}; details in {folder.log}"


def _nothing() -> None:
    pass


@contextmanager
def crew_for(
    folder: JobFolder,
    place: Place,
    task: Task,
    events: EventWriter,
    prepare: Callable[[], None] | None,
) -> Iterator[Crew]:
    """Who works on a job's units: this process, or the cluster that its runner names."""
    named = os.environ.get(VARIABLE)
    if not named:
        yield LocalCrew(events, prepare)
        return
    from core.jobs.crew.on_ray import RayCrew

    shared = shared_folder(place.workspace, task.model_id, place.attention)
    paths = () if shared is None else (str(shared),)
    crew = RayCrew(Cluster.load(named), events, folder.show_nodes, prepare or _nothing, paths)
    try:
        yield crew
    finally:
        crew.close()
