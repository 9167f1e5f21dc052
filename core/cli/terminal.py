"""What the command line shows: progress on stderr, answers on stdout. Escape codes reach only terminals."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from core.store import JobRecord

Show = Callable[["JobRecord"], None]
_NAME_WIDTH = 12


class Terminal:
    """Progress of a job as a bar with rate and time left, or as a line a stage where there is no terminal."""

    def __init__(self) -> None:
        self._has_bars = sys.stderr.isatty()
        self._shown = ""

    @contextmanager
    def following(self, nodes: Callable[[], Sequence[str]] = list) -> Iterator[Show]:
        """What shows how far a job is, with its `nodes`, as often as it is called within the block."""
        if not self._has_bars:
            yield self._line
            return
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}"))
        drawn_on = console(sys.stderr)
        with Progress(*columns, console=drawn_on, auto_refresh=False, redirect_stdout=False) as bars:
            bar = bars.add_task("starting", total=None, pace="")

            def show(record: JobRecord) -> None:
                pace = " · ".join(part for part in (_pace(record), *nodes()) if part)
                bars.update(bar, description=_stage(record), pace=pace)
                bars.update(bar, completed=record.done, total=record.total or None, refresh=True)

            yield show

    def say(self, text: str) -> None:
        """A line of its own."""
        print(text, file=sys.stderr, flush=True)

    def _line(self, record: JobRecord) -> None:
        if (stage := _stage(record)) != self._shown:
            self._shown = stage
            self.say(stage)


def console(stream: TextIO) -> Console:
    """Rich's view of a stream: styles and full width if it is a terminal, plain text else."""
    from rich.console import Console

    return Console(
        file=stream, force_terminal=stream.isatty(), highlight=False, soft_wrap=not stream.isatty()
    )


def show_answer(answer: dict[str, Any]) -> None:
    """An answer for people on stdout: its numbers a line each, its heads or rows as a table."""
    heads, rows = answer.get("heads"), answer.get("rows")
    for name, value in answer.items():
        if name not in ("heads", "program", "rows"):
            print(f"{name:<{_NAME_WIDTH}} {_number(value)}")
    if isinstance(heads, int):
        print(f"{'heads':<{_NAME_WIDTH}} {heads}")
    elif heads and isinstance(heads[0], str):
        print(f"{'heads':<{_NAME_WIDTH}} {len(heads)}: {' '.join(heads)}")
    elif heads:
        columns = [name for name in heads[0] if name not in ("layer", "head", "program")]
        named = [
            [f"L{row['layer']}H{row['head']}", *(_number(row[name]) for name in columns)] for row in heads
        ]
        _show_table(["head", *columns], named)
    if rows:
        columns = [name for name in rows[0] if name != "control"]
        _show_table(columns, [[_number(row[name]) for name in columns] for row in rows])


def _show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under their names: drawn by rich for people, aligned text for what is not a terminal."""
    print()
    if sys.stdout.isatty():
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        drawn = Table(*header, box=SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            drawn.add_row(*row)
        console(sys.stdout).print(drawn, markup=False)
        return
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _stage(record: JobRecord) -> str:
    return "waiting for another job to end" if record.state == "queued" else record.stage


def _pace(record: JobRecord) -> str:
    """How many are done, how many a minute, and how long the rest takes, as far as that is known."""
    if record.state != "running" or not record.total:
        return ""
    parts = [f"{record.done:,}/{record.total:,}"]
    if record.rate is not None:
        parts.append(
            f"{record.rate:.1f} a second" if record.rate >= 1 else f"{60 * record.rate:.1f} a minute"
        )
    if (left := record.seconds_left(time.time())) is not None:
        minutes, seconds = divmod(round(left), 60)
        parts.append(f"{minutes} min {seconds} s left" if minutes else f"{seconds} s left")
    return ", ".join(parts)


def _number(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_number, value))}]"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
