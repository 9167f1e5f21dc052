"""The worker: runs one job in a process of its own and never opens the database."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from core import wire
from core.errors import HeadscriptError
from core.jobs.folder import EventWriter, Job, JobFolder
from core.jobs.kinds import KINDS


def work(path: Path) -> int:
    """Run the job in folder `path`; the exit code. Its end, good or bad, is its last event.

    Does nothing if another worker is at it.
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
            kind.run(Job(folder, spec.place, task, events))
        except HeadscriptError as error:
            events.end("failed", str(error))
            return error.exit_code
        except Exception as error:  # the owner must hear of any end; the log has the details
            traceback.print_exc(file=sys.stderr)
            events.end("failed", f"unexpected {type(error).__name__}: {error}; details in {folder.log}")
            return 4
        events.end("done")
        return 0
