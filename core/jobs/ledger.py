"""What a job that pays has asked and got, in its folder, so that no crash pays for a reply twice.

`replies/<call>.json`  a reply as it arrived, written before anything reads it
`paid.jsonl`           only grows: each call before it is sent, and what came of it if no reply did
`batches.jsonl`        only grows: each Message Batch with its calls
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.synthesis.money import Usage

Json = dict[str, Any]


class CallLog:
    """The calls of one job; for many threads of one worker."""

    def __init__(self, job: Path) -> None:
        self._replies = job / "replies"
        self._replies.mkdir(exist_ok=True)
        self._paid = job / "paid.jsonl"
        self._batches = job / "batches.jsonl"
        self._lock = threading.Lock()

    def reply(self, call: str) -> str | None:
        """The reply that is here already."""
        path = self._replies / f"{call}.json"
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def keep(self, call: str, text: str) -> None:
        """Write a reply, whole or not at all, to the disk itself."""
        path = self._replies / f"{call}.json"
        scratch = path.with_name(f".{path.name}.writing")
        with scratch.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)

    def asking(self, call: str, most: float) -> None:
        """Note that a call is about to be sent which costs at most so many USD."""
        self._append(self._paid, {"call": call, "most": most})

    def unpaid(self, call: str, most: float) -> None:
        """Note that a call which was sent will not be billed."""
        self._append(self._paid, {"call": call, "most": -most})

    def submitted(self, batch: str, calls: Sequence[str]) -> None:
        """Note a batch that the service has accepted."""
        self._append(self._batches, {"batch": batch, "calls": list(calls)})

    def batches(self) -> dict[str, list[str]]:
        """Every batch and its calls."""
        return {line["batch"]: line["calls"] for line in _lines(self._batches)}

    def usage(self) -> Usage:
        """The tokens of all replies."""
        used = Usage()
        for path in sorted(self._replies.glob("[!.]*.json")):
            used += usage_of(path.read_text(encoding="utf-8"))
        return used

    def lost(self) -> float:
        """USD at most of calls that were sent and neither answered nor refused."""
        sent: dict[str, list[float]] = {}
        for line in _lines(self._paid):
            sent.setdefault(line["call"], []).append(line["most"])
        lost = 0.0
        for call, amounts in sent.items():
            answered = max(amounts) if self.reply(call) is not None else 0.0
            lost += max(0.0, sum(amounts) - answered)
        return lost

    def _append(self, path: Path, line: Json) -> None:
        with self._lock, path.open("a") as file:
            if file.tell() and not _ends_a_line(path):
                file.write("\n")
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def usage_of(text: str) -> Usage:
    """The usage that a reply states; of one call without tokens if it cannot be read."""
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        reply = None
    return Usage.of_reply(reply if isinstance(reply, dict) else {})


def _lines(path: Path) -> list[Json]:
    """The whole lines of a file; half a line, left by a crash, is none."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
