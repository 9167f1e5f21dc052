"""What the command line shows: progress on stderr, tables on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence

from core.store import JobRecord


class Terminal:
    """Progress of a job as one line that rewrites itself, or as a line a stage where there is no terminal."""

    def __init__(self) -> None:
        self._rewrites = sys.stderr.isatty()
        self._shown = ""

    def progress(self, record: JobRecord) -> None:
        """Show how far a job is, and how long its stage still takes."""
        stage = "waiting for another job to end" if record.state == "queued" else record.stage
        if self._rewrites:
            print(f"\r{stage + _count(record):<60}", end="", file=sys.stderr, flush=True)
        elif stage != self._shown:
            self._shown = stage
            print(stage, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line of its own."""
        print(f"\r{text:<60}" if self._rewrites else text, file=sys.stderr, flush=True)


def _count(record: JobRecord) -> str:
    left = record.seconds_left(time.time())
    count = f" {record.done}/{record.total}" if record.total and record.state == "running" else ""
    return count if left is None else f"{count}, {left:.0f} s left"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows in aligned columns."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
