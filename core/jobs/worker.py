"""The worker: runs one job in a process of its own and never opens the database."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from core import wire
from core.errors import HeadscriptError, is_out_of_memory
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
